"""Reductions over axes: sums, products, extremes, moments, truth.

`axis` is None (all axes), an int or a tuple of ints; the result is an array, 0-d when nothing is left. A sum, product
or mean takes a `dtype` to compute in; without it, sums and products of integers and bools are int64.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.op import op, xp
from ..backend import cpu
from ..backend.dtypes import as_dtype, float32, int64, is_low
from .transcendental import within_range

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min", "prod", "std",
    "sum", "var",
]  # fmt: skip


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of non-negative ints. Raises AxisError (and so ShapeError) for an axis that x does not have."""
    if axis is None:
        return tuple(range(ndim))
    return np.lib.array_utils.normalize_axis_tuple(tuple(axis) if isinstance(axis, list) else axis, ndim, "axis")


def kept(shape: tuple, axis: Any) -> tuple:
    """`shape` with ones in place of the reduced axes."""
    axes = axes_of(axis, len(shape))
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def _count(shape: tuple, axis: Any) -> int:
    return math.prod(shape[i] for i in axes_of(axis, len(shape)))


def spread(g: Any, shape: tuple, axis: Any, dtype: Any) -> Any:
    """A reduced array broadcast back to `shape`, in `dtype`."""
    g = g.astype(dtype).reshape(kept(shape, axis))
    return xp(g).broadcast_to(g, shape)


def accumulate(method: Callable, x: Any, dtype: Any, **where: Any) -> Any:
    """x.sum, prod, cumsum or cumprod, or what does the same, in `dtype`; in float32, rounded once, where that is a
    16-bit float."""
    wanted = as_dtype(dtype) if dtype is not None else int64 if x.dtype.kind in "iub" else x.dtype
    out = method(dtype=float32 if is_low(wanted) else wanted, **where)
    return out.astype(wanted) if is_low(wanted) else out


def _cases(s: Any) -> list:
    x = s.distinct(2, 3, 4)
    axes = [s.case(x, axis=axis) for axis in (0, -1, (0, 2), (-2,))]
    layouts = [s.case(s.distinct(4, 3).T, axis=1), s.case(s.distinct(3, 8)[:, ::2], axis=0), s.case(s.distinct(1))]
    dims = [s.case(x, axis=(1, 2), keepdims=True), s.case(x, keepdims=True)]
    return [s.case(x), *axes, *dims, *layouts, s.case(s.distinct())]


def _wide(s: Any) -> Any:
    return (s.case(s(n, 1024), axis=-1) for n in (4096, 64, 512, 32768))


def _sum_cases(s: Any) -> list:
    empty = [s.case(s(0, 3), smooth=False), s.case(s(0, 3), axis=0, smooth=False), s.case(s(0, 3), axis=1)]
    large = [s.case(s(64, 9, 60).transpose(1, 0, 2), axis=axis, smooth=False) for axis in ((0, 2), 1)]
    return [*_cases(s), *empty, *large, s.case(s(3, 4), dtype="float64"), s.case(s(3), axis=())]


@op(samples=_sum_cases, bench=_wide, flops=lambda x: x.size)
def sum(x, *, axis=None, dtype=None, keepdims=False):
    """The sum over `axis`."""
    return accumulate(x.sum, x, dtype, axis=axes_of(axis, x.ndim), keepdims=keepdims)


sum.vjp(x=lambda g, axis, x_shape, x_dtype: spread(g, x_shape, axis, x_dtype))


@sum.path("cpu")
def sum_cpu(x, *, axis, dtype, keepdims):
    if x.size < cpu.reduce.LEAST or dtype is not None or x.dtype.kind != "f":
        return NotImplemented
    return cpu.reduce.sum_over(x, axes_of(axis, x.ndim), keepdims), {}


@op(samples=_sum_cases, dtypes="float", bench=_wide, flops=lambda x: x.size)
def mean(x, *, axis=None, dtype=None, keepdims=False):
    """The mean over `axis`, in the default float dtype for integers; NaN over nothing."""
    return _divide(accumulate(x.sum, x, dtype, axis=axes_of(axis, x.ndim), keepdims=keepdims), _count(x.shape, axis))


def _divide(total: Any, n: float) -> Any:
    return total / n if n > 0 else total * math.nan


