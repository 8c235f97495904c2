"""The CPU paths of layer norm and RMS norm.

Variance is the mean of (x - mean)^2. In narrow rows it is the mean of x^2 less the square of the mean, if the mean is
small: for a large one the difference loses digits. Compiled loops take large arrays row by row; without them rows are
taken in blocks that stay in cache for all passes, by two threads if there are many.
"""

import math
from typing import Any

import numpy as np

from ...backend.cpu import gemm, memory
from ...backend.cpu.loops import each_part, pieces
from ...backend.cpu.rows import WIDE, over_rows
from . import add_layer_norm, add_rms_norm, check_affine, check_sum, layer_norm, loops, rms_norm

PIECE = 64  # rows whose sums for the gradients of weight and bias a compiled loop makes in one go


@layer_norm.path("cpu")
def layer_norm_cpu(x, weight, bias, *, ndim, eps):
    check_affine(x, ndim, weight=weight, bias=bias)
    out, mean, rstd = _layer_norm(x, weight, bias, ndim, eps)
    return out, {"mean": mean, "rstd": rstd}


@layer_norm_cpu.backward
def layer_norm_cpu_backward(g, x, weight, mean, rstd, needs):
    """Return (gx, gweight, gbias), None where `needs` is false; of an RMS norm if mean is None.

    With d = x - mean and h = g * weight: gx = rstd * (h - mean(h) - d * rstd^2 * mean(h * d)), where an RMS norm has
    neither mean. All sums are products of g and g * x with vectors, so that d is made only where the mean is large.
    """
    shape, norm_shape = x.shape, x.shape[rstd.ndim :]
    g, x = _rows(g, len(norm_shape)), _rows(x, len(norm_shape))
    rstd, means = rstd.reshape(-1), np.zeros(len(x), x.dtype) if mean is None else mean.reshape(-1)
    if (compiled := loops.gradient.chosen(x)) is not None:
        sums = _looped_gradient(compiled, g, x, _flat(weight), means, rstd, mean is not None)
        shapes = shape, norm_shape, norm_shape
        return tuple([a.reshape(to) if need else None for a, to, need in zip(sums, shapes, needs, strict=True)])
    need_x, need_weight, need_bias = needs
    gx: Any = memory.empty(x.shape, x.dtype) if need_x else None
    weight, scale = _flat(weight), 1 / max(1, x.shape[1])
    factor = np.ones(x.shape[1], x.dtype) if weight is None else weight

    def differentiate(block: slice):
        data, grad, inverse, shift = x[block], g[block], rstd[block], means[block]
        if (np.abs(shift) * inverse > 1).any():
            data, shift = data - shift[:, None], np.zeros_like(shift)
        product = grad * data
        sums = (
            inverse @ product - (inverse * shift) @ grad if need_weight else None,
            np.ones_like(shift) @ grad if need_bias else None,
        )
        if need_x:
            result, total = gx[block], grad @ factor
            slope = (product @ factor - shift * total) * inverse * inverse * inverse * scale
            rest = None if mean is None else total * inverse * scale - shift * slope
            _affine(data, slope, rest, None, None, product)
            _affine(grad, inverse, None, weight, None, result)
            np.subtract(result, product, out=result)
        return sums

    parts = over_rows(differentiate, x) or [np.zeros((2, x.shape[1]), x.dtype)]

    def over_blocks(i: int) -> np.ndarray:
        sums = [part[i] for part in parts]
        whole = sums[0] if len(sums) == 1 else np.add.reduce(sums, axis=0, dtype=np.float64).astype(x.dtype)
        return whole.reshape(norm_shape)

    gweight, gbias = over_blocks(0) if need_weight else None, over_blocks(1) if need_bias else None
    return gx.reshape(shape) if need_x else None, gweight, gbias


def _looped_gradient(compiled, g, x, weight, mean, rstd, centred: bool) -> tuple:
    """Return (gx, gweight, gbias) of rows by the compiled loop."""
    gx, count = memory.empty(x.shape, x.dtype), pieces(len(x), PIECE)
    sums = np.empty((2, count, x.shape[1]), x.dtype)
    factor = _filled(weight, 1, x)

    def differentiate(part: slice) -> None:
        rows = slice(part.start * PIECE, part.stop * PIECE)
        arrays = gx[rows], sums[0, part], sums[1, part], g[rows], x[rows], factor, mean[rows], rstd[rows]
        compiled(*arrays, float(centred), PIECE)

    each_part(differentiate, count, PIECE * x.shape[1])
    return gx, *np.add.reduce(sums, axis=1, dtype=np.float64).astype(x.dtype)


@rms_norm.path("cpu")
def rms_norm_cpu(x, weight, *, ndim, eps):
    check_affine(x, ndim, weight=weight)
    out, rstd = _rms_norm(x, weight, ndim, eps)
    return out, {"rstd": rstd}


@rms_norm_cpu.backward
def rms_norm_cpu_backward(g, x, weight, rstd, needs):
    return layer_norm_cpu_backward(g, x, weight, None, rstd, (*needs, False))[:2]


@add_layer_norm.path("cpu")
def add_layer_norm_cpu(x, residual, weight, bias, *, ndim, eps):
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight, bias=bias)
    total = x + residual
    out, mean, rstd = _layer_norm(total, weight, bias, ndim, eps)
    return (out, total), {"mean": mean, "rstd": rstd}


@add_layer_norm_cpu.backward
def add_layer_norm_cpu_backward(g, out, weight, mean, rstd, needs):
    wanted = (needs[0] or needs[1], *needs[2:])
    gx, gweight, gbias = layer_norm_cpu_backward(g[0], out[1], weight, mean, rstd, wanted)
    if gx is not None:
        gx += g[1]
    return gx, gx, gweight, gbias


