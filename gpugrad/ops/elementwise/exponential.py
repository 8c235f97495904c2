"""Exponentials and logarithms. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import binary, unary
from ...autograd.op import xp
from ...autograd.ufunc import ufunc
from ...backend.dtypes import finfo

__all__ = ["exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp"]


@ufunc(samples=unary(), dtypes="float", inplace=True, autocast={"cuda": "float32"})
def exp(x):
    """Return e**x.

    >>> gg.exp([0.0, 1.0]).round(decimals=4)
    tensor([1.    , 2.7183])
    """


exp.vjp(x=lambda g, out: g * out)


@ufunc(samples=unary(), dtypes="float")
def exp2(x):
    """Return 2**x.

    >>> gg.exp2([0.0, 3.0]).round(decimals=4)
    tensor([1., 8.])
    """


exp2.vjp(x=lambda g, out: g * out * math.log(2))


@ufunc(samples=unary(), dtypes="float", autocast={"cuda": "float32"})
def expm1(x):
    """Return e**x - 1, exact for small x.

    >>> gg.expm1([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 1.7183])
    """


expm1.vjp(x=lambda g, out: g * (out + 1))


@ufunc(samples=unary(0.2, 3), dtypes="float", inplace=True, autocast={"cuda": "float32"})
def log(x):
    """Return the natural logarithm of x.

    >>> gg.log([1.0, 2.0]).round(decimals=4)
    tensor([0.    , 0.6931])
    """


log.vjp(x=lambda g, x: g / x)


@ufunc(samples=unary(0.2, 3), dtypes="float", autocast={"cuda": "float32"})
def log2(x):
    """Return the logarithm of x to base 2.

    >>> gg.log2([1.0, 8.0]).round(decimals=4)
    tensor([0., 3.])
    """


log2.vjp(x=lambda g, x: g / (x * math.log(2)))


@ufunc(samples=unary(0.2, 3), dtypes="float", autocast={"cuda": "float32"})
def log10(x):
    """Return the logarithm of x to base 10.

    >>> gg.log10([1.0, 100.0]).round(decimals=4)
    tensor([0., 2.])
    """


log10.vjp(x=lambda g, x: g / (x * math.log(10)))


@ufunc(samples=unary(-0.7, 3), dtypes="float", autocast={"cuda": "float32"})
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


def _logaddexp_cases(s: Any) -> list:
    large = s.case(np.array([1000.0, -1000.0, -np.inf]), np.array([1000.0, 3.0, -np.inf]), smooth=False)
    return [*binary()(s), large]


@ufunc(samples=_logaddexp_cases, dtypes="float")
def logaddexp(x, y):
    """Return log(exp(x) + exp(y)) without overflow.

    >>> gg.logaddexp(1000.0, 1000.0).round(decimals=4)
    tensor(1000.6932)
    """


logaddexp.vjp(
    x=lambda g, x, out: g * xp(g).exp(x - within_range(out)), y=lambda g, y, out: g * xp(g).exp(y - within_range(out))
)
