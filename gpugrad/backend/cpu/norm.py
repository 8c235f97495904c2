"""Layer and RMS normalisation, forward and backward.

Variance is always the mean of (x - mean)^2, in a second pass: the one-pass E[x^2] - E[x]^2 loses every digit when the
mean is large. Rows are taken in blocks that stay in cache for all passes, by two threads if there are many.
"""

import math
from typing import Any

import numpy as np

from . import memory, threads

BLOCK = 1 << 19  # elements of a block: a share of the caches, and few enough calls for threads to overlap
SHARE = 1 << 17  # elements that are worth a thread


def layer_norm_forward(x, weight, bias, *, eps: float, ndim: int):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last `ndim` dims.

    weight and bias have the shape of those dims, or are None. Returns (out, mean, rstd), the last two x.shape[:-ndim].
    """
    rows, weight, bias = _rows(x, ndim), _flat(weight), _flat(bias)
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
    rows, weight = _rows(x, ndim), _flat(weight)
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
    neither mean. The row sums of h and h * d are products of g and g * d with the weight.
    """
    shape, norm_shape = x.shape, x.shape[rstd.ndim :]
    g, x = _rows(g, len(norm_shape)), _rows(x, len(norm_shape))
    weight, rstd = _flat(weight), _flat(rstd)
    means = _flat(mean)
    need_x, *need_sums = needs
    gx: Any = memory.empty(x.shape, x.dtype) if need_x else None
    factor = np.ones(x.shape[1], x.dtype) if weight is None else weight
    scale = 1 / max(1, x.shape[1])

    def differentiate(block: slice):
        data, grad, inverse = x[block], g[block], rstd[block]
        centred = data if means is None else data - means[block, None]
        product = grad * centred
        sums = inverse @ product, np.ones_like(inverse) @ grad if need_sums[1] else None
        if need_x:
            result = gx[block]
            slope = (product @ factor) * inverse * inverse * scale
            correction = np.multiply(centred, slope[:, None], out=product)
            if means is not None:
                correction += ((grad @ factor) * scale)[:, None]
            scaled = grad if weight is None else np.multiply(grad, weight, out=result)
            np.subtract(scaled, correction, out=result)
            np.multiply(result, inverse[:, None], out=result)
        return sums

    sums = over_rows(differentiate, x)
    gweight, gbias = (
        sum((part[i] for part in sums), np.zeros(x.shape[1])).astype(x.dtype).reshape(norm_shape) if need else None
        for i, need in enumerate(need_sums)
    )
    return gx.reshape(shape) if need_x else None, gweight, gbias


def over_rows(task, rows: np.ndarray) -> list:
    """`[task(block) for block in blocks]` over slices of rows (M, K), by two threads if M * K is large."""
    count, width = rows.shape
    if rows.size == 0:
        return []
    step = max(1, BLOCK // width)

    def run(part: slice) -> list:
        with np.errstate(all="ignore"):
            return [task(slice(i, min(i + step, part.stop))) for i in range(part.start, part.stop, step)]

    return [result for part in threads.parallel(run, threads.chunks(count, 1 + SHARE // width)) for result in part]


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
        np.multiply(result, weight, out=result)
    if bias is not None:
        np.add(result, bias, out=result)