def _mean_x(g: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    return spread(_divide(g, _count(x_shape, axis)), x_shape, axis, x_dtype)


mean.vjp(x=_mean_x)


@mean.path("cpu")
def mean_cpu(x, *, axis, dtype, keepdims):
    if x.size < cpu.reduce.LEAST or dtype is not None:
        return NotImplemented
    total = cpu.reduce.sum_over(x, axes_of(axis, x.ndim), keepdims)
    return np.divide(total, _count(x.shape, axis), dtype=x.dtype), {}


def _prod_cases(s: Any) -> list:
    zeros = [s.case(np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), axis=axis) for axis in (None, 0, 1)]
    return [*_cases(s), *zeros, s.case(s(0, 3), axis=0), s.case(s(3), dtype="float64")]


@op(samples=_prod_cases, bench=_wide, flops=lambda x: x.size)
def prod(x, *, axis=None, dtype=None, keepdims=False):
    """The product over `axis`. Its gradient is right where there are zeros."""
    out = x
    for i in reversed(axes_of(axis, x.ndim)):
        out = accumulate(out.prod, out, dtype, axis=i, keepdims=True)
    shape = out.shape if keepdims else [n for i, n in enumerate(x.shape) if i not in axes_of(axis, x.ndim)]
    return out.reshape(shape)


def to_rows(x: Any, axes: tuple) -> Any:
    """x with `axes` merged into one last axis."""
    others = [i for i in range(x.ndim) if i not in axes]
    return x.transpose((*others, *axes)).reshape((*(x.shape[i] for i in others), _count(x.shape, axes)))


def from_rows(rows: Any, shape: tuple, axes: tuple) -> Any:
    """What `to_rows` made, back in `shape`."""
    order = [*(i for i in range(len(shape)) if i not in axes), *axes]
    return rows.reshape(tuple([shape[i] for i in order])).transpose(tuple(np.argsort(order).tolist()))


def _prod_x(g: Any, x: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    """g times the product of all others: of those before times those after."""
    axes = axes_of(axis, len(x_shape))
    rows = to_rows(x.astype(g.dtype), axes)
    ns, one = xp(rows), xp(rows).ones_like(rows[..., :1])
    before = ns.cumprod(ns.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
    after = ns.cumprod(ns.concatenate([one, rows[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return (g.reshape(kept(x_shape, axis)) * from_rows(before * after, x_shape, axes)).astype(x_dtype)


prod.vjp(x=_prod_x)


def _extreme_cases(s: Any) -> list:
    ties, nans = np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 1.0]]), np.array([[1.0, np.nan], [np.inf, 3.0]])
    extra = [s.case(ties, axis=1, smooth=False), s.case(ties, smooth=False), s.case(nans, axis=0, smooth=False)]
    return [*_cases(s), *extra, s.case(s(0, 4), axis=1)]


@op(samples=_extreme_cases, bench=_wide, flops=lambda x: x.size)
def max(x, *, axis=None, keepdims=False):
    """The largest value over `axis`; NaN if there is one. Equal ones share the gradient evenly.

    Raises ShapeError over nothing."""
    return x.max(axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=_extreme_cases, bench=_wide, flops=lambda x: x.size)
def min(x, *, axis=None, keepdims=False):
    """The smallest value over `axis`; NaN if there is one. Equal ones share the gradient evenly.

    Raises ShapeError over nothing."""
    return x.min(axis=axes_of(axis, x.ndim), keepdims=keepdims)


def _extreme_x(g: Any, x: Any, out: Any, axis: Any) -> Any:
    shape = kept(x.shape, axis)
    chosen = ((x == out.reshape(shape)) | (x != x)).astype(g.dtype)
    return chosen * (g.reshape(shape) / chosen.sum(axis=axes_of(axis, len(shape)), keepdims=True))


max.vjp(x=_extreme_x)
min.vjp(x=_extreme_x)


def _arg_cases(s: Any) -> list:
    x = s.distinct(3, 4)
    ties = [s.case(np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 0.0]]), axis=axis) for axis in (None, 0, -1)]
    return [s.case(x), s.case(x, axis=0), s.case(x, axis=-1, keepdims=True), s.case(x.T, axis=0), s.case(s()), *ties]


@op(samples=_arg_cases, bench=_wide, flops=lambda x: x.size)
def argmax(x, *, axis=None, keepdims=False):
    """The position (int64) of the first largest value along the int `axis`, or in the flattened x."""
    return xp(x).argmax(x, axis=axis, keepdims=keepdims)


@op(samples=_arg_cases, bench=_wide, flops=lambda x: x.size)
def argmin(x, *, axis=None, keepdims=False):
    """The position (int64) of the first smallest value along the int `axis`, or in the flattened x."""
    return xp(x).argmin(x, axis=axis, keepdims=keepdims)


