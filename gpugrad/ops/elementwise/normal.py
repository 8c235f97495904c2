"""The normal distribution function, its logarithm and its inverse, and the scaled error function behind them."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import unary
from ...autograd.op import xp
from ...autograd.ufunc import elementwise
from .special import ERFC_SERIES, chebyshev, normal_quantile

__all__ = ["erfcx", "log_ndtr", "ndtr", "ndtri"]

_ROOT_HALF, _LOG_ROOT_2PI = math.sqrt(0.5), 0.5 * math.log(2 * math.pi)


def _scaled_tail(ns: Any, z: Any) -> Any:
    """Return exp(z^2) erfc(z) of float64 numbers z >= 0."""
    t = 2 / (2 + z)
    near = t * ns.exp(chebyshev(ERFC_SERIES, 2 * t - 1))
    far = ns.maximum(z, 26.0)
    u = 1 / (far * far)
    asymptotic = (1 - u * (0.5 - u * (0.75 - u * (1.875 - u * 6.5625)))) / (far * math.sqrt(math.pi))
    return ns.where(z < 26, near, asymptotic)


@elementwise(samples=unary(-3, 9), dtypes="float", autocast={"cuda": "float32"})
def erfcx(x):
    """Return exp(x^2) erfc(x), which stays in range where erfc(x) does not.

    >>> gg.erfcx([0.0, 100.0]).round(decimals=4)
    tensor([1.    , 0.0056])
    """
    ns, wide = xp(x), x.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        tail = _scaled_tail(ns, ns.abs(wide))
        square = ns.minimum(wide, 0.0) ** 2
        return ns.where(wide < 0, 2 * ns.exp(square) - tail, tail).astype(x.dtype)


erfcx.vjp(x=lambda g, x, out: g * (2 * (x * out) - 2 / math.sqrt(math.pi)))


@elementwise(samples=unary(-6, 4), dtypes="float", autocast={"cuda": "float32"})
def ndtr(x):
    """Return the probability that a standard normal variable is below x.

    >>> gg.ndtr([0.0, 1.0]).round(decimals=4)
    tensor([0.5   , 0.8413])
    """
    return 0.5 * xp(x).erfc(x * -_ROOT_HALF)


ndtr.vjp(x=lambda g, x: g * xp(g).exp(-0.5 * (x * x) - _LOG_ROOT_2PI))


@elementwise(samples=unary(-12, 4), dtypes="float", autocast={"cuda": "float32"})
def log_ndtr(x):
    """Return the logarithm of `ndtr`, which stays in range where that is too small for a number.

    >>> gg.log_ndtr([0.0, -100.0]).round(decimals=2)
    tensor([-6.90000e-01, -5.00552e+03])
    """
    ns, wide = xp(x), x.astype(np.float64)
    with np.errstate(under="ignore", over="ignore"):
        low = ns.log(0.5 * _scaled_tail(ns, ns.maximum(-wide, 0.0) * _ROOT_HALF)) - 0.5 * wide * wide
        high = ns.log1p(-0.5 * ns.erfc(ns.maximum(wide, -1.0) * _ROOT_HALF))
        return ns.where(wide < -1, low, high).astype(x.dtype)


log_ndtr.vjp(x=lambda g, x: g * (math.sqrt(2 / math.pi) / xp(g).erfcx(x * -_ROOT_HALF)))  # density / ndtr


@elementwise(samples=unary(0.02, 0.98), dtypes="float", autocast={"cuda": "float32"})
def ndtri(x):
    """Return the inverse of `ndtr`: -infinite at 0, infinite at 1, NaN beyond.

    >>> gg.ndtri([0.5, 0.8413]).round(decimals=3)
    tensor([0., 1.])
    """
    return normal_quantile(x.astype(np.float64)).astype(x.dtype)


ndtri.vjp(x=lambda g, out: g * xp(g).exp(0.5 * (out * out) + _LOG_ROOT_2PI))
