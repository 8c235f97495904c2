"""Layer and RMS normalisation, forward and backward.

Variance is always the mean of (x - mean)^2, in a second pass: the one-pass E[x^2] - E[x]^2 loses every digit when the
mean is large. Rows are taken in blocks that stay in cache for all passes, by two threads if there are many.
"""

import math
from functools import reduce
from typing import Any

import numpy as np

from . import memory
from .rows import along, over_rows, repeated


def layer_norm_forward(x, weight, bias, *, eps: float, ndim: int):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last `ndim` dims.

    weight and bias have the shape of those dims, or are None. Returns (out, mean, rstd), the last two x.shape[:-ndim].
    """
    rows = _rows(x, ndim)
    weight, bias = repeated(weight, rows), repeated(bias, rows)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    mean, rstd = np.empty(len(rows), x.dtype), np.empty(len(rows), x.dtype)
    scale = 1 / max(1, rows.shape[1])

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        np.multiply(np.einsum("ij->i", data), scale, out=mean[block])
        np.subtract(data, mean[block, None], out=result)
        var = _squares(result) * scale
        if np.any(mean[block] * mean[block] > var):  # what rounding left in the mean may matter next to the spread
            rest = np.einsum("ij->i", result) * scale
            np.subtract(result, rest[:, None], out=result)
            mean[block] += rest
            var = _squares(result) * scale
        rstd[block] = 1 / np.sqrt(var + eps)
        np.multiply(result, rstd[block, None], out=result)
        _affine(result, weight, bias)

    over_rows(normalise, rows)
    return out, mean.reshape(x.shape[: x.ndim - ndim]), rstd.reshape(x.shape[: x.ndim - ndim])


def layer_norm_backward(g, x, weight, mean, rstd, *, needs):
    """(gx, gweight, gbias) of `layer_norm_forward`, None where `needs` (three bools) says so."""
    return _backward(g, x, weight, mean, rstd, needs)


def rms_norm_forward(x, weight, *, eps: float, ndim: int):
    """x / sqrt(mean(x^2) + eps) * weight over the last `ndim` dims; returns (out, rstd), rstd x.shape[:-ndim]."""
    rows = _rows(x, ndim)
    weight = repeated(weight, rows)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    rstd = np.empty(len(rows), x.dtype)
    scale = 1 / max(1, rows.shape[1])

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        rstd[block] = 1 / np.sqrt(_squares(data) * scale + eps)
        np.multiply(data, rstd[block, None], out=result)
        _affine(result, weight, None)

    over_rows(normalise, rows)
    return out, rstd.reshape(x.shape[: x.ndim - ndim])


def rms_norm_backward(g, x, weight, rstd, *, needs):
    """(gx, gweight) of `rms_norm_forward`, None where `needs` (two bools) says so."""
    return _backward(g, x, weight, None, rstd, (*needs, False))[:2]


def _backward(g, x, weight, mean, rstd, needs):
    """Backward over rows (M, K), of layer norm, or of RMS norm if mean is None.

    With d = x - mean and h = g * weight: gx = rstd * (h - mean(h) - d * rstd^2 * mean(h * d)), where an RMS norm has
    neither mean. All sums are products of g and g * x with vectors, so that d is made only where the mean is large.
    """
    shape, norm_shape = x.shape, x.shape[rstd.ndim :]
    g, x = _rows(g, len(norm_shape)), _rows(x, len(norm_shape))
    rstd, means = _flat(rstd), np.zeros(len(x), x.dtype) if mean is None else _flat(mean)
    need_x, *need_sums = needs
    gx: Any = memory.empty(x.shape, x.dtype) if need_x else None
    factor, line = np.ones(x.shape[1], x.dtype) if weight is None else _flat(weight), repeated(weight, x)
    scale = 1 / max(1, x.shape[1])

    def differentiate(block: slice):
        data, grad, inverse, level = x[block], g[block], rstd[block], means[block]
        if np.any(np.abs(level) * inverse > 1):
            data, level = data - level[:, None], np.zeros_like(level)
        product = grad * data
        sums = inverse @ product - (inverse * level) @ grad, np.ones_like(inverse) @ grad if need_sums[1] else None
        if need_x:
            result, total = gx[block], grad @ factor
            slope = (product @ factor - level * total) * inverse * inverse * inverse * scale
            correction = np.multiply(data, slope[:, None], out=product)
            if mean is not None:
                correction += (total * inverse * scale - level * slope)[:, None]
            scaled = grad if line is None else along(np.multiply, grad, line, result)
            np.multiply(scaled, inverse[:, None], out=result)
            np.subtract(result, correction, out=result)
        return sums

    sums = over_rows(differentiate, x)
    zeros = np.zeros(x.shape[1])
    gweight, gbias = (
        reduce(np.add, (part[i] for part in sums), zeros).astype(x.dtype).reshape(norm_shape) if need else None
        for i, need in enumerate(need_sums)
    )
    return gx.reshape(shape) if need_x else None, gweight, gbias


def _rows(x: np.ndarray, ndim: int) -> np.ndarray:
    """x as (M, K), where K counts the elements of its last `ndim` dims."""
    lead = x.ndim - ndim
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:lead]), math.prod(x.shape[lead:]))


def _flat(weight: Any) -> Any:
    return None if weight is None else weight.reshape(-1)


def _squares(rows: np.ndarray) -> np.ndarray:
    """The sum of squares of each row; over wide rows NumPy's pairwise sum loses less than a dot product."""
    return np.vecdot(rows, rows) if rows.shape[1] <= 4096 else np.add.reduce(rows * rows, axis=1)


def _affine(result, weight, bias) -> None:
    if weight is not None:
        along(np.multiply, result, weight, result)
    if bias is not None:
        along(np.add, result, bias, result)
