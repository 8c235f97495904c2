"""Exponentials and logarithms. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import binary, unary
from ...autograd.op import xp
from ...autograd.ufunc import ufunc
from ...backend.dtypes import finfo

__all__ = ["exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp"]


@ufunc(samples=unary(), dtypes="float", inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def exp(x):
    """Return e**x.

    >>> gg.exp([0.0, 1.0]).round(decimals=4)
    tensor([1.    , 2.7183])
    """


exp.vjp(x=lambda g, out: g * out)


@ufunc(samples=unary(), dtypes="float", complex="holomorphic")
def exp2(x):
    """Return 2**x.

    >>> gg.exp2([0.0, 3.0]).round(decimals=4)
    tensor([1., 8.])
    """


exp2.vjp(x=lambda g, out: g * out * math.log(2))


@ufunc(samples=unary(), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def expm1(x):
    """Return e**x - 1, exact for small x.

    >>> gg.expm1([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 1.7183])
    """


expm1.vjp(x=lambda g, out: g * (out + 1))


@ufunc(samples=unary(0.2, 3), dtypes="float", inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def log(x):
    """Return the natural logarithm of x.

    >>> gg.log([1.0, 2.0]).round(decimals=4)
    tensor([0.    , 0.6931])
    """


log.vjp(x=lambda g, x: g / x)


@ufunc(samples=unary(0.2, 3), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def log2(x):
    """Return the logarithm of x to base 2.

    >>> gg.log2([1.0, 8.0]).round(decimals=4)
    tensor([0., 3.])
    """


log2.vjp(x=lambda g, x: g / (x * math.log(2)))


@ufunc(samples=unary(0.2, 3), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def log10(x):
    """Return the logarithm of x to base 10.

    >>> gg.log10([1.0, 100.0]).round(decimals=4)
    tensor([0., 2.])
    """


log10.vjp(x=lambda g, x: g / (x * math.log(10)))


@ufunc(samples=unary(-0.7, 3), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def log1p(x):
    """Return log(1 + x), exact for small x.

    >>> gg.log1p([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.6931])
    """


log1p.vjp(x=lambda g, x: g / (x + 1))


def within_range(x: Any) -> Any:
    """Return x with the largest numbers for infinities, so that differences with it are never inf - inf."""
    limits = finfo(x.dtype)
    return xp(x).clip(x, limits.min, limits.max)


def below_infinity(x: Any) -> Any:
    """Return x with the largest number for infinity; -inf, whose exponential is 0, stays."""
    return xp(x).clip(x, None, finfo(x.dtype).max)


def _logaddexp_cases(s: Any) -> list:
    inf = np.inf
    x, y = np.array([1000.0, -1000.0, -inf, inf, inf, inf, 1e30]), np.array([1000.0, 3.0, -inf, 0.0, inf, -inf, 1e30])
    slopes = {"x": [0.5, 0, 0, 1, 0.5, 1, 0.5], "y": [0.5, 1, 0, 0, 0.5, 0, 0.5]}
    return [*binary()(s), s.case(x, y, smooth=False, gradient=slopes)]


@ufunc(samples=_logaddexp_cases, dtypes="float")
def logaddexp(x, y):
    """Return log(exp(x) + exp(y)) without overflow. Its gradient is 0 where both are -inf.

    >>> gg.logaddexp(1000.0, 1000.0).round(decimals=4)
    tensor(1000.6932)
    """


def _share_of(g: Any, x: Any, y: Any) -> Any:
    """g * exp(x) / (exp(x) + exp(y))."""
    return g * xp(g).sigmoid(below_infinity(x) - within_range(y))


logaddexp.vjp(x=lambda g, x, y: _share_of(g, x, y), y=lambda g, x, y: _share_of(g, y, x))
