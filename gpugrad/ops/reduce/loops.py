"""Compiled loops of sums over rows."""

from ...backend.cpu.loops import Row, Rows, loop, real


@loop
def row_sums(x: Rows, out: Row):
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            total += x[i, j]
        out[i] = total


@loop
def row_squares(x: Rows, out: Row):
    """Set `out` to the sums of the squared distances from the mean of the row."""
    for i in range(x.shape[0]):
        total = 0.0
        for j in range(x.shape[1]):
            total += x[i, j]
        mean = total / real(x.shape[1])
        total = 0.0
        for j in range(x.shape[1]):
            total += (x[i, j] - mean) * (x[i, j] - mean)
        out[i] = total
