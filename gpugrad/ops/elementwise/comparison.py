"""Elementwise comparisons, predicates, logic and bits: results without gradients."""

from typing import Any

import numpy as np

from ...autograd.check.samples import binary, unary
from ...autograd.convert import asarray
from ...autograd.op import op, xp
from ...autograd.ufunc import elementwise, ufunc

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


@ufunc(samples=_with_ties, complex=True)
def equal(x, y):
    """Return x == y (bool).

    >>> gg.equal([1.0, 2.0], 2.0)
    tensor([False,  True])
    """


@ufunc(samples=_with_ties, complex=True)
def not_equal(x, y):
    """Return x != y (bool).

    >>> gg.not_equal([1.0, 2.0], 2.0)
    tensor([ True, False])
    """


@ufunc(samples=_with_ties, complex=True)
def less(x, y):
    """Return x < y (bool).

    >>> gg.less([1.0, 2.0], 2.0)
    tensor([ True, False])
    """


@ufunc(samples=_with_ties, complex=True)
def less_equal(x, y):
    """Return x <= y (bool).

    >>> gg.less_equal([1.0, 2.0], 2.0)
    tensor([ True,  True])
    """


@ufunc(samples=_with_ties, complex=True)
def greater(x, y):
    """Return x > y (bool).

    >>> gg.greater([2.0, 3.0], 2.0)
    tensor([False,  True])
    """


@ufunc(samples=_with_ties, complex=True)
def greater_equal(x, y):
    """Return x >= y (bool).

    >>> gg.greater_equal([2.0, 3.0], 3.0)
    tensor([False,  True])
    """


@ufunc(samples=_special, complex=True)
def isnan(x):
    """Return whether x is NaN (bool).

    >>> gg.isnan([1.0, gg.nan])
    tensor([False,  True])
    """


@ufunc(samples=_special, complex=True)
def isinf(x):
    """Return whether x is infinite (bool).

    >>> gg.isinf([1.0, -gg.inf])
    tensor([False,  True])
    """


@ufunc(samples=_special, complex=True)
def isfinite(x):
    """Return whether x is neither infinite nor NaN (bool).

    >>> gg.isfinite([1.0, gg.inf, gg.nan])
    tensor([ True, False, False])
    """


@ufunc(samples=_special, dtypes="float")
def signbit(x):
    """Return whether the sign of x is negative, also that of -0.0 (bool).

    >>> gg.signbit([1.0, -0.0])
    tensor([False,  True])
    """


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(4)),
        s.case(np.array([1.0, np.inf, np.nan, 1.0]), np.array([1.0 + 1e-9, np.inf, np.nan, 1.1])),
        s.case(np.array([np.nan, 1.0]), np.array([np.nan, 1.4]), rtol=0.5, equal_nan=True), s.case(s(), s(), atol=9.0),
    ],
    dtypes="float",
    complex=True,
)  # fmt: skip
def isclose(x, y, *, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Return whether |x - y| <= atol + rtol * |y| (bool); equal infinities are close, and NaNs if `equal_nan`.

    >>> gg.isclose([1.0, 1.1], 1.0 + 1e-6)
    tensor([ True, False])
    """
    return xp(x).isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


@ufunc(samples=_with_ties, complex=True)
def logical_and(x, y):
    """Return x and y (bool), where a number is true unless it is zero.

    >>> gg.logical_and([1.0, 0.0], [2.0, 3.0])
    tensor([ True, False])
    """


@ufunc(samples=_with_ties, complex=True)
def logical_or(x, y):
    """Return x or y (bool), where a number is true unless it is zero.

    >>> gg.logical_or([1.0, 0.0], 0.0)
    tensor([ True, False])
    """


@ufunc(samples=_with_ties, complex=True)
def logical_xor(x, y):
    """Return whether exactly one of x and y is true (bool), that is, not zero.

    >>> gg.logical_xor([1.0, 0.0], [2.0, 3.0])
    tensor([False,  True])
    """


@ufunc(samples=_special, complex=True)
def logical_not(x):
    """Return whether x is zero (bool).

    >>> gg.logical_not([1.0, 0.0])
    tensor([False,  True])
    """


@ufunc(samples=_bit_pairs)
def bitwise_and(x, y):
    """Return x & y of integers or bools.

    >>> gg.bitwise_and(6, 3)
    tensor(2)
    """


@ufunc(samples=_bit_pairs)
def bitwise_or(x, y):
    """Return x | y of integers or bools.

    >>> gg.bitwise_or(6, 3)
    tensor(7)
    """


@ufunc(samples=_bit_pairs)
def bitwise_xor(x, y):
    """Return x ^ y of integers or bools.

    >>> gg.bitwise_xor(6, 3)
    tensor(5)
    """


@elementwise(samples=lambda s: [*(s.case(s.ints(20, *n)) for n in [(3, 4), (), (0, 3)]), s.case(s.bools(3, 4))])
def bitwise_invert(x):
    """Return ~x of integers or bools.

    >>> gg.bitwise_invert([0, 5])
    tensor([-1, -6])
    """
    return xp(x).invert(x)


@ufunc(samples=_int_pairs)
def left_shift(x, y):
    """Return x << y of integers.

    >>> gg.left_shift(3, 2)
    tensor(12)
    """


@ufunc(samples=_int_pairs)
def right_shift(x, y):
    """Return x >> y of integers.

    >>> gg.right_shift(13, 2)
    tensor(3)
    """


def allclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False) -> bool:
    """Return whether x and y are close everywhere (see `isclose`), as a Python bool.

    >>> gg.allclose(gg.tensor([1.0]), gg.tensor([1.0 + 1e-9]))
    True
    """
    return bool(isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan).all())


def array_equal(x, y) -> bool:
    """Return whether x and y have the same shape and values, as a Python bool.

    >>> gg.array_equal([1, 2], gg.tensor([1, 2]))
    True
    """
    x, y = asarray(x), asarray(y)
    return x.shape == y.shape and bool(equal(x, y).all())


invert = bitwise_not = bitwise_invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
