"""Variances and standard deviations over axes."""

from typing import Any

import numpy as np

from ...autograd.op import op, xp
from ...errors import OptionError
from .axes import axes_of, bench_cases, divide_or_nan, kept_shape, reduced_count, sample_cases


def _moment_cases(s: Any) -> list:
    given = [s.case(s(3, 4), axis=1, ddof=1), s.case(s(3, 4), axis=0, correction=1), s.case(s(2, 3), ddof=-1)]
    return [*sample_cases(s)[:-2], *given, s.case(s(0, 3), axis=1)]


def freedom(shape: tuple, axis: Any, ddof: Any, correction: Any) -> Any:
    """Return the number of elements less `ddof`, or what the array API calls `correction`; only one may be given."""
    if correction is not None and ddof != 0:
        raise OptionError(f"give one of ddof and correction, got ddof={ddof} and correction={correction}")
    return reduced_count(shape, axis) - (ddof if correction is None else correction)


@op(samples=_moment_cases, dtypes="float", bench=bench_cases, flops=lambda x: 3 * x.size, complex=True)
def var(x, *, axis=None, ddof=0, keepdims=False, correction=None):
    """Return the variance over `axis`: the sum of |x - mean|**2 divided by n - ddof, NaN unless that is positive.

    `correction` is the array API's name of `ddof`.

    >>> gg.var(gg.tensor([[1.0, 3.0], [2.0, 6.0]]), axis=1)
    tensor([1., 4.])
    """
    axes = axes_of(axis, x.ndim)
    d = x - divide_or_nan(x.sum(axis=axes, keepdims=True), reduced_count(x.shape, axis))
    squares = d * d if d.dtype.kind != "c" else d.real * d.real + d.imag * d.imag
    return divide_or_nan(squares.sum(axis=axes, keepdims=keepdims), freedom(x.shape, axis, ddof, correction))


def _var_x(g: Any, x: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    d = x - divide_or_nan(x.sum(axis=axes_of(axis, x.ndim), keepdims=True), reduced_count(x.shape, axis))
    return d * divide_or_nan(2 * g.reshape(kept_shape(x.shape, axis)), freedom(x.shape, axis, ddof, correction))


var.vjp(x=_var_x)


@op(
    samples=lambda s: [*_moment_cases(s), s.case(np.ones((2, 3)), axis=1, smooth=False)],
    dtypes="float",
    bench=bench_cases,
    flops=lambda x: 3 * x.size,
    complex=True,
)
def std(x, *, axis=None, ddof=0, keepdims=False, correction=None):
    """Return the standard deviation over `axis`: the root of `var`. Its gradient is 0 where all values are equal.

    >>> gg.std(gg.tensor([[1.0, 3.0], [2.0, 6.0]]), axis=1)
    tensor([1., 2.])
    """
    return xp(x).sqrt(var.forward(x, axis=axis, ddof=ddof, keepdims=keepdims, correction=correction))


def _std_x(g: Any, x: Any, out: Any, axis: Any, ddof: Any, correction: Any) -> Any:
    zero = (out == 0).astype(out.dtype)
    return _var_x(g * (1 - zero) / (2 * (out + zero)), x, axis, ddof, correction)


std.vjp(x=_std_x)