@add_rms_norm.path("cpu")
def add_rms_norm_cpu(x, residual, weight, *, ndim, eps):
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight)
    total = x + residual
    out, rstd = _rms_norm(total, weight, ndim, eps)
    return (out, total), {"rstd": rstd}


@add_rms_norm_cpu.backward
def add_rms_norm_cpu_backward(g, out, weight, rstd, needs):
    gx, gweight, _ = layer_norm_cpu_backward(g[0], out[1], weight, None, rstd, (needs[0] or needs[1], needs[2], False))
    if gx is not None:
        gx += g[1]
    return gx, gx, gweight


def _layer_norm(x, weight, bias, ndim: int, eps: float):
    """Return (out, mean, rstd), the last two of shape x.shape[:-ndim]."""
    rows = _rows(x, ndim)
    weight, bias = _flat(weight), _flat(bias)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    mean, rstd = np.empty(len(rows), x.dtype), np.empty(len(rows), x.dtype)
    if (compiled := loops.layer_norm.chosen(x)) is not None:
        weight, bias = _filled(weight, 1, rows), _filled(bias, 0, rows)
        filled = out_rows, mean, rstd, rows
        each_part(lambda part: compiled(*[a[part] for a in filled], weight, bias, eps), *rows.shape)
        return out, mean.reshape(x.shape[: x.ndim - ndim]), rstd.reshape(x.shape[: x.ndim - ndim])
    narrow = rows.shape[1] < WIDE

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        mean[block] = shift = _means(data)
        var = _mean_squares(data) - shift * shift if narrow else None
        # The difference keeps its digits where the mean is small; 0 * var says where squares overflowed.
        if var is None or not (shift * shift + 0 * var <= var).all():
            data, shift = np.subtract(data, shift[:, None], out=result), None
            var = _mean_squares(data)
            if (mean[block] * mean[block] > var).any():  # what rounding left in the mean may count
                rest = _means(data)
                np.subtract(data, rest[:, None], out=data)
                mean[block] += rest
                var = _mean_squares(data)
        rstd[block] = inverse = 1 / np.sqrt(var + eps)
        _affine(data, inverse, None if shift is None else -shift * inverse, weight, bias, result)

    over_rows(normalise, rows)
    return out, mean.reshape(x.shape[: x.ndim - ndim]), rstd.reshape(x.shape[: x.ndim - ndim])


def _rms_norm(x, weight, ndim: int, eps: float):
    """Return (out, rstd), the latter of shape x.shape[:-ndim]."""
    rows = _rows(x, ndim)
    weight = _flat(weight)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    rstd = np.empty(len(rows), x.dtype)
    if (compiled := loops.rms_norm.chosen(x)) is not None:
        weight = _filled(weight, 1, rows)
        each_part(lambda part: compiled(out_rows[part], rstd[part], rows[part], weight, eps), *rows.shape)
        return out, rstd.reshape(x.shape[: x.ndim - ndim])

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        rstd[block] = inverse = 1 / np.sqrt(_mean_squares(data) + eps)
        _affine(data, inverse, None, weight, None, result)

    over_rows(normalise, rows)
    return out, rstd.reshape(x.shape[: x.ndim - ndim])


def _rows(x: np.ndarray, ndim: int) -> np.ndarray:
    """Return x as (M, K), where K counts the elements of its last `ndim` axes."""
    lead = x.ndim - ndim
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:lead]), math.prod(x.shape[lead:]))


def _means(rows: np.ndarray) -> np.ndarray:
    """Return the mean of each row."""
    return np.einsum("ij->i", rows) * (1 / max(1, rows.shape[1]))


def _mean_squares(rows: np.ndarray) -> np.ndarray:
    """Return the mean square of each row; over wide rows NumPy's pairwise sum loses less than a dot product."""
    wide = rows.shape[1] > 4096
    return (np.add.reduce(rows * rows, axis=1) if wide else np.vecdot(rows, rows)) * (1 / max(1, rows.shape[1]))


def _flat(row: np.ndarray | None) -> np.ndarray | None:
    return None if row is None else row.reshape(-1)


def _filled(row: np.ndarray | None, number: float, rows: np.ndarray) -> np.ndarray:
    """Return the row as a loop takes it, filled with the number if it is None."""
    return np.full(rows.shape[1], number, rows.dtype) if row is None else np.ascontiguousarray(row)


def _affine(rows: np.ndarray, scale: Any, shift: Any, weight: Any, bias: Any, out: np.ndarray) -> None:
    """Fill out = (rows * scale + shift) * weight + bias for rows (M, K); `out` may be `rows`.

    scale and shift have a number for each row, weight and bias one for each column; None leaves them out.

    NumPy copies an array that it broadcasts to narrow rows into its buffer first (`rows.unbuffered`). Therefore BLAS
    writes their factors and their summands, as products with inner length 2.
    """
    if rows.shape[1] >= WIDE:
        np.multiply(rows, scale[:, None], out=out)
        if shift is not None:
            np.add(out, shift[:, None], out=out)
        if weight is not None:
            np.multiply(out, weight, out=out)
        if bias is not None:
            np.add(out, bias, out=out)
        return
    columns, lines = np.zeros((len(rows), 2), rows.dtype), np.zeros((2, rows.shape[1]), rows.dtype)
    columns[:, 0], lines[0] = scale, 1 if weight is None else weight
    factors = np.empty_like(out)
    gemm.multiply(columns, lines, factors)
    if shift is None and bias is None:
        np.multiply(rows, factors, out=out)
        return
    np.multiply(rows, factors, out=factors)
    columns[:, 0] = 0 if shift is None else shift
    if bias is not None:
        columns[:, 1], lines[1] = 1, bias
    gemm.multiply(columns, lines, out)
    np.add(out, factors, out=out)
