"""Trigonometric and hyperbolic functions and their inverses. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import binary, unary
from ...autograd.op import xp
from ...autograd.ufunc import ufunc
from .arithmetic import infinite_for_zero

__all__ = [
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh", "atan",
    "atan2", "atanh", "cos", "cosh", "deg2rad", "rad2deg", "sin", "sinh", "tan", "tanh",
]  # fmt: skip


@ufunc(samples=unary(), dtypes="float", inplace=True, complex="holomorphic")
def sin(x):
    """Return the sine of x radians.

    >>> gg.sin([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.8415])
    """


sin.vjp(x=lambda g, x: g * xp(g).cos(x))


@ufunc(samples=unary(), dtypes="float", inplace=True, complex="holomorphic")
def cos(x):
    """Return the cosine of x radians.

    >>> gg.cos([0.0, 1.0]).round(decimals=4)
    tensor([1.    , 0.5403])
    """


cos.vjp(x=lambda g, x: -g * xp(g).sin(x))


@ufunc(samples=unary(-1.2, 1.2), dtypes="float", inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def tan(x):
    """Return the tangent of x radians.

    >>> gg.tan([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 1.5574])
    """


tan.vjp(x=lambda g, out: g * (1 + out * out))


@ufunc(samples=unary(-0.8, 0.8), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def arcsin(x):
    """Return the angle in [-pi/2, pi/2] whose sine is x.

    >>> gg.arcsin([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 1.5708])
    """


arcsin.vjp(x=lambda g, x: g / xp(g).sqrt((1 - x) * (1 + x)))


@ufunc(samples=unary(-0.8, 0.8), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def arccos(x):
    """Return the angle in [0, pi] whose cosine is x.

    >>> gg.arccos([0.0, 1.0]).round(decimals=4)
    tensor([1.5708, 0.    ])
    """


arccos.vjp(x=lambda g, x: -g / xp(g).sqrt((1 - x) * (1 + x)))


@ufunc(samples=unary(), dtypes="float", complex="holomorphic")
def arctan(x):
    """Return the angle in [-pi/2, pi/2] whose tangent is x.

    >>> gg.arctan([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.7854])
    """


arctan.vjp(x=lambda g, x: g / (1 + x * x))


def _arctan2_cases(s: Any) -> list:
    sides = np.array([0.0, 0.0, 1e-30, -3e30]), np.array([0.0, 1e-30, 1e-30, 4e30])
    slopes = {"x": [0, 1e30, 5e29, 1.6e-31], "y": [0, 0, -5e29, 1.2e-31]}  # y / (x^2 + y^2), -x / (x^2 + y^2)
    return [*binary(right=(0.3, 2))(s), s.case(*sides, smooth=False, gradient=slopes)]


@ufunc(samples=_arctan2_cases, dtypes="float")
def arctan2(x, y):
    """Return the angle of the point (y, x), in [-pi, pi]: x is the opposite and y the adjacent side.

    Its gradient at (0, 0) is 0.

    >>> gg.arctan2(1.0, -1.0).round(decimals=4)
    tensor(2.3562)
    """


def _turn(g: Any, x: Any, y: Any, leg: Any) -> Any:
    """g * leg / (x^2 + y^2), where no square leaves the range of numbers; 0 at the origin."""
    distance = infinite_for_zero(xp(g).hypot(x, y))
    return g * (leg / distance / distance)


arctan2.vjp(x=lambda g, x, y: _turn(g, x, y, y), y=lambda g, x, y: _turn(g, x, y, -x))


@ufunc(samples=unary(), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def sinh(x):
    """Return the hyperbolic sine of x.

    >>> gg.sinh([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 1.1752])
    """


sinh.vjp(x=lambda g, x: g * xp(g).cosh(x))


@ufunc(samples=unary(), dtypes="float", autocast={"cuda": "float32"}, complex="holomorphic")
def cosh(x):
    """Return the hyperbolic cosine of x.

    >>> gg.cosh([0.0, 1.0]).round(decimals=4)
    tensor([1.    , 1.5431])
    """


cosh.vjp(x=lambda g, x: g * xp(g).sinh(x))


@ufunc(samples=unary(), dtypes="float", inplace=True, complex="holomorphic")
def tanh(x):
    """Return the hyperbolic tangent of x.

    >>> gg.tanh([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.7616])
    """


tanh.vjp(x=lambda g, out: g * (1 - out * out))


@ufunc(samples=unary(), dtypes="float", complex="holomorphic")
def arcsinh(x):
    """Return the inverse of sinh.

    >>> gg.arcsinh([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.8814])
    """


def _arcsinh_rule(g: Any, x: Any) -> Any:
    ns = xp(g)
    return g / (ns.sqrt(x * x + 1) if x.dtype.kind == "c" else ns.hypot(x, ns.ones_like(x)))


arcsinh.vjp(x=_arcsinh_rule)


@ufunc(samples=unary(1.2, 3), dtypes="float", complex="holomorphic")
def arccosh(x):
    """Return the inverse of cosh, for x >= 1.

    >>> gg.arccosh([1.0, 2.0]).round(decimals=4)
    tensor([0.   , 1.317])
    """


def _arccosh_rule(g: Any, x: Any) -> Any:
    ns = xp(g)  # of a complex product the root may lie on the other side
    return g / (ns.sqrt(x - 1) * ns.sqrt(x + 1) if x.dtype.kind == "c" else ns.sqrt((x - 1) * (x + 1)))


arccosh.vjp(x=_arccosh_rule)


@ufunc(samples=unary(-0.8, 0.8), dtypes="float", complex="holomorphic")
def arctanh(x):
    """Return the inverse of tanh, for -1 < x < 1.

    >>> gg.arctanh([0.0, 0.5]).round(decimals=4)
    tensor([0.    , 0.5493])
    """


arctanh.vjp(x=lambda g, x: g / ((1 - x) * (1 + x)))


@ufunc(samples=unary(-180, 180), dtypes="float")
def deg2rad(x):
    """Convert degrees to radians.

    >>> gg.deg2rad([0.0, 180.0]).round(decimals=4)
    tensor([0.    , 3.1416])
    """


deg2rad.vjp(x=lambda g: g * (math.pi / 180))


@ufunc(samples=unary(), dtypes="float")
def rad2deg(x):
    """Convert radians to degrees.

    >>> gg.rad2deg([0.0, gg.pi]).round(decimals=4)
    tensor([  0., 180.])
    """


rad2deg.vjp(x=lambda g: g * (180 / math.pi))

asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh
