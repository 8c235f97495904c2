"""Order statistics and weighted means."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray, raw
from ..autograd.op import op, xp
from ..autograd.signature import torch_words
from ..errors import ShapeError
from .elementwise.selection import where
from .reduce import mean, sum
from .reduce.axes import axes_of, from_rows, kept_shape, to_rows

__all__ = ["average", "median", "nanmean", "nansum", "percentile", "quantile"]


def _neighbours(q: Any, n: int) -> tuple:
    """Return the places below and above each quantile of n sorted values, and its distance from the one below."""
    q = np.asarray(q, np.float64)
    if q.size and not (0 <= q.min() and q.max() <= 1):
        raise ValueError(f"quantiles are between 0 and 1, got {q.tolist()}")
    if not n:
        raise ValueError("no quantile of nothing")
    place = q * (n - 1)
    below = np.floor(place).astype(np.int64)
    return below, np.minimum(below + 1, n - 1), place - below


def _quantile(x: Any, q: Any, axis: Any, keepdims: bool) -> Any:
    axes = axes_of(axis, x.ndim)
    rows = to_rows(x, axes)
    low, high, part = _neighbours(q, rows.shape[-1])
    ns = xp(x)
    rows, weight = ns.sort(rows, axis=-1), ns.asarray(part.astype(x.dtype))
    above = ns.where(weight == 0, ns.zeros((), x.dtype), rows[..., ns.asarray(high)])  # which may be infinite
    out = rows[..., ns.asarray(low)] * (1 - weight) + above * weight
    last = rows[..., -1].reshape(rows.shape[:-1] + (1,) * low.ndim)
    out = ns.where(last != last, last, out)  # NaN is sorted to the end
    if low.ndim:
        out = ns.moveaxis(out, tuple(range(-low.ndim, 0)), tuple(range(low.ndim)))
    return out.reshape(low.shape + kept_shape(x.shape, axes)) if keepdims else out


def _quantile_x(g: Any, x: Any, q: Any, axis: Any) -> Any:
    """Pass each quantile's gradient to the two values between which it lies."""
    axes = axes_of(axis, x.ndim)
    rows = to_rows(raw(x), axes)
    ns = xp(rows)
    low, high, part = _neighbours(q, rows.shape[-1])
    weight = ns.asarray(part.reshape(-1).astype(rows.dtype))
    order = ns.argsort(rows, axis=-1)
    places = order[..., ns.asarray(np.concatenate([low.reshape(-1), high.reshape(-1)]))]
    last = ns.take_along_axis(rows, order[..., -1:], axis=-1)
    places = ns.where(last != last, order[..., -1:], places)  # a NaN is the result
    g = xp(g).moveaxis(g.reshape((low.size, *rows.shape[:-1])), 0, -1)
    g = xp(g).concatenate([g * (1 - weight), g * weight], axis=-1)
    return from_rows(xp(g).put_along(g, places, axis=-1, shape=rows.shape), x.shape, axes)


def _cases(s: Any, of_infinite: list, *values: Any) -> list:
    """Cases of the quantiles `values`; `of_infinite`: the gradient for (-inf, 2, 1, 3, inf)."""
    x = s.distinct(2, 3, 4)
    axes = [s.case(x, *values, axis=axis) for axis in (0, -1, (0, 2))]
    one = np.size(values) if values else 1
    nan = s.case(np.array([1.0, np.nan, 2.0]), *values, smooth=False, gradient={"x": [0, one, 0]})
    infinite = s.case(np.array([-np.inf, 2, 1, 3, np.inf]), *values, smooth=False, gradient={"x": of_infinite})
    layouts = [s.case(s.distinct(4, 3).T, *values, axis=0), s.case(s.distinct(1), *values)]
    return [s.case(x, *values), *axes, s.case(x, *values, axis=1, keepdims=True), *layouts, nan, infinite]


def _quantile_cases(s: Any) -> list:
    return [*_cases(s, [0, 0.2, 0.8, 0, 0], 0.3), *_cases(s, [1, 1, 0, 0, 1], (0.0, 0.5, 1.0))]


@op(samples=_quantile_cases, dtypes="float", autocast={"cpu": "float32"})
def quantile(x, *, q, axis=None, keepdims=False):
    """Return the values below which the fractions q (numbers from 0 to 1) of x lie, by linear interpolation.

    q's shape comes first in the result. It is NaN if there is a NaN. Raises ShapeError for q outside [0, 1].

    >>> gg.quantile(gg.tensor([1.0, 2.0, 3.0]), 0.25)
    tensor(1.5)
    """
    return _quantile(x, q, axis, keepdims)


quantile.vjp(x=_quantile_x)


@op(samples=lambda s: [*_cases(s, [0, 1, 0, 0, 0]), s.case(s.ints(9, 4, 3), axis=0)], dtypes="float")
def median(x, *, axis=None, keepdims=False):
    """Return the middle value over `axis`, or the mean of the two in the middle; NaN if there is a NaN.

    >>> gg.median(gg.tensor([5.0, 1.0, 3.0]))
    tensor(3.)
    """
    return _quantile(x, 0.5, axis, keepdims)


median.vjp(x=lambda g, x, axis: _quantile_x(g, x, 0.5, axis))


def percentile(x, q, axis=None, keepdims=False):
    """Return `quantile` for q from 0 to 100.

    >>> gg.percentile(gg.tensor([1.0, 2.0, 3.0]), 50)
    tensor(2.)
    """
    return quantile(x, q=np.asarray(q) / 100, axis=axis, keepdims=keepdims)


def average(x, axis=None, weights=None, returned=False, *, keepdims=False):
    """Return the mean over `axis`, weighted by `weights`, which have x's shape, or are 1-d along an int `axis`.

    returned: the sum of the weights comes second, in the shape of the mean.

    >>> gg.average(gg.tensor([1.0, 2.0]), weights=gg.tensor([3.0, 1.0]))
    tensor(1.25)
    """
    x = asarray(x)
    if weights is None:
        out = mean(x, axis=axis, keepdims=keepdims)
        return (out, xp(out).full_like(out, x._array.size / max(out._array.size, 1))) if returned else out
    weights = asarray(weights, device=x.device)
    if weights.shape != x.shape:
        if weights.ndim != 1 or not isinstance(axis, int) or weights.shape[0] != x.shape[axis]:
            raise ShapeError(f"average: weights {weights.shape} do not fit x {x.shape} along axis {axis}")
        weights = weights.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]) * xp(x).ones_like(x)
    total = sum(weights, axis=axis, keepdims=keepdims)
    out = sum(x * weights, axis=axis, keepdims=keepdims) / total
    return (out, total) if returned else out


@torch_words
def nansum(x, axis=None, dtype=None, keepdims=False):
    """Return the sum over `axis`, with NaN taken as 0.

    >>> gg.nansum(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    x = asarray(x)
    return sum(where(x == x, x, 0), axis=axis, dtype=dtype, keepdims=keepdims)


@torch_words
def nanmean(x, axis=None, dtype=None, keepdims=False):
    """Return the mean over `axis` of the elements that are not NaN.

    >>> gg.nanmean(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5)
    """
    x = asarray(x)
    return nansum(x, axis=axis, dtype=dtype, keepdims=keepdims) / sum(x == x, axis=axis, keepdims=keepdims)
