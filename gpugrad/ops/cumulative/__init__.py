"""Running sums, products and extremes along an axis, and differences."""

import math
from typing import Any

import numpy as np

from ...autograd.convert import asarray, raw
from ...autograd.op import op, xp
from ...autograd.signature import torch_words
from ...errors import ShapeError
from ..elementwise.arithmetic import subtract
from ..elementwise.comparison import not_equal
from ..elementwise.exponential import within_range
from ..reduce.axes import accumulate
from ..shape import axis_of

__all__ = [
    "cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "diff", "linear_scan", "logcumsumexp",
    "trapezoid",
]  # fmt: skip


def index_along(ndim: int, axis: int, part: slice) -> tuple:
    """Return the index that takes `part` of `axis`. Raises IndexError for an axis that x does not have."""
    if not -ndim <= axis < ndim:
        raise IndexError(f"axis {axis} is out of bounds for {ndim} axes")
    return (slice(None),) * (axis % ndim) + (part,)


def flipped(x: Any, axis: int) -> Any:
    """Return x in the opposite order along `axis`."""
    return x[index_along(x.ndim, axis, slice(None, None, -1))]


def shifted(first: Any, x: Any, axis: int) -> Any:
    """Move x one place on along `axis`: `first` comes in at the front, the last one goes out."""
    return xp(x).concatenate([first, x[index_along(x.ndim, axis, slice(0, -1))]], axis=axis)


def shape_along(ndim: int, axis: int) -> list:
    """Return the shape in which a 1-d array lies along `axis`."""
    return [-1 if i == axis % ndim else 1 for i in range(ndim)]


def _ones(x: Any, axis: int) -> Any:
    return xp(x).ones_like(x[index_along(x.ndim, axis, slice(0, 1))])


def _scan_back(c: Any, g: Any, axis: int) -> Any:
    """Solve r_i = g_i + c_(i+1) * r_(i+1): the gradient that reaches each place of a recurrence from all later ones."""
    c = flipped(xp(g).broadcast_to(c, g.shape), axis)
    return flipped(xp(g).linear_scan(shifted(_ones(c, axis), c, axis), flipped(g, axis), axis=axis), axis)


def _doubling(combine: Any, arrays: tuple, axis: int) -> tuple:
    """Compute running results in log2(n) steps: each place takes in the result 1, 2, 4, ... places before it.

    `combine(*earlier, *later)` joins the results of two neighbouring stretches. A running sum of [a, b, c, d] is
    [a, a+b, b+c, c+d] after the first step, and [a, a+b, a+b+c, a+b+c+d] after the second.
    """
    arrays, step = tuple(a.copy() for a in arrays), 1
    ndim, n = arrays[0].ndim, arrays[0].shape[axis]
    while step < n:
        later, earlier = index_along(ndim, axis, slice(step, None)), index_along(ndim, axis, slice(0, -step))
        new = combine(*(a[earlier] for a in arrays), *(a[later] for a in arrays))
        for a, value in zip(arrays, new, strict=True):
            a[later] = value
        step *= 2
    return arrays


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(3, 4)), s.case(s(5, 2), s(5, 2), axis=0), s.case(s(7), s(7)), s.case(s(3, 1), s(3, 4)),
        s.case(s(4), s(3, 4)),
        s.case(s(3, 0), s(3, 0)), s.case(s(4, 3).T, s(3, 8)[:, ::2]),
    ],
    complex="holomorphic",
)  # fmt: skip
def linear_scan(a, b, *, axis=-1):
    """Return the linear recurrence out_i = a_i * out_(i-1) + b_i along `axis`, starting from 0; a and b are broadcast.

    It takes log2(n) steps, as in G. Blelloch, Prefix sums and their applications, 1990.

    >>> gg.linear_scan(gg.tensor([0.5, 0.5, 0.5]), gg.tensor([4.0, 1.0, 1.0]))
    tensor([4. , 3. , 2.5])
    """
    a, b = xp(b).broadcast_arrays(a, b)
    return _doubling(lambda a0, b0, a1, b1: (a0 * a1, a1 * b0 + b1), (a, b), axis)[1]


def _linear_scan_a(g: Any, a: Any, out: Any, axis: int) -> Any:
    nothing = xp(out).zeros_like(out[index_along(out.ndim, axis, slice(0, 1))])
    return _scan_back(a, g, axis) * shifted(nothing, out, axis)


linear_scan.vjp(a=_linear_scan_a, b=lambda g, a, axis: _scan_back(a, g, axis))


def _cases(s: Any) -> list:
    x = s.distinct(2, 3, 4)
    edges = [s.case(s.distinct(4, 3).T, axis=0), s.case(s(0, 3), axis=1), s.case(s(1), axis=0)]
    return [*(s.case(x, axis=axis) for axis in (0, 1, -1)), *edges]


