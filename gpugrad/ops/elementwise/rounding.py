"""Rounding and signs: steps, whose gradient is zero."""

from typing import Any

import numpy as np

from ...autograd.check.samples import unary
from ...autograd.op import xp
from ...autograd.ufunc import elementwise, ufunc

__all__ = ["ceil", "floor", "nextafter", "rint", "round", "sign", "trunc"]


def _zeros(g: Any) -> Any:
    return xp(g).zeros_like(g)


def _cases(s: Any) -> list:
    halves = np.array([-1.5, -0.5, 0.5, 1.5, 2.5, -0.2, np.inf])
    return [*unary(1.1, 1.4)(s), s.case(halves, smooth=False, gradient={"x": 0}), s.case(s.ints(9, 3))]


def _round_cases(s: Any) -> list:
    return [*_cases(s), s.case(s.uniform(0.12, 0.14, 3), decimals=1), s.case(s.ints(99, 4), decimals=-1)]


def _whole(x: Any) -> bool:
    return x.dtype.kind in "iub"


@elementwise(samples=_cases, exact_gradient=True, inplace=True)
def floor(x):
    """Return the largest integer that is not above x, in x's dtype.

    >>> gg.floor([1.5, -1.5])
    tensor([ 1., -2.])
    """
    return x.copy() if _whole(x) else xp(x).floor(x)


@elementwise(samples=_cases, exact_gradient=True, inplace=True)
def ceil(x):
    """Return the smallest integer that is not below x, in x's dtype.

    >>> gg.ceil([1.5, -1.5])
    tensor([ 2., -1.])
    """
    return x.copy() if _whole(x) else xp(x).ceil(x)


@elementwise(samples=_cases, exact_gradient=True, inplace=True)
def trunc(x):
    """Return x without its fraction, in x's dtype.

    >>> gg.trunc([1.5, -1.5])
    tensor([ 1., -1.])
    """
    return x.copy() if _whole(x) else xp(x).trunc(x)


@elementwise(samples=_round_cases, exact_gradient=True, inplace=True, complex=True)
def round(x, *, decimals=0):
    """Round x to `decimals` places, halves to the even neighbour.

    >>> gg.round([0.5, 1.5, 2.71])
    tensor([0., 2., 3.])
    """
    return x.copy() if _whole(x) and decimals >= 0 else xp(x).round(x, decimals)


@ufunc(samples=_cases, exact_gradient=True, dtypes="float")
def rint(x):
    """Round x to the nearest integer, halves to the even neighbour, as a float.

    >>> gg.rint([0.5, 1.5, 2.71])
    tensor([0., 2., 3.])
    """


@ufunc(samples=_cases, exact_gradient=True)
def sign(x):
    """Return -1, 0 or 1 as x is negative, zero or positive.

    >>> gg.sign([-3.0, 0.0, 2.0])
    tensor([-1.,  0.,  1.])
    """


for _op in (floor, ceil, trunc, round, rint, sign):
    _op.vjp(x=_zeros)


@ufunc(
    samples=lambda s: [
        s.case(s(3, 4), s(4), smooth=False, gradient={"x": 1, "y": 0}),
        s.case(np.array([0.0, 1.0, -1.0]), np.array([1.0, np.inf, -1.0]), smooth=False, gradient={"x": 1, "y": 0}),
    ],
    dtypes="float",
    exact=True,
)
def nextafter(x, y):
    """Return the next number of x's dtype after x in the direction of y. Its gradient is that of x.

    >>> (gg.nextafter(gg.tensor(1.0), 2.0) - 1).item() == 2.0**-23
    True
    """


nextafter.vjp(x=lambda g: g, y=lambda g: xp(g).zeros_like(g))
