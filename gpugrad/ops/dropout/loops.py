"""The compiled loop of dropout by a counter-based generator."""

from ...backend.cpu.loops import Int, Real, Row, loop
from ...backend.cpu.loops.language import philox


@loop
def dropout(out: Row, x: Row, first: Int, key: Int, limit: Real, scale: Real):
    """Keep the elements whose 24 random bits reach the limit. Element 0 is the first of counter `first`."""
    for i in range(x.shape[0] // 4):
        a, b, c, d = philox(first + i, key)
        out[4 * i] = x[4 * i] * (scale if a >= limit else 0.0)
        out[4 * i + 1] = x[4 * i + 1] * (scale if b >= limit else 0.0)
        out[4 * i + 2] = x[4 * i + 2] * (scale if c >= limit else 0.0)
        out[4 * i + 3] = x[4 * i + 3] * (scale if d >= limit else 0.0)
