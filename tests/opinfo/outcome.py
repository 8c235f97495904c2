"""What becomes of one sample of PyTorch's tables."""

from typing import NamedTuple

VERDICTS = ("right", "NumPy's", "wrong", "crash", "not comparable")


class Outcome(NamedTuple):
    """The verdict on a sample, one of VERDICTS, and what is wrong."""

    name: str
    number: int
    verdict: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        return self.verdict in ("wrong", "crash")
