"""Sums, means and variances on the CPU: several times as fast as NumPy's for large float arrays, and about as
accurate.

The axes are taken in the order in which they lie in memory, and neighbouring axes that are both summed, or both kept,
are merged. The last group that is to be summed is then either the last axis (rows: einsum adds up runs of `RUN`
elements with wide vector instructions) or lies before a kept one (columns: several narrow rows are taken side by side
as one wide row), and so on until nothing is left to sum. Rows of middling length are added up by a compiled loop, in
several vectors at a time; so are the squares of a variance.
"""

import numpy as np

from ...backend.cpu.loops import Loop, each_part
from . import loops, mean, sum, var
from .axes import axes_of, divide_or_nan, kept_shape, reduced_count
from .moments import freedom

SMALL = 1 << 15  # elements below which NumPy's own sum is as quick
RUN = 512  # elements that are added up one after the other; the sums of the runs are then added pairwise
COMPILED = 16, 1 << 16  # the least elements of a row for a compiled loop, and the most, for the sake of rounding errors
WIDE = 512  # columns that rows laid side by side make together


@sum.path("cpu")
def sum_cpu(x, *, axis, dtype, keepdims):
    if dtype is not None or x.dtype.kind != "f":
        return NotImplemented
    if x.size < SMALL:
        axes = axis if axis is None else axes_of(axis, x.ndim)
        return np.asarray(np.add.reduce(x, axis=axes, keepdims=keepdims)), {}
    return sum_over(x, axes_of(axis, x.ndim), keepdims), {}


@sum_cpu.backward
def sum_cpu_backward(g, axis, keepdims, x_shape):
    if axis is not None and not keepdims:
        g = g.reshape(kept_shape(x_shape, axis))
    return np.broadcast_to(g, x_shape)


@mean.path("cpu")
def mean_cpu(x, *, axis, dtype, keepdims):
    if x.size < SMALL or dtype is not None:
        return NotImplemented
    total = sum_over(x, axes_of(axis, x.ndim), keepdims)
    return np.divide(total, reduced_count(x.shape, axis), dtype=x.dtype), {}


@var.path("cpu")
def var_cpu(x, *, axis, ddof, keepdims, correction):
    axes = axes_of(axis, x.ndim)
    count, lead = reduced_count(x.shape, axis), x.ndim - len(axes)
    rows = x.flags.c_contiguous and sorted(axes) == [*range(lead, x.ndim)]
    total = _by_loop(loops.row_squares, x.reshape(-1, count)) if rows and count and x.size >= SMALL else None
    if total is None:
        return var.forward(x, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction), {}
    total = total.reshape(kept_shape(x.shape, axis) if keepdims else x.shape[:lead])
    return divide_or_nan(total, freedom(x.shape, axis, ddof, correction)), {}


def sum_over(x: np.ndarray, axis: tuple[int, ...], keepdims: bool = False) -> np.ndarray:
    """Return x.sum(axis, keepdims=keepdims) for a float32 or float64 array and non-negative axes."""
    order = sorted(range(x.ndim), key=lambda i: -abs(x.strides[i]))
    dense = x.transpose(order)
    if x.size < SMALL or not dense.flags.c_contiguous:
        return np.asarray(x.sum(axis=axis, keepdims=keepdims))
    total, groups = _merge(dense, [i in axis for i in order])
    while any(groups):
        total, groups = _reduce_last(total, groups)
    kept = [i for i in order if i not in axis]
    total = total.reshape([x.shape[i] for i in kept]).transpose(np.argsort(kept))
    return total.reshape([1 if i in axis else n for i, n in enumerate(x.shape)]) if keepdims else total


def _merge(x: np.ndarray, summed: list[bool]) -> tuple[np.ndarray, list[bool]]:
    """Merge neighbouring axes of one kind. Returns x so reshaped, and for each of its axes whether it is summed."""
    shape: list[int] = []
    groups: list[bool] = []
    for n, kind in zip(x.shape, summed, strict=True):
        if groups and groups[-1] == kind:
            shape[-1] *= n
        elif n > 1:
            shape.append(n)
            groups.append(kind)
    return x.reshape(shape), groups


def _reduce_last(x: np.ndarray, groups: list[bool]) -> tuple[np.ndarray, list[bool]]:
    """Sum the last group that is to be summed; the kept groups beside it then merge."""
    if groups[-1]:
        n = x.shape[-1]
        return _sum_rows(x.reshape(-1, n)).reshape(x.shape[:-1]), groups[:-1]
    *lead, n, m = x.shape
    total = _sum_columns(x.reshape(-1, n, m))
    if not lead:
        return total.reshape(m), [False]
    return total.reshape(*lead[:-1], lead[-1] * m), groups[:-2]


def _sum_rows(x: np.ndarray) -> np.ndarray:
    """Return the sums of the rows: (m, n) -> (m,)."""
    m, n = x.shape
    total = _by_loop(loops.row_sums, x)
    if total is not None:
        return total
    if n <= RUN:
        return np.einsum("ij->i", x)
    runs = n // RUN
    parts = np.einsum("ijk->ij", x[:, : runs * RUN].reshape(m, runs, RUN)) if n % RUN == 0 else _sum_runs(x, runs)
    return parts.sum(axis=1)


def _by_loop(loop: Loop, rows: np.ndarray) -> np.ndarray | None:
    """Return what a compiled loop gives for each of the contiguous rows, None if NumPy is to do the work."""
    count, width = rows.shape
    compiled = loop.chosen(rows) if COMPILED[0] <= width <= COMPILED[1] else None
    if compiled is None:
        return None
    out = np.empty(count, rows.dtype)
    each_part(lambda part: compiled(rows[part], out[part]), count, width)
    return out


def _sum_runs(x: np.ndarray, runs: int) -> np.ndarray:
    """Return the sums of each row's `runs` whole runs, and of the shorter rest after them."""
    parts = np.empty((len(x), runs + 1), x.dtype)
    whole = x[:, : runs * RUN]
    strides = (x.strides[0], x.strides[1] * RUN, x.strides[1])
    np.einsum("ijk->ij", np.lib.stride_tricks.as_strided(whole, (len(x), runs, RUN), strides), out=parts[:, :runs])
    np.einsum("ij->i", x[:, runs * RUN :], out=parts[:, runs])
    return parts


def _sum_columns(x: np.ndarray) -> np.ndarray:
    """Return the sums over the middle axis: (p, n, m) -> (p, m)."""
    p, n, m = x.shape
    side = next((k for k in range(WIDE // m, 1, -1) if n % k == 0), 1)
    if side == 1:
        return x.sum(axis=1)
    wide = x.reshape(p, n // side, side * m).sum(axis=1)
    return wide.reshape(p, side, m).sum(axis=1)