def _long(s: Any) -> list:
    """Yield lines so long that the CPU path cuts them into pieces, and many short lines side by side."""
    return [s.case(s(3, 2500), axis=1, smooth=False), s.case(s(130, 70), axis=0, smooth=False)]


def _rows(s: Any) -> Any:
    return (s.case(s(n, 1024), axis=-1) for n in (1024, 64, 16384))


def _flat_cases(s: Any) -> list:
    return [
        *_cases(s),
        s.case(s(3, 4)),
        s.case(s()),
        s.case(s(3), axis=0, dtype="float64", real_only=True),
        s.case(s(3, 0), axis=1),
    ]


@op(samples=lambda s: [*_flat_cases(s), *_long(s)], bench=_rows, autocast={"cuda": "float32"}, complex=True)
def cumsum(x, *, axis=None, dtype=None):
    """Return the running sum along `axis`, or of the flattened x.

    Integers and bools are added up in int64 unless `dtype` is given.

    >>> gg.cumsum(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([[1., 3.],
            [3., 7.]])
    """
    return accumulate(x.cumsum, x, dtype, axis=axis)


def _cumsum_x(g: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    along = 0 if axis is None else axis
    return flipped(xp(g).cumsum(flipped(g, along), axis=along), along).reshape(x_shape).astype(x_dtype)


cumsum.vjp(x=_cumsum_x)


def _cumprod_cases(s: Any) -> list:
    zeros = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])
    return [*_flat_cases(s), s.case(zeros, axis=1), s.case(zeros, axis=0)]


@op(samples=_cumprod_cases, bench=_rows, autocast={"cuda": "float32"}, complex="holomorphic")
def cumprod(x, *, axis=None, dtype=None):
    """Return the running product along `axis`, or of the flattened x.

    Integers and bools are multiplied in int64 unless `dtype` is given. Its gradient is right for zeros too.

    >>> gg.cumprod(gg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 2., 6.])
    """
    return accumulate(x.cumprod, x, dtype, axis=axis)


