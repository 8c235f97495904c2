"""What the tests of the benchmark suite share: a short effort, and limits of a machine that nobody measures."""

import pytest

pytest.importorskip("benchmarks.cli", reason="needs the checkout")
from benchmarks.measuring.clock import Effort
from benchmarks.measuring.limits import Limits

EFFORT = Effort(5, 0.002, 0, 5.0)


class FixedLimits(Limits):
    """Limits that need no measuring."""

    def __init__(self, device="cpu"):
        self.device = device
        self.bandwidth, self.rate = lambda: 1e10, lambda dtype: 1e11

    def facts(self, dtypes=("float32",)):
        return {"bandwidth": 1e10, "rates": {d: 1e11 for d in dtypes}, "cache": 1 << 16}
