"""Elementwise comparisons, predicates, logic and bits: results without gradients."""

from typing import Any

import numpy as np

from ..autograd.check.samples import binary, unary
from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.ufunc import elementwise, ufunc

__all__ = [
    "allclose", "array_equal", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "equal", "greater", "greater_equal", "invert", "isclose", "isfinite", "isinf",
    "isnan", "left_shift", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal",
    "right_shift", "signbit",
]  # fmt: skip


def _with_ties(s: Any) -> list:
    tied = s.ints(3, 3, 4).astype(np.float64)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0])
    return [*binary()(s), s.case(tied, s.ints(3, 3, 4).astype(np.float64)), s.case(special, special[::-1])]


def _special(s: Any) -> list:
    return [*unary()(s), s.case(np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1.0]))]


def _int_pairs(s: Any) -> list:
    shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((), ()), ((0, 3), (3,))]
    return [s.case(s.ints(20, *a), s.ints(6, *b)) for a, b in shapes]


def _bit_pairs(s: Any) -> list:
    return [*_int_pairs(s), s.case(s.bools(3, 4), s.bools(4))]


@ufunc(samples=_with_ties)
def equal(x, y):
    """x == y (bool)."""


@ufunc(samples=_with_ties)
def not_equal(x, y):
    """x != y (bool)."""


@ufunc(samples=_with_ties)
def less(x, y):
    """x < y (bool)."""


@ufunc(samples=_with_ties)
def less_equal(x, y):
    """x <= y (bool)."""


@ufunc(samples=_with_ties)
def greater(x, y):
    """x > y (bool)."""


@ufunc(samples=_with_ties)
def greater_equal(x, y):
    """x >= y (bool)."""


@ufunc(samples=_special)
def isnan(x):
    """Whether x is NaN (bool)."""


@ufunc(samples=_special)
def isinf(x):
    """Whether x is infinite (bool)."""


@ufunc(samples=_special)
def isfinite(x):
    """Whether x is neither infinite nor NaN (bool)."""


@ufunc(samples=_special, dtypes="float")
def signbit(x):
    """Whether the sign of x is negative, also that of -0.0 (bool)."""


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(4)),
        s.case(np.array([1.0, np.inf, np.nan, 1.0]), np.array([1.0 + 1e-9, np.inf, np.nan, 1.1])),
        s.case(np.array([np.nan, 1.0]), np.array([np.nan, 1.4]), rtol=0.5, equal_nan=True), s.case(s(), s(), atol=9.0),
    ],
    dtypes="float",
)  # fmt: skip
def isclose(x, y, *, rtol=1e-5, atol=1e-8, equal_nan=False):
    """|x - y| <= atol + rtol * |y| (bool); equal infinities are close, and NaNs if `equal_nan`."""
    return xp(x).isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


@ufunc(samples=_with_ties)
def logical_and(x, y):
    """x and y (bool), where a number is true unless it is zero."""


@ufunc(samples=_with_ties)
def logical_or(x, y):
    """x or y (bool)."""


@ufunc(samples=_with_ties)
def logical_xor(x, y):
    """x or y but not both (bool)."""


@ufunc(samples=_special)
def logical_not(x):
    """Whether x is zero (bool)."""


@ufunc(samples=_bit_pairs)
def bitwise_and(x, y):
    """x & y, of integers or bools."""


@ufunc(samples=_bit_pairs)
def bitwise_or(x, y):
    """x | y, of integers or bools."""


@ufunc(samples=_bit_pairs)
def bitwise_xor(x, y):
    """x ^ y, of integers or bools."""


@elementwise(samples=lambda s: [*(s.case(s.ints(20, *n)) for n in [(3, 4), (), (0, 3)]), s.case(s.bools(3, 4))])
def bitwise_invert(x):
    """~x, of integers or bools."""
    return xp(x).invert(x)


@ufunc(samples=_int_pairs)
def left_shift(x, y):
    """x << y, of integers."""


@ufunc(samples=_int_pairs)
def right_shift(x, y):
    """x >> y, of integers."""


def allclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False) -> bool:
    """Whether x and y are close everywhere (see `isclose`), as a Python bool."""
    return bool(isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan).all())


def array_equal(x, y) -> bool:
    """Whether x and y have the same shape and values, as a Python bool."""
    x, y = asarray(x), asarray(y)
    return x.shape == y.shape and bool(equal(x, y).all())


invert = bitwise_not = bitwise_invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