def _cumprod_x(g: Any, x: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    """Multiply the product of the elements before by a recurrence over those after, so that nothing is divided."""
    along = 0 if axis is None else axis
    x = x.astype(g.dtype).reshape(g.shape)
    before = xp(g).cumprod(shifted(_ones(x, along), x, along), axis=along)
    return (before * _scan_back(x, g, along)).reshape(x_shape).astype(x_dtype)


cumprod.vjp(x=_cumprod_x)


def _logcumsumexp_cases(s: Any) -> list:
    inf = np.inf
    extreme = np.array([[-inf, -inf, 1, 1000], [1000, -1000, 0, 5], [0, inf, 1, inf], [inf, 0, -inf, 0]])
    sums = {"x": [[0, 0, 1, 1], [4, 0, 0, 0], [1, 2.5, 0, 0.5], [4, 0, 0, 0]]}
    return [*_cases(s), s.case(s(3, 4)), s.case(extreme, axis=1, smooth=False, gradient=sums)]


@op(samples=_logcumsumexp_cases, dtypes="float", bench=_rows, autocast={"cuda": "float32"})
def logcumsumexp(x, *, axis=-1):
    """Return the logarithm of the running sum of exponentials, log(cumsum(exp(x))), along `axis`, without overflow.

    >>> gg.logcumsumexp(gg.tensor([0.0, 0.0, 0.0])).round(decimals=4)
    tensor([0.    , 0.6931, 1.0986])
    """
    return _doubling(lambda a, b: (xp(a).logaddexp(a, b),), (x,), axis)[0]


def _logcumsumexp_x(g: Any, x: Any, out: Any, axis: int) -> Any:
    """Compute exp(x_j) * sum over i >= j of g_i * exp(-out_i) as a recurrence with factors between 0 and 1.

    From the first +inf on, only infinities count, each like the others: x becomes 0 or -inf, and out log(how many)."""
    ns, infinite = xp(g), raw(out) == math.inf
    own = (raw(x) == math.inf).astype(g.dtype)
    count = xp(own).cumsum(own, axis=axis)
    x = ns.where(infinite, xp(own).where(own > 0, 0.0, -math.inf).astype(g.dtype), x)
    level = ns.where(infinite, xp(own).log(xp(own).maximum(count, 1.0)), within_range(out))
    before = shifted(level[index_along(out.ndim, axis, slice(0, 1))], level, axis)
    begins = infinite & (count == own) & (own > 0)
    ratio = ns.exp(ns.where(begins, -math.inf, before - level))
    return ns.exp(x - level) * _scan_back(ratio, g, axis)


logcumsumexp.vjp(x=_logcumsumexp_x)


def _extreme_cases(s: Any, of_ties: list) -> list:
    ties = np.array([[1.0, 1.0, 3.0, 2.0, 3.0], [2.0, np.nan, 5.0, 1.0, 0.0]])
    return [
        *_cases(s),
        s.case(ties, axis=1, smooth=False, gradient={"x": [of_ties, [1, 4, 0, 0, 0]]}),
        s.case(s.ints(9, 3, 4)),
        *_long(s),
    ]


@op(samples=lambda s: _extreme_cases(s, [1, 1, 2, 0, 1]), bench=_rows)
def cummax(x, *, axis=-1):
    """Return the largest value so far along `axis`, without its position. Of equal values the latest gets the gradient.

    >>> gg.cummax(gg.tensor([1.0, 3.0, 2.0]))
    tensor([1., 3., 3.])
    """
    return _doubling(lambda a, b: (xp(a).maximum(a, b),), (x,), axis)[0]


@op(samples=lambda s: _extreme_cases(s, [1, 4, 0, 0, 0]), bench=_rows)
def cummin(x, *, axis=-1):
    """Return the smallest value so far along `axis`, without its position. Of equal values the latest gets the
    gradient.

    >>> gg.cummin(gg.tensor([3.0, 1.0, 2.0]))
    tensor([3., 1., 1.])
    """
    return _doubling(lambda a, b: (xp(a).minimum(a, b),), (x,), axis)[0]


def _extreme_x(g: Any, x: Any, out: Any, axis: int) -> Any:
    values, found = raw(x), raw(out)
    places = xp(values).arange(values.shape[axis]).reshape(shape_along(values.ndim, axis))
    where = cummax.forward(((values == found) | (values != values)) * places, axis=axis)
    return xp(g).put_along(g, where, axis=axis, shape=values.shape)


cummax.vjp(x=_extreme_x)
cummin.vjp(x=_extreme_x)


def cumulative_sum(x, axis=None, dtype=None, include_initial=False):
    """Return the array API's `cumsum`: `axis` may be left out for a 1-d x; with `include_initial` it starts with 0.

    >>> gg.cumulative_sum(gg.tensor([1, 2, 3]), include_initial=True)
    tensor([0, 1, 3, 6])
    """
    return _cumulative(cumsum, 0, asarray(x), axis, dtype, include_initial)


def cumulative_prod(x, axis=None, dtype=None, include_initial=False):
    """Return the array API's `cumprod`: `axis` may be left out for a 1-d x; with `include_initial` it starts with 1.

    >>> gg.cumulative_prod(gg.tensor([1, 2, 3]))
    tensor([1, 2, 6])
    """
    return _cumulative(cumprod, 1, asarray(x), axis, dtype, include_initial)


def _cumulative(running: Any, initial: int, x: Any, axis: Any, dtype: Any, include_initial: bool) -> Any:
    if axis is None and x.ndim != 1:
        raise ShapeError(f"cumulative: axis is needed for {x.ndim} axes; got shape {x.shape}")
    axis = 0 if axis is None else axis
    out = running(x, axis=axis, dtype=dtype)
    if not include_initial:
        return out
    shape = tuple([1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)])
    first = xp(x).full(shape, initial, dtype=out.dtype, device=out.device)
    return xp(x).concatenate([first, out], axis=axis)


@torch_words
def diff(x, n=1, axis=-1, prepend=None, append=None):
    """Return the differences of neighbours along `axis`, taken n times; for bools, whether they differ.

    `prepend` and `append` are put before and after x first: numbers, or arrays of x's rank. n=0 gives
    x itself.

    >>> gg.diff(gg.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    x = asarray(x)
    if n < 0:
        raise ShapeError(f"diff: n must not be negative, got {n}")
    axis_of("diff", x, axis)
    if n == 0:
        return x
    at = [index_along(x.ndim, axis, part) for part in (slice(0, 1), slice(1, None), slice(0, -1))]
    ends = [end if end is None else asarray(end, device=x.device) for end in (prepend, append)]
    ends = [end if end is None or end.ndim else xp(x).broadcast_to(end, x[at[0]].shape) for end in ends]
    parts = [part for part in (ends[0], x, ends[1]) if part is not None]
    x = xp(x).concatenate(parts, axis=axis) if len(parts) > 1 else x
    between = not_equal if x.dtype == np.bool_ else subtract
    for _ in range(n):
        x = between(x[at[1]], x[at[2]])
    return x


@torch_words
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """Integrate the samples y along `axis` by trapezoids; they lie at the places x (1-d or of y's shape), or dx apart.

    >>> gg.trapezoid(gg.tensor([0.0, 1.0, 2.0]))
    tensor(2.)
    """
    y = asarray(y)
    axis_of("trapezoid", y, axis)
    later, earlier = index_along(y.ndim, axis, slice(1, None)), index_along(y.ndim, axis, slice(0, -1))
    if x is not None:
        x = asarray(x, device=y.device)
        dx = diff(x, axis=axis) if x.ndim > 1 else diff(x).reshape(shape_along(y.ndim, axis))
    return ((y[later] + y[earlier]) * dx / 2).sum(axis=axis)
