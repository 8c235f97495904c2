"""Compiled loops of cross-entropy, over rows of logits."""

from ...backend.cpu.loops import Row, Rows, loop
from ...backend.cpu.loops.language import larger
from ...backend.cpu.loops.mathematics import exp_weight


@loop
def row_sums(peak: Row, total: Row, plain: Row, x: Rows):
    """Fill the largest number of each row, the sum of exp(x - peak), and that of x - peak."""
    for i in range(x.shape[0]):
        most = x[i, 0]
        for j in range(x.shape[1]):
            most = larger(x[i, j], most)
        exponentials, differences = 0.0, 0.0
        for j in range(x.shape[1]):
            shifted = x[i, j] - most
            exponentials += exp_weight(shifted)
            differences += shifted
        peak[i], total[i], plain[i] = most, exponentials, differences


@loop
def gradient(gx: Rows, x: Rows, peak: Row, factor: Row, share: Row):
    """Fill gx = factor exp(x - peak) - share, each row with its own numbers."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            gx[i, j] = exp_weight(x[i, j] - peak[i]) * factor[i] - share[i]
