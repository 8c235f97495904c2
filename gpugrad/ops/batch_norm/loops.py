"""Compiled loops of batch norm: of whole channels where these are in front in memory, of rows of pixels where they are
last.

Sums over pixels are made in lines or pieces of fixed length first, so that they lose few digits.
"""

from ...backend.cpu.loops import Cube, Int, Real, Row, Rows, loop, real
from ...backend.cpu.loops.language import maximum, sqrt


@loop
def normalise_channels(
    out: Cube, mean: Row, var: Row, x: Cube, weight: Row, bias: Row, eps: Real, first: Int, stop: Int
):
    """Normalise the channels from `first` to before `stop` of (N, C, S), and fill their means and variances."""
    count = real(x.shape[0]) * real(x.shape[2])
    scale = 1.0 / count
    for c in range(first, stop):
        total = 0.0
        for n in range(x.shape[0]):
            line = 0.0
            for s in range(x.shape[2]):
                line += x[n, c, s]
            total += line
        middle = total / count  # the mean of equal numbers is exact
        total, square = 0.0, 0.0
        for n in range(x.shape[0]):
            line, line_square = 0.0, 0.0
            for s in range(x.shape[2]):
                d = x[n, c, s] - middle
                line += d
                line_square += d * d
            total += line
            square += line_square
        rest = total * scale  # what rounding left in the mean: it counts where that is large
        mean[c], var[c] = middle + rest, maximum(square * scale - rest * rest, 0.0)
        factor = weight[c] / sqrt(var[c] + eps)
        shift = bias[c] - rest * factor
        for n in range(x.shape[0]):
            for s in range(x.shape[2]):
                out[n, c, s] = (x[n, c, s] - middle) * factor + shift


@loop
def differentiate_channels(
    gx: Cube, sums: Row, products: Row, g: Cube, x: Cube, mean: Row, rstd: Row, weight: Row, first: Int, stop: Int
):
    """Fill gx, and for each channel the sums of g and of g (x - mean) rstd."""
    scale = 1.0 / (real(x.shape[0]) * real(x.shape[2]))
    for c in range(first, stop):
        middle, inverse = mean[c], rstd[c]
        total, product = 0.0, 0.0
        for n in range(x.shape[0]):
            line, line_product = 0.0, 0.0
            for s in range(x.shape[2]):
                line += g[n, c, s]
                line_product += g[n, c, s] * ((x[n, c, s] - middle) * inverse)
            total += line
            product += line_product
        sums[c], products[c] = total, product
        total *= scale
        product *= scale
        factor = inverse * weight[c]
        for n in range(x.shape[0]):
            for s in range(x.shape[2]):
                gx[n, c, s] = (g[n, c, s] - total - ((x[n, c, s] - middle) * inverse) * product) * factor


@loop
def sum_pieces(sums: Rows, squares: Rows, x: Rows, shift: Row, size: Int):
    """Fill, for each piece of `size` rows, the sums of x - shift and of its square, column by column."""
    for p in range(sums.shape[0]):
        for j in range(x.shape[1]):
            sums[p, j] = 0.0
            squares[p, j] = 0.0
        for i in range(p * size, min((p + 1) * size, x.shape[0])):
            for j in range(x.shape[1]):
                d = x[i, j] - shift[j]
                sums[p, j] += d
                squares[p, j] += d * d


@loop
def normalise_rows(out: Rows, x: Rows, shift: Row, factor: Row, offset: Row):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = (x[i, j] - shift[j]) * factor[j] + offset[j]


@loop
def gradient_pieces(sums: Rows, products: Rows, g: Rows, x: Rows, shift: Row, size: Int):
    """Fill, for each piece of `size` rows, the sums of g and of g (x - shift), column by column."""
    for p in range(sums.shape[0]):
        for j in range(x.shape[1]):
            sums[p, j] = 0.0
            products[p, j] = 0.0
        for i in range(p * size, min((p + 1) * size, x.shape[0])):
            for j in range(x.shape[1]):
                sums[p, j] += g[i, j]
                products[p, j] += g[i, j] * (x[i, j] - shift[j])


@loop
def differentiate_rows(gx: Rows, g: Rows, x: Rows, shift: Row, slope: Row, mean: Row, factor: Row):
    """Fill gx = factor (g - mean - (x - shift) slope)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            gx[i, j] = (g[i, j] - mean[j] - (x[i, j] - shift[j]) * slope[j]) * factor[j]
