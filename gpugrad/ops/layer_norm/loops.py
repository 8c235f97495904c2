"""Compiled loops of layer norm and RMS norm, over rows."""

from ...backend.cpu.loops import Int, Real, Row, Rows, loop, real
from ...backend.cpu.loops.language import sqrt


@loop
def layer_norm(out: Rows, mean: Row, rstd: Row, x: Rows, weight: Row, bias: Row, eps: Real):
    count = real(x.shape[1])
    scale = 1.0 / count
    for i in range(x.shape[0]):
        total, square = 0.0, 0.0
        for j in range(x.shape[1]):
            total += x[i, j]
            square += x[i, j] * x[i, j]
        middle, rest = total / count, 0.0  # the mean of equal numbers is exact
        variance = square * scale - middle * middle
        if not middle * middle <= variance:  # where the mean is large that has lost digits
            total, square = 0.0, 0.0
            for j in range(x.shape[1]):
                d = x[i, j] - middle
                total += d
                square += d * d
            rest = total * scale  # what rounding left in the mean
            variance = square * scale - rest * rest
        inverse = 1.0 / sqrt(variance + eps)
        mean[i], rstd[i] = middle + rest, inverse
        shift = -rest * inverse
        for j in range(x.shape[1]):
            out[i, j] = ((x[i, j] - middle) * inverse + shift) * weight[j] + bias[j]


@loop
def rms_norm(out: Rows, rstd: Row, x: Rows, weight: Row, eps: Real):
    scale = 1.0 / real(x.shape[1])
    for i in range(x.shape[0]):
        square = 0.0
        for j in range(x.shape[1]):
            square += x[i, j] * x[i, j]
        inverse = 1.0 / sqrt(square * scale + eps)
        rstd[i] = inverse
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] * inverse * weight[j]


@loop
def gradient(
    gx: Rows, gweight: Rows, gbias: Rows, g: Rows, x: Rows, weight: Row, mean: Row, rstd: Row, centred: Real, size: Int
):
    """Fill gx and, for each piece of `size` rows, its sums for weight and bias. centred: 0 for an RMS norm, else 1."""
    scale = 1.0 / real(x.shape[1])
    for p in range(gweight.shape[0]):
        for j in range(x.shape[1]):
            gweight[p, j] = 0.0
            gbias[p, j] = 0.0
        for i in range(p * size, min((p + 1) * size, x.shape[0])):
            middle, inverse = mean[i], rstd[i]
            total, product = 0.0, 0.0
            for j in range(x.shape[1]):
                h = g[i, j] * weight[j]
                d = (x[i, j] - middle) * inverse
                total += h
                product += h * d
                gweight[p, j] += g[i, j] * d
                gbias[p, j] += g[i, j]
            total *= scale * centred
            product *= scale
            for j in range(x.shape[1]):
                d = (x[i, j] - middle) * inverse
                gx[i, j] = inverse * (g[i, j] * weight[j] - total - d * product)
