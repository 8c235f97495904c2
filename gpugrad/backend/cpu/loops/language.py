"""The language of compiled loops: the kinds of their arguments, and the operations that they have beside arithmetic.

A loop is a Python function in which every name means what it means here, on NumPy's scalars. `compiler` makes two
functions of it, one for float32 and one for float64: literals and constants with a point, `real`, and what
`per_precision` holds take the precision of the function.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np


class Kind(NamedTuple):
    """The kind of an argument: a C-contiguous array of `ndim` axes, or a number if that is 0.

    dtype: "real" is the precision of the loop, else a NumPy name.
    """

    ndim: int
    dtype: str = "real"


# The usual ones; any other is written Annotated[Any, Kind(4, "int32")].
Real = Annotated[Any, Kind(0)]
Int = Annotated[Any, Kind(0, "int64")]
Row = Annotated[Any, Kind(1)]
Rows = Annotated[Any, Kind(2)]
Cube = Annotated[Any, Kind(3)]
Ints = Annotated[Any, Kind(1, "int64")]
Flags = Annotated[Any, Kind(1, "bool")]
Words = Annotated[Any, Kind(1, "uint16")]


class Varying(NamedTuple):
    """A constant (or a function) that differs between the precisions."""

    float32: Any
    float64: Any


class Scalar:
    """A function of numbers that loops call; it becomes part of each."""

    def __init__(self, function: Callable) -> None:
        self.function, self.__doc__, self.__name__ = function, function.__doc__, function.__name__

    def __call__(self, *numbers: Any) -> Any:
        return self.function(*numbers)


def scalar(function: Callable) -> Scalar:
    """Declare a function of numbers that loops call. It is not reassociated: its rounding is as written."""
    return Scalar(function)


def per_precision(float32: Any, float64: Any) -> Any:
    """Return a constant or scalar function that is the one in float32 loops and the other in float64 loops."""
    return Varying(float32, float64)


def polynomial(*coefficients: float) -> Scalar:
    """Return the function that is the polynomial with these coefficients, from the constant term up."""
    body = repr(float(coefficients[-1]))
    for coefficient in coefficients[-2::-1]:
        body = f"({body}) * x + ({float(coefficient)!r})"
    space: dict = {}
    exec(f"def polynomial(x):\n    return {body}", space)  # unrolled, so that nothing is left of the coefficients' list
    return Scalar(space["polynomial"])


class Primitive:
    """An operation of which the compiler makes a few instructions, without a branch; `function` says what it does."""

    def __init__(self, function: Callable) -> None:
        self.function, self.__doc__, self.__name__ = function, function.__doc__, function.__name__

    def __call__(self, *numbers: Any) -> Any:
        return self.function(*numbers)


@Primitive
def real(number: Any) -> Any:
    """Return an integer (or a bool) as a number of the loop's precision."""
    return float(number)


@Primitive
def rint(x: Any) -> Any:
    """Round to the nearest integer, halves to the even one."""
    return np.rint(x)


@Primitive
def floor(x: Any) -> Any:
    """Round down to an integer."""
    return np.floor(x)


@Primitive
def sqrt(x: Any) -> Any:
    """Return the square root."""
    return np.sqrt(x)


@Primitive
def absolute(x: Any) -> Any:
    """Return |x|."""
    return np.abs(x)


@Primitive
def copysign(x: Any, sign: Any) -> Any:
    """Return |x| with the sign of the other."""
    return np.copysign(x, sign)


@Primitive
def maximum(x: Any, y: Any) -> Any:
    """Return the larger number, or NaN if one of them is."""
    return np.maximum(x, y)


@Primitive
def minimum(x: Any, y: Any) -> Any:
    """Return the smaller number, or NaN if one of them is."""
    return np.minimum(x, y)


@Primitive
def larger(x: Any, y: Any) -> Any:
    """Return the larger number, any of the two if one is NaN: faster than `maximum`."""
    return x if x > y else y


@Primitive
def power_of_two(k: Any) -> Any:
    """Return 2^k for an integral k with which that is a normal number."""
    return np.exp2(k)


@Primitive
def power_of_digits(t: Any) -> Any:
    """Return 2^k for t = 1.5 * 2^23 + 127 + k (in float64 1.5 * 2^52 + 1023 + k), 0 for the k one below normal
    numbers."""
    digits, bias = (23, 127) if t.dtype == np.float32 else (52, 1023)
    return power_of_two(t - t.dtype.type(1.5 * 2**digits + bias))


@Primitive
def leading(x: Any) -> Any:
    """Return x with the lower half of its digits cut off: the square of that is exact."""
    bits, mask = (np.int32, -(1 << 12)) if x.dtype == np.float32 else (np.int64, -(1 << 27))
    return (x.view(bits) & bits(mask)).view(x.dtype)


@Primitive
def exponent(x: Any) -> Any:
    """Return the integral k, as a real number, with which `mantissa(x)` = x / 2^k, for a normal x > 0."""
    return np.frexp(x * x.dtype.type(2**0.5))[1] - x.dtype.type(1)


@Primitive
def mantissa(x: Any) -> Any:
    """Return x / 2^k in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    return np.ldexp(x, -int(exponent(x)))


@Primitive
def float16_bits(x: Any) -> Any:
    """Return the bits (uint16) of a float32 rounded to float16."""
    return np.float16(x).view(np.uint16)


@Primitive
def float16_of(bits: Any) -> Any:
    """Return the float32 that a float16 with these bits is."""
    return np.float32(np.uint16(bits).view(np.float16))


@Primitive
def bfloat16_bits(x: Any) -> Any:
    """Return the bits (uint16) of a float32 rounded to bfloat16, ties to even; a NaN stays one."""
    bits = int(np.float32(x).view(np.uint32))
    return np.uint16(0x7FC0 | bits >> 16 & 0x8000 if x != x else bits + 0x7FFF + (bits >> 16 & 1) >> 16)


@Primitive
def bfloat16_of(bits: Any) -> Any:
    """Return the float32 that a bfloat16 with these bits is."""
    return np.uint32(int(bits) << 16).view(np.float32)


@Primitive
def philox(counter: Any, key: Any) -> Any:
    """Return the upper 24 bits of the four random words (`backend.philox`) of a counter below 2^32, as real numbers."""
    from ...philox import philox as words

    return tuple(float(word >> 8) for word in words(np.array([counter], np.uint64), 0, key)[0])
