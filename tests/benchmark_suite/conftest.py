import pytest

from gpugrad.autograd.op import OPS, op


@pytest.fixture
def scaled():
    """An op y = 3 x of our own, with a benchmark case."""

    @op(
        samples=lambda s: [s.case(s(3, 4))],
        bench=lambda s: (s.case(s(n, 64)) for n in (64, 8)),
        flops=lambda x: x.size,
    )
    def benchmarked_scale(x):
        """3 x."""
        return 3 * x

    benchmarked_scale.vjp(x=lambda g: 3 * g)
    yield benchmarked_scale
    del OPS["benchmarked_scale"]
