"""Rounding and signs: steps, whose gradient is zero."""

from typing import Any

import numpy as np

from ..autograd.check.samples import unary
from ..autograd.op import xp
from ..autograd.ufunc import elementwise, ufunc

__all__ = ["ceil", "floor", "rint", "round", "sign", "trunc"]


def _zeros(g: Any) -> Any:
    return xp(g).zeros_like(g)


def _cases(s: Any) -> list:
    halves = np.array([-1.5, -0.5, 0.5, 1.5, 2.5, -0.2, np.inf])
    return [*unary(1.1, 1.4)(s), s.case(halves, smooth=False), s.case(s.ints(9, 3))]


def _round_cases(s: Any) -> list:
    return [*_cases(s), s.case(s.uniform(0.12, 0.14, 3), decimals=1), s.case(s.ints(99, 4), decimals=-1)]


def _whole(x: Any) -> bool:
    return x.dtype.kind in "iub"


@elementwise(samples=_cases)
def floor(x):
    """The largest integer that is not above x, in x's dtype."""
    return x.copy() if _whole(x) else xp(x).floor(x)


@elementwise(samples=_cases)
def ceil(x):
    """The smallest integer that is not below x, in x's dtype."""
    return x.copy() if _whole(x) else xp(x).ceil(x)


@elementwise(samples=_cases)
def trunc(x):
    """x without its fraction, in x's dtype."""
    return x.copy() if _whole(x) else xp(x).trunc(x)


@elementwise(samples=_round_cases)
def round(x, *, decimals=0):
    """x rounded to `decimals` places, halves to the even neighbour."""
    return x.copy() if _whole(x) and decimals >= 0 else xp(x).round(x, decimals)


@ufunc(samples=_cases, dtypes="float")
def rint(x):
    """The nearest integer, halves to the even neighbour, as a float."""


@ufunc(samples=_cases)
def sign(x):
    """-1, 0 or 1 as x is negative, zero or positive."""


for _op in (floor, ceil, trunc, round, rint, sign):
    _op.vjp(x=_zeros)
