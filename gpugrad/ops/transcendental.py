"""Exponentials, logarithms, trigonometric and hyperbolic functions. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ..autograd.check.samples import binary, unary
from ..autograd.op import xp
from ..autograd.ufunc import ufunc
from ..backend.dtypes import finfo

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan",
    "atan2", "atanh", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "logaddexp",
    "rad2deg", "sin", "sinh", "tan", "tanh",
]  # fmt: skip


@ufunc(samples=unary(), dtypes="float")
def exp(x):
    """e**x."""


exp.vjp(x=lambda g, out: g * out)


@ufunc(samples=unary(), dtypes="float")
def exp2(x):
    """2**x."""


exp2.vjp(x=lambda g, out: g * out * math.log(2))


@ufunc(samples=unary(), dtypes="float")
def expm1(x):
    """e**x - 1, exact for small x."""


expm1.vjp(x=lambda g, out: g * (out + 1))


@ufunc(samples=unary(0.2, 3), dtypes="float")
def log(x):
    """The natural logarithm."""


log.vjp(x=lambda g, x: g / x)


@ufunc(samples=unary(0.2, 3), dtypes="float")
def log2(x):
    """The logarithm to base 2."""


log2.vjp(x=lambda g, x: g / (x * math.log(2)))


@ufunc(samples=unary(0.2, 3), dtypes="float")
def log10(x):
    """The logarithm to base 10."""


log10.vjp(x=lambda g, x: g / (x * math.log(10)))


@ufunc(samples=unary(-0.7, 3), dtypes="float")
def log1p(x):
    """log(1 + x), exact for small x."""


log1p.vjp(x=lambda g, x: g / (x + 1))


def within_range(x: Any) -> Any:
    """x with infinities replaced by the largest numbers, so that differences with it are never inf - inf."""
    limits = finfo(x.dtype)
    return xp(x).clip(x, limits.min, limits.max)


def _logaddexp_cases(s: Any) -> list:
    large = s.case(np.array([1000.0, -1000.0, -np.inf]), np.array([1000.0, 3.0, -np.inf]), smooth=False)
    return [*binary()(s), large]


@ufunc(samples=_logaddexp_cases, dtypes="float")
def logaddexp(x, y):
    """log(exp(x) + exp(y)) without overflow."""


logaddexp.vjp(
    x=lambda g, x, out: g * xp(g).exp(x - within_range(out)), y=lambda g, y, out: g * xp(g).exp(y - within_range(out))
)


@ufunc(samples=unary(), dtypes="float")
def sin(x):
    """The sine of x radians."""


sin.vjp(x=lambda g, x: g * xp(g).cos(x))


@ufunc(samples=unary(), dtypes="float")
def cos(x):
    """The cosine of x radians."""


cos.vjp(x=lambda g, x: -g * xp(g).sin(x))


@ufunc(samples=unary(-1.2, 1.2), dtypes="float")
def tan(x):
    """The tangent of x radians."""


tan.vjp(x=lambda g, out: g * (1 + out * out))


@ufunc(samples=unary(-0.8, 0.8), dtypes="float")
def arcsin(x):
    """The angle in [-pi/2, pi/2] whose sine is x."""


arcsin.vjp(x=lambda g, x: g / xp(g).sqrt((1 - x) * (1 + x)))


@ufunc(samples=unary(-0.8, 0.8), dtypes="float")
def arccos(x):
    """The angle in [0, pi] whose cosine is x."""


arccos.vjp(x=lambda g, x: -g / xp(g).sqrt((1 - x) * (1 + x)))


@ufunc(samples=unary(), dtypes="float")
def arctan(x):
    """The angle in [-pi/2, pi/2] whose tangent is x."""


arctan.vjp(x=lambda g, x: g / (1 + x * x))


@ufunc(samples=binary(right=(0.3, 2)), dtypes="float")
def arctan2(x, y):
    """The angle of the point (y, x), in [-pi, pi]: x is the opposite and y the adjacent side."""


arctan2.vjp(x=lambda g, x, y: g * y / (x * x + y * y), y=lambda g, x, y: -g * x / (x * x + y * y))


@ufunc(samples=unary(), dtypes="float")
def sinh(x):
    """The hyperbolic sine."""


sinh.vjp(x=lambda g, x: g * xp(g).cosh(x))


@ufunc(samples=unary(), dtypes="float")
def cosh(x):
    """The hyperbolic cosine."""


cosh.vjp(x=lambda g, x: g * xp(g).sinh(x))


@ufunc(samples=unary(), dtypes="float")
def tanh(x):
    """The hyperbolic tangent."""


tanh.vjp(x=lambda g, out: g * (1 - out * out))


@ufunc(samples=unary(), dtypes="float")
def arcsinh(x):
    """The inverse of sinh."""


arcsinh.vjp(x=lambda g, x: g / xp(g).hypot(x, xp(g).ones_like(x)))


@ufunc(samples=unary(1.2, 3), dtypes="float")
def arccosh(x):
    """The inverse of cosh, for x >= 1."""


arccosh.vjp(x=lambda g, x: g / xp(g).sqrt((x - 1) * (x + 1)))


@ufunc(samples=unary(-0.8, 0.8), dtypes="float")
def arctanh(x):
    """The inverse of tanh, for -1 < x < 1."""


arctanh.vjp(x=lambda g, x: g / ((1 - x) * (1 + x)))


@ufunc(samples=unary(-180, 180), dtypes="float")
def deg2rad(x):
    """Degrees to radians."""


deg2rad.vjp(x=lambda g: g * (math.pi / 180))


@ufunc(samples=unary(), dtypes="float")
def rad2deg(x):
    """Radians to degrees."""


rad2deg.vjp(x=lambda g: g * (180 / math.pi))

asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh
