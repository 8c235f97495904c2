"""Reductions of floats over any axes (kernels/reduce.cu): the host turns the axes into (outer, n, inner).

Axes are taken in memory order, so a transposed x costs nothing. Where the reduced axes are two separate runs, the
inner run is reduced first and left unfinished; other patterns cost one copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, ctype
from ...backend.dtypes import as_dtype, is_float, is_low
from ...backend.namespace import xp
from . import extremes, moments, sums
from .axes import axes_of, kept_shape, reduced_count

# The dtypes that hold the states of a functor in float and in double: pairs are as large as complex numbers.
_STATES = {
    "LogSumExp": ("F", "D"), "Variance": ("F", "D"), "Deviation": ("F", "D"), "FirstLargest": ("D", "D"),
    "FirstSmallest": ("D", "D"),
}  # fmt: skip
_FUNCTORS = ("Total", "Mean", "Product", "Largest", "Smallest", *_STATES)

kernels = Kernels(
    "reduce.cu",
    lambda: [f"reduce_{k}<{f}, {T}>" for f in _FUNCTORS for T in FLOATS for k in ("rows", "columns", "states")],
    typical=lambda: {
        **{f"reduce_{k}<Total, {T}>": Block(256) for k in ("rows", "columns") for T in ("float", "__nv_bfloat16")},
        **{f"reduce_rows<{f}, float>": Block(256) for f in ("FirstLargest", "LogSumExp")},
        "reduce_states<Total, float>": Block(256),
    },
)

_THREADS = 256
_BLOCKS = 1 << 16  # at most: they walk over the rest
_ENOUGH = 512  # blocks that keep every GPU busy; below, the reduced axis is shared out
_LEAST = 8192  # elements for a block that shares a reduction


class MergedAxes:
    """Views the array x as (outer, n, inner), of which n is reduced.

    With `several`, a second run of reduced axes before it is allowed: (outer, m, middle, n, inner). `x` is contiguous;
    `kept` are the axes that stay, in memory order.

    x (2, 3, 4, 5) reduced over axes 2 and 3 has outer 6, n 20, inner 1. Over axes 0 and 2 it has two runs: outer 1,
    m 2, middle 3, n 4, inner 5; unless there may be several, it is copied to (3, 5, 2 * 4), and has outer 15, n 8.
    """

    def __init__(self, x: Any, axes: tuple, several: bool):
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]) if x.shape[axis] > 1 else 0)
        if not x.transpose(order).flags.c_contiguous:
            order = list(range(x.ndim))
        runs = _runs(x, order, axes)
        if sum(reduced for reduced, _ in runs) > (2 if several else 1):
            order = [i for i in range(x.ndim) if i not in axes] + list(axes)
            runs = _runs(x, order, axes)
        self.x = xp(x).ascontiguousarray(x.transpose(order))
        self.kept = [axis for axis in order if axis not in axes]
        sizes = [size for _, size in runs]
        at = [i for i, (reduced, _) in enumerate(runs) if reduced] or [len(runs)]
        last = at[-1]
        self.n, self.inner = math.prod(sizes[last : last + 1]), math.prod(sizes[last + 1 :])
        self.m = sizes[at[0]] if len(at) == 2 else 1
        self.outer = math.prod(sizes[: at[0]])
        self.middle = math.prod(sizes[at[0] + 1 : last]) if len(at) == 2 else 1

    def result(self, made: Any, x: Any, axes: tuple, keepdims: bool) -> Any:
        """Bring the flat result (outer * middle * inner) into the shape that the op promises."""
        made = made.reshape([x.shape[axis] for axis in self.kept])
        made = made.transpose(np.argsort(self.kept).tolist())
        return made.reshape(kept_shape(x.shape, axes)) if keepdims else made


def _runs(x: Any, order: list, axes: tuple) -> list[tuple[bool, int]]:
    """Merge neighbouring axes of one kind. Returns for each run whether it is reduced, and its elements."""
    runs: list[tuple[bool, int]] = []
    for axis in order:
        if x.shape[axis] == 1:
            continue
        if runs and runs[-1][0] == (axis in axes):
            runs[-1] = (runs[-1][0], runs[-1][1] * x.shape[axis])
        else:
            runs.append((axis in axes, x.shape[axis]))
    return runs


def _sum_dtype(x: Any) -> np.dtype:
    return np.dtype(np.float32) if is_low(x.dtype) else x.dtype


def _reduce(functor: str, view: MergedAxes, out: Any, divisor: float, center: Any = None) -> None:
    """Fill `out` (flat, one element for each result) with the reduction of view.x by `functor`."""
    x, T = view.x, ctype(view.x)
    divide = _sum_dtype(x).type(divisor), _sum_dtype(x).type(view.n * view.m)
    results = view.outer * view.m * view.middle * view.inner
    if view.inner == 1:
        lanes = min(max(1 << (view.n // 4).bit_length(), 1), 32) if view.n <= 1024 else _THREADS
        tiles, block = -(-results // (_THREADS // lanes)), (_THREADS,)
    else:
        lanes = min(1 << (view.inner - 1).bit_length(), 32)
        tiles, block = results // view.inner * -(-view.inner // lanes), (lanes, _THREADS // lanes)
    parts = 1
    if view.m == 1 and tiles < _ENOUGH:
        elements = view.n * (1 if view.inner == 1 else lanes)
        parts = max(min(-(-_ENOUGH // tiles), elements // _LEAST), 1)
    unfinished = view.m > 1 or parts > 1
    held = _STATES.get(functor, ("f", "d"))[_sum_dtype(x).itemsize == 8]
    states = xp(x).empty(results * parts, held) if unfinished else None
    target = (None, states) if unfinished else (out, None)
    grid = (min(tiles, _BLOCKS), parts)
    if view.inner == 1:
        args = (*target, x, center, np.int64(results), np.int64(view.n), np.int32(lanes), *divide)
        kernels.launch(f"reduce_rows<{functor}, {T}>", grid=grid, block=block, args=args)
    else:
        sizes = np.int64(results // view.inner), np.int64(view.n), np.int64(view.inner)
        kernels.launch(
            f"reduce_columns<{functor}, {T}>", grid=grid, block=block, args=(*target, x, center, *sizes, *divide)
        )
    if unfinished:
        if view.m > 1:
            _join_states(functor, T, out, states, (view.outer, view.m, view.middle * view.inner), divide)
        else:
            _join_states(functor, T, out, states, (results // view.inner, parts, view.inner), divide)


def _join_states(functor: str, T: str, out: Any, states: Any, sizes: tuple, divide: tuple) -> None:
    outer, n, inner = sizes
    lanes = min(1 << (inner - 1).bit_length(), 32) if n < 64 * inner else 1
    grid = (min(outer * -(-inner // lanes), _BLOCKS),)
    args = (out, states, *map(np.int64, sizes), *divide)
    kernels.launch(f"reduce_states<{functor}, {T}>", grid=grid, block=(lanes, _THREADS // lanes), args=args)


def _reduced(x: Any, axis: Any, functor: str, divisor: float, keepdims: bool, dtype: Any = None) -> Any:
    axes = axes_of(axis, x.ndim)
    view = MergedAxes(x, axes, several=True)
    out = xp(x).empty(view.outer * view.middle * view.inner, x.dtype if dtype is None else dtype)
    _reduce(functor, view, out, divisor)
    return view.result(out, x, axes, keepdims)


def sum_reduced(x: Any, axes: tuple) -> Any:
    """Return the sum of a float array with elements over `axes`."""
    return _reduced(x, axes, "Total", 1, False)


def sum_rows(sums: Any, dtype: np.dtype) -> Any:
    """Return the sum of the rows (n, C) of partial sums, in `dtype`: (C,)."""
    out, one = xp(sums).empty(sums.shape[1:], dtype), sums.dtype.type(1)
    _join_states("Total", ctype(dtype), out, sums, (1, *sums.shape), (one, one))
    return out


def _is_supported(x: Any, dtype: Any = None) -> bool:
    """Return whether the kernels can reduce x: a float array with elements, to be reduced in its own dtype."""
    return is_float(x.dtype) and x.size > 0 and (dtype is None or as_dtype(dtype) == x.dtype)


@sums.sum.path("cuda")
def sum_cuda(x, *, axis, dtype, keepdims):
    return (_reduced(x, axis, "Total", 1, keepdims), {}) if _is_supported(x, dtype) else NotImplemented


@sums.mean.path("cuda")
def mean_cuda(x, *, axis, dtype, keepdims):
    if not _is_supported(x, dtype):
        return NotImplemented
    return _reduced(x, axis, "Total", reduced_count(x.shape, axis), keepdims), {}


@sums.prod.path("cuda")
def prod_cuda(x, *, axis, dtype, keepdims):
    return (_reduced(x, axis, "Product", 1, keepdims), {}) if _is_supported(x, dtype) else NotImplemented


def _reduction(functor: str) -> Callable:
    def path(x, *, axis, keepdims):
        return (_reduced(x, axis, functor, 1, keepdims), {}) if _is_supported(x) else NotImplemented

    return path


for _op, _functor in ((extremes.max, "Largest"), (extremes.min, "Smallest"), (sums.logsumexp, "LogSumExp")):
    _op.path("cuda")(_reduction(_functor))


def _position(functor: str) -> Callable:
    def path(x, *, axis, keepdims):
        if not _is_supported(x) or not (axis is None or isinstance(axis, int)):
            return NotImplemented
        flat = x.reshape(-1) if axis is None else x
        axes = axes_of(axis, flat.ndim)
        view = MergedAxes(flat, axes, several=False)
        out = xp(x).empty(view.outer * view.inner, np.int64)
        _reduce(functor, view, out, 1)
        made = view.result(out, flat, axes, keepdims)
        return (made.reshape((1,) * x.ndim) if axis is None and keepdims else made), {}

    return path


extremes.argmax.path("cuda")(_position("FirstLargest"))
extremes.argmin.path("cuda")(_position("FirstSmallest"))


def _moment(functor: str) -> Callable:
    """Return a path in two passes: the mean, then the sum of the squared differences from it."""

    def path(x, *, axis, ddof, keepdims, correction):
        if not _is_supported(x):
            return NotImplemented
        axes, count = axes_of(axis, x.ndim), reduced_count(x.shape, axis)
        view = MergedAxes(x, axes, several=False)
        mean = xp(x).empty(view.outer * view.inner, _sum_dtype(x))
        _reduce("Mean", view, mean, count)
        freedom = moments.freedom(x.shape, axis, ddof, correction)
        out = xp(x).empty(view.outer * view.inner, x.dtype)
        _reduce(functor, view, out, freedom if freedom > 0 else math.nan, mean)
        return view.result(out, x, axes, keepdims), {}

    return path


moments.var.path("cuda")(_moment("Variance"))
moments.std.path("cuda")(_moment("Deviation"))
