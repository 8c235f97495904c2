"""Elementwise functions under NumPy's names: quotients with remainders, parts of numbers, neighbours, divisors."""

import math
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import xp
from ..autograd.tensor import Tensor, wrap
from .elementwise import (
    absolute,
    deg2rad,
    exp2,
    floor_divide,
    isinf,
    logaddexp,
    logical_and,
    multiply,
    nextafter,
    power,
    rad2deg,
    remainder,
    round,
    signbit,
    trunc,
    where,
)

__all__ = [
    "around", "bitwise_count", "degrees", "divmod", "fabs", "fix", "float_power", "frexp", "gcd", "isneginf",
    "isposinf", "lcm", "ldexp", "logaddexp2", "mod", "modf", "radians", "spacing",
]  # fmt: skip


def divmod(x, y) -> tuple[Tensor, Tensor]:
    """Return (x // y, x % y), the quotient rounded down and the remainder.

    >>> gg.divmod(gg.tensor([7, -7]), 3)
    (tensor([ 2, -3]), tensor([1, 2]))
    """
    return floor_divide(x, y), remainder(x, y)


def modf(x) -> tuple[Tensor, Tensor]:
    """Return (the fractions, the whole parts) of x, both with its sign.

    >>> gg.modf(gg.tensor([1.5, -1.5]))
    (tensor([ 0.5, -0.5]), tensor([ 1., -1.]))
    """
    x = asarray(x)
    x = x if x.dtype.kind in "fV" else x.to(dtype=float)
    whole = trunc(x)
    return where(isinf(x), 0, x - where(isinf(x), 0, whole)), whole


def fix(x):
    """Return x without its fraction, rounded towards zero: `trunc`.

    >>> gg.fix(gg.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
    """
    return trunc(x)


def fabs(x):
    """Return absolute values as floats.

    >>> gg.fabs([-1, 2])
    tensor([1., 2.])
    """
    x = asarray(x)
    return absolute(x if x.dtype.kind in "fV" else x.to(dtype=float))


def float_power(x, y):
    """Return x to the power y, computed in float64 (complex128 for complex numbers).

    >>> gg.float_power([2, 4], -1)
    tensor([0.5 , 0.25], dtype=float64)
    """
    x, y = asarray(x), asarray(y)
    wide = "complex128" if "c" in (x.dtype.kind, y.dtype.kind) else "float64"
    return power(x.to(dtype=wide), y.to(dtype=wide))


def logaddexp2(x, y):
    """Return log2(2**x + 2**y), without overflow.

    >>> gg.logaddexp2(gg.tensor(1.0), gg.tensor(1.0))
    tensor(2.)
    """
    ln2 = math.log(2)
    return logaddexp(asarray(x) * ln2, asarray(y) * ln2) / ln2


def ldexp(x, y):
    """Return x * 2**y.

    >>> gg.ldexp(gg.tensor([1.5, 3.0]), [1, 2])
    tensor([ 3., 12.])
    """
    x = asarray(x)
    x = x if x.dtype.kind in "fV" else x.to(dtype=float)
    return multiply(x, exp2(asarray(y, x.dtype, x.device)))


def frexp(x) -> tuple[Tensor, Tensor]:
    """Return (mantissa, exponent) with x = mantissa * 2**exponent and 0.5 <= |mantissa| < 1; exponents are int32.

    >>> gg.frexp(gg.tensor([3.0, 8.0]))
    (tensor([0.75, 0.5 ]), tensor([2, 4], dtype=int32))
    """
    x = asarray(x)
    x = x if x.dtype.kind in "fV" else x.to(dtype=float)
    exponent = wrap(x.device.asarray(xp(x._array).frexp(x._array)[1]), x.device, None)
    half = exponent // 2  # in two steps, since 2**exponent may overflow
    return x * exp2(-half.to(dtype=x.dtype)) * exp2((half - exponent).to(dtype=x.dtype)), exponent


def isposinf(x):
    """Return whether elements are +inf.

    >>> gg.isposinf([1.0, float("inf")])
    tensor([False,  True])
    """
    return logical_and(isinf(x), ~signbit(x))


def isneginf(x):
    """Return whether elements are -inf.

    >>> gg.isneginf([1.0, -float("inf")])
    tensor([False,  True])
    """
    return logical_and(isinf(x), signbit(x))


def spacing(x):
    """Return the distance to the next number further from zero, with the sign of x.

    >>> gg.spacing(gg.tensor(1.0)).item() == 2.0**-23
    True
    """
    x = asarray(x)
    x = (x if x.dtype.kind in "fV" else x.to(dtype=float)).detach()
    return nextafter(x, where(signbit(x), -np.inf, np.inf)) - x


def _of_integers(name: str, summary: str, example: str) -> Any:
    """Return the function of integers that the array library has under this name; it has no gradient."""

    def function(*arrays: Any) -> Tensor:
        tensors = [asarray(a) for a in arrays]
        device = tensors[0].device
        return wrap(device.asarray(getattr(device.xp, name)(*[t._array for t in tensors])), device, None)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{summary}\n\n    {example}\n    "
    return function


gcd = _of_integers(
    "gcd", "Return the greatest common divisors of integers.", ">>> gg.gcd([12, 7], 18)\n    tensor([6, 1])"
)
lcm = _of_integers(
    "lcm", "Return the least common multiples of integers.", ">>> gg.lcm([4, 7], 6)\n    tensor([12, 42])"
)
bitwise_count = _of_integers(
    "bitwise_count",
    "Return the number of bits that are one in the absolute values of integers (uint8).",
    ">>> gg.bitwise_count([1, 7])\n    tensor([1, 3], dtype=uint8)",
)
degrees, radians, mod, around = rad2deg, deg2rad, remainder, round