def _spread_cases(s: Any) -> list:
    given = [s.case(s(3, 4), axis=1, ddof=1), s.case(s(3, 4), axis=0, correction=1), s.case(s(2, 3), ddof=-1)]
    return [*_cases(s)[:-2], *given, s.case(s(0, 3), axis=1)]


def _freedom(shape: tuple, axis: Any, ddof: Any, correction: Any) -> Any:
    return _count(shape, axis) - (ddof if correction is None else correction)


@op(samples=_spread_cases, dtypes="float", bench=_wide, flops=lambda x: 3 * x.size)
def var(x, *, axis=None, ddof=0, keepdims=False, correction=None):
    """The variance over `axis`: the sum of (x - mean)**2 divided by n - ddof, NaN where that is not positive.

    `correction` is the array API's name of `ddof`."""
    axes = axes_of(axis, x.ndim)
    d = x - _divide(x.sum(axis=axes, keepdims=True), _count(x.shape, axis))
    return _divide((d * d).sum(axis=axes, keepdims=keepdims), _freedom(x.shape, axis, ddof, correction))


def _var_x(g: Any, x: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    d = x - xp(x).mean(x, axis=axes_of(axis, x.ndim), keepdims=True)
    return d * _divide(2 * g.reshape(kept(x.shape, axis)), _freedom(x.shape, axis, ddof, correction))


var.vjp(x=_var_x)


@op(
    samples=lambda s: [*_spread_cases(s), s.case(np.ones((2, 3)), axis=1, smooth=False)],
    dtypes="float",
    bench=_wide,
    flops=lambda x: 3 * x.size,
)
def std(x, *, axis=None, ddof=0, keepdims=False, correction=None):
    """The standard deviation over `axis`: the root of `var`. Its gradient is 0 where all values are equal."""
    return xp(x).sqrt(var.forward(x, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction))


def _std_x(g: Any, x: Any, out: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    zero = (out == 0).astype(out.dtype)
    return _var_x(g * (1 - zero) / (2 * (out + zero)), x, axis, ddof, correction)


std.vjp(x=_std_x)


def _logsumexp_cases(s: Any) -> list:
    extreme = np.array([[1000.0, 1000.0], [-1000.0, 0.0], [-np.inf, 1.0], [-np.inf, -np.inf], [np.inf, 0.0]])
    return [*_cases(s), s.case(extreme, axis=1, smooth=False), s.case(s(0, 3), axis=1), s.case(s(3, 0), axis=0)]


@op(samples=_logsumexp_cases, dtypes="float", bench=_wide, flops=lambda x: 4 * x.size)
def logsumexp(x, *, axis=None, keepdims=False):
    """log(sum(exp(x))) over `axis`, without overflow; -inf over nothing but -inf."""
    axes = axes_of(axis, x.ndim)
    if not x.size:
        return xp(x).log(xp(x).exp(x).sum(axis=axes, keepdims=keepdims))
    top = x.max(axis=axes, keepdims=True)
    total = xp(x).exp(x - within_range(top)).sum(axis=axes, keepdims=True)
    out = xp(x).log(total + (total == 0).astype(x.dtype)) + top
    return out if keepdims else out.reshape([n for i, n in enumerate(x.shape) if i not in axes])


def _logsumexp_x(g: Any, x: Any, out: Any, axis: Any) -> Any:
    shape = kept(x.shape, axis)
    return g.reshape(shape) * xp(g).exp(x - within_range(out.reshape(shape)))


logsumexp.vjp(x=_logsumexp_x)


def _truth_cases(s: Any) -> list:
    x = s.bools(2, 3, 4)
    given = [s.case(x), s.case(x, axis=0), s.case(x, axis=(-1, 1))]
    return [*given, s.case(s.ints(2, 3, 4), axis=1, keepdims=True), s.case(s(0, 3), axis=0), s.case(s())]


@op(samples=_truth_cases)
def any(x, *, axis=None, keepdims=False):
    """Whether something over `axis` is not zero (bool)."""
    return xp(x).any(x, axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=_truth_cases)
def all(x, *, axis=None, keepdims=False):
    """Whether nothing over `axis` is zero (bool)."""
    return xp(x).all(x, axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=_truth_cases)
def count_nonzero(x, *, axis=None, keepdims=False):
    """How many values over `axis` are not zero (int64)."""
    return (x != 0).sum(axis=axes_of(axis, x.ndim), dtype=int64, keepdims=keepdims)


amax, amin = max, min
