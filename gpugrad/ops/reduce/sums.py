"""Sums, means, products and logsumexp over axes."""

from typing import Any

import numpy as np

from ...autograd.op import op, xp
from ..elementwise.arithmetic import infinite_for_zero
from ..elementwise.exponential import below_infinity, within_range
from .axes import (
    accumulate,
    axes_of,
    bench_cases,
    divide_or_nan,
    expand_reduced,
    from_rows,
    kept_shape,
    reduced_count,
    sample_cases,
    to_rows,
)  # fmt: skip


def _sum_cases(s: Any) -> list:
    empty = [s.case(s(0, 3), smooth=False), s.case(s(0, 3), axis=0, smooth=False), s.case(s(0, 3), axis=1)]
    large = [s.case(s(64, 9, 60).transpose(1, 0, 2), axis=axis, smooth=False) for axis in ((0, 2), 1)]
    return [*sample_cases(s), *empty, *large, s.case(s(3, 4), dtype="float64", real_only=True), s.case(s(3), axis=())]


@op(
    samples=_sum_cases,
    bench=bench_cases,
    flops=lambda x: x.size,
    exact_gradient=True,
    autocast={"cuda": "float32"},
    complex=True,
)
def sum(x, *, axis=None, dtype=None, keepdims=False):
    """Return the sum over `axis`.

    >>> gg.sum(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.])
    """
    return accumulate(x.sum, x, dtype, axis=axes_of(axis, x.ndim), keepdims=keepdims)


sum.vjp(x=lambda g, axis, x_shape, x_dtype: expand_reduced(g, x_shape, axis, x_dtype))


@op(samples=_sum_cases, dtypes="float", bench=bench_cases, flops=lambda x: x.size, exact_gradient=True, complex=True)
def mean(x, *, axis=None, dtype=None, keepdims=False):
    """Return the mean over `axis`; of integers in the default float dtype. It is NaN over an axis without elements.

    >>> gg.mean(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([1.5, 3.5])
    """
    total = accumulate(x.sum, x, dtype, axis=axes_of(axis, x.ndim), keepdims=keepdims)
    return divide_or_nan(total, reduced_count(x.shape, axis))


def _mean_x(g: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    return expand_reduced(divide_or_nan(g, reduced_count(x_shape, axis)), x_shape, axis, x_dtype)


mean.vjp(x=_mean_x)


def _prod_cases(s: Any) -> list:
    zeros = [s.case(np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), axis=axis) for axis in (None, 0, 1)]
    return [*sample_cases(s), *zeros, s.case(s(0, 3), axis=0), s.case(s(3), dtype="float64", real_only=True)]


@op(samples=_prod_cases, bench=bench_cases, flops=lambda x: x.size, autocast="float32", complex="holomorphic")
def prod(x, *, axis=None, dtype=None, keepdims=False):
    """Return the product over `axis`. Its gradient is computed without division, so it is right for zeros too.

    >>> gg.prod(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    tensor([ 2., 12.])
    """
    out = x
    for i in reversed(axes_of(axis, x.ndim)):
        out = accumulate(out.prod, out, dtype, axis=i, keepdims=True)
    shape = out.shape if keepdims else [n for i, n in enumerate(x.shape) if i not in axes_of(axis, x.ndim)]
    return out.reshape(shape)


def _prod_x(g: Any, x: Any, axis: Any, x_shape: tuple, x_dtype: Any) -> Any:
    """Multiply g by the product of all other elements: those before each one times those after it."""
    axes = axes_of(axis, len(x_shape))
    rows = to_rows(x.astype(g.dtype), axes)
    ns, one = xp(rows), xp(rows).ones_like(rows[..., :1])
    before = ns.cumprod(ns.concatenate([one, rows[..., :-1]], axis=-1), axis=-1)
    after = ns.cumprod(ns.concatenate([one, rows[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return (g.reshape(kept_shape(x_shape, axis)) * from_rows(before * after, x_shape, axes)).astype(x_dtype)


prod.vjp(x=_prod_x)


def _logsumexp_cases(s: Any) -> list:
    inf = np.inf
    extreme = np.array([[1000, 1000], [-1000, 0], [-inf, 1], [-inf, -inf], [inf, 0], [inf, inf], [1e30, 1e30]])
    shares = {"x": [[0.5, 0.5], [0, 1], [0, 1], [0, 0], [1, 0], [0.5, 0.5], [0.5, 0.5]]}
    special = s.case(extreme, axis=1, smooth=False, gradient=shares)
    return [*sample_cases(s), special, s.case(s(0, 3), axis=1), s.case(s(3, 0), axis=0)]


@op(
    samples=_logsumexp_cases,
    dtypes="float",
    bench=bench_cases,
    flops=lambda x: 4 * x.size,
    autocast={"cuda": "float32"},
)
def logsumexp(x, *, axis=None, keepdims=False):
    """Return the logarithm of the sum of exponentials, log(sum(exp(x))), over `axis`.

    The largest element is subtracted first, so that nothing overflows. The result is -inf where all elements are; its
    gradient is 0 there.

    >>> gg.logsumexp(gg.tensor([1000.0, 1000.0]))
    tensor(1000.6932)
    """
    axes = axes_of(axis, x.ndim)
    if not x.size:
        return xp(x).log(xp(x).exp(x).sum(axis=axes, keepdims=keepdims))
    top = x.max(axis=axes, keepdims=True)
    total = xp(x).exp(x - within_range(top)).sum(axis=axes, keepdims=True)
    out = xp(x).log(total + (total == 0).astype(x.dtype)) + top
    return out if keepdims else out.reshape([n for i, n in enumerate(x.shape) if i not in axes])


def _logsumexp_x(g: Any, x: Any, out: Any, axis: Any) -> Any:
    shape = kept_shape(x.shape, axis)
    shares = xp(g).exp(below_infinity(x) - within_range(out.reshape(shape)))
    total = shares.sum(axis=axes_of(axis, x.ndim), keepdims=True)  # 1, but for infinities and where `out` lost digits
    return g.reshape(shape) * (shares / infinite_for_zero(total))


logsumexp.vjp(x=_logsumexp_x)
