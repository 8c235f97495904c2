"""Elementwise arithmetic: sums, products, quotients, powers, roots."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import binary, unary
from ...autograd.convert import raw
from ...autograd.op import op, xp
from ...autograd.tensor import Tensor
from ...autograd.ufunc import elementwise, ufunc

__all__ = [
    "abs", "absolute", "add", "cbrt", "divide", "floor_divide", "fmod", "hypot", "lerp", "multiply", "negative",
    "positive", "pow", "power", "reciprocal", "remainder", "rsqrt", "sqrt", "square", "subtract", "true_divide",
]  # fmt: skip


def _zeros(g: Any) -> Any:
    return xp(g).zeros_like(g)


@ufunc(samples=binary(), exact_gradient=True, inplace=True, complex=True)
def add(x, y):
    """Return x + y.

    >>> gg.add([1.0, 2.0], 3.0)
    tensor([4., 5.])
    """


add.vjp(x=lambda g: g, y=lambda g: g)


@ufunc(samples=binary(), exact_gradient=True, inplace=True, complex=True)
def subtract(x, y):
    """Return x - y.

    >>> gg.subtract([1.0, 2.0], 3.0)
    tensor([-2., -1.])
    """


subtract.vjp(x=lambda g: g, y=lambda g: -g)


@ufunc(samples=binary(), inplace=True, complex="holomorphic")
def multiply(x, y):
    """Return x * y.

    >>> gg.multiply([1.0, 2.0], 3.0)
    tensor([3., 6.])
    """


multiply.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@ufunc(samples=binary(right=(0.5, 2)), dtypes="float", inplace=True, complex="holomorphic")
def divide(x, y):
    """Return x / y; integers give the default float dtype.

    >>> gg.divide([1.0, 3.0], 2.0)
    tensor([0.5, 1.5])
    """


divide.vjp(x=lambda g, y: g / y, y=lambda g, y, out: -g * out / y)


@ufunc(samples=binary(left=(0.1, 0.9), right=(1, 2)), exact_gradient=True, inplace=True)
def floor_divide(x, y):
    """Return the largest integer that is not above x / y. Its gradient is zero.

    >>> gg.floor_divide([7.0, -7.0], 2.0)
    tensor([ 3., -4.])
    """


floor_divide.vjp(x=_zeros, y=_zeros)


@ufunc(samples=binary(left=(-0.9, -0.1), right=(1, 2)), inplace=True)
def remainder(x, y):
    """Return x - floor(x / y) * y, the remainder with the sign of y, as Python's %.

    >>> gg.remainder([7.0, -7.0], 3.0)
    tensor([1., 2.])
    """


remainder.vjp(x=lambda g: g, y=lambda g, x, y: -g * xp(g).floor_divide(x, y))


@ufunc(samples=binary(left=(-3.9, -3.1), right=(1.6, 2)))
def fmod(x, y):
    """Return x - trunc(x / y) * y, the remainder with the sign of x, as C's fmod.

    >>> gg.fmod([7.0, -7.0], 3.0)
    tensor([ 1., -1.])
    """


fmod.vjp(x=lambda g: g, y=lambda g, x, y: -g * xp(raw(g)).trunc(raw(x) / raw(y)))  # a constant between the steps


def _power_cases(s: Any) -> list:
    constants = [s.case(s.away(3, 4), n) for n in (0, 1, 2, 3, 5.0, -2.0, -1)]
    constants += [s.case(s.uniform(0.5, 2, 3, 4), n) for n in (-0.5, 0.5, 2.5)] + [s.case(2.0, s(3))]
    at_zero = s.case(np.zeros((2, 2)), np.array([2.0, 3.0]), smooth=False)
    # d/dx = y x^(y - 1), d/dy = x^y log(x): at x = 0 their limits from above
    slopes = {"x": [0, 1, 0, -np.inf], "y": [0, 0, 0, -np.inf]}
    limits = s.case(np.zeros(4), np.array([0.0, 1.0, 2.5, -1.0]), smooth=False, gradient=slopes)
    return [*binary(left=(0.5, 2))(s), *constants, at_zero, limits]


@elementwise(samples=_power_cases, inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def power(x, y):
    """Return x to the power y.

    The gradient of a constant exponent is right at x = 0 too; that of y there is 0, and -inf where y < 0. Raises
    ShapeError for a negative integer power of integers.

    >>> gg.power([1.0, 2.0, 3.0], 2)
    tensor([1., 4., 9.])
    """
    if isinstance(y, np.ndarray) and not y.ndim and (y.dtype.kind == "f" or y.dtype.kind == "c" and not y.imag):
        return _constant_power(x, y.real.item())
    return xp(x).power(x, y)


def _constant_power(x: Any, n: float) -> Any:
    """Return x**n by products where n is a small integer, which NumPy's power takes 300 times as long for."""
    if n == 0.5:
        return np.sqrt(x)
    if not n.is_integer() or not -8 <= n <= 8:
        return np.power(x, np.asarray(n, x.dtype))
    if n < 0:
        return np.reciprocal(_constant_power(x, -n))
    if n == 0:
        return np.ones_like(x)
    result, count = x, int(n)
    for bit in bin(count)[3:]:
        result = result * result
        if bit == "1":
            result = result * x
    return result if count > 1 else +x


def _raise(x: Any, y: Any) -> Any:
    """Return x**y for a gradient rule."""
    return power(x, y) if isinstance(x, Tensor) or isinstance(y, Tensor) else power.forward(x, y)


def _power_x(g: Any, x: Any, y: Any) -> Any:
    """Return g * y * x**(y - 1), with 0 for y = 0 whatever x is."""
    return g * (y * _raise(x, y - (y != 0).astype(y.dtype)))


def _power_y(g: Any, x: Any, out: Any) -> Any:
    """Return g * x**y * log(x), with log(0) taken as 0 unless x**y is infinite there."""
    return g * (out * xp(g).log(x + ((x == 0) & (xp(out).absolute(out) < math.inf)).astype(x.dtype)))


power.vjp(x=_power_x, y=_power_y)


@ufunc(samples=unary(), exact_gradient=True, inplace=True, complex=True)
def negative(x):
    """Return -x.

    >>> gg.negative([1.0, -2.0])
    tensor([-1.,  2.])
    """


negative.vjp(x=lambda g: -g)


@elementwise(samples=unary(), exact_gradient=True, complex=True)
def positive(x):
    """Return a copy of x.

    >>> gg.positive([1.0, -2.0])
    tensor([ 1., -2.])
    """
    return +x


positive.vjp(x=lambda g: g)


@ufunc(
    samples=lambda s: [*(s.case(s.away(*n)) for n in [(3, 4), (), (0, 3)]), s.case(np.zeros(2), smooth=False)],
    inplace=True,
    complex=True,
)
def absolute(x):
    """Return |x|; its gradient at 0 is 0.

    >>> gg.absolute([1.0, -2.0])
    tensor([1., 2.])
    """


def direction(x: Any) -> Any:
    """Return x / |x|, and 0 where x is 0."""
    return xp(x).sign(x) if x.dtype.kind != "c" else xp(x).sgn(x)


absolute.vjp(x=lambda g, x: g * direction(x))


@ufunc(samples=unary(), inplace=True, complex="holomorphic")
def square(x):
    """Return x * x.

    >>> gg.square([1.0, -2.0])
    tensor([1., 4.])
    """


square.vjp(x=lambda g, x: g * (x + x))


@ufunc(samples=unary(0.3, 3), dtypes="float", inplace=True, complex="holomorphic")
def sqrt(x):
    """Return the square root of x.

    >>> gg.sqrt([4.0, 9.0])
    tensor([2., 3.])
    """


sqrt.vjp(x=lambda g, out: g / (out + out))


@elementwise(samples=unary(0.3, 3), dtypes="float", inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def rsqrt(x):
    """Return 1 / sqrt(x).

    >>> gg.rsqrt([4.0, 16.0])
    tensor([0.5 , 0.25])
    """
    return 1 / xp(x).sqrt(x)


rsqrt.vjp(x=lambda g, out: -0.5 * g * (out * out * out))


@elementwise(samples=unary(0.3, 3), dtypes="float", inplace=True, autocast={"cuda": "float32"}, complex="holomorphic")
def reciprocal(x):
    """Return 1 / x.

    >>> gg.reciprocal([2.0, 4.0])
    tensor([0.5 , 0.25])
    """
    return 1 / x


reciprocal.vjp(x=lambda g, out: -g * (out * out))


@ufunc(samples=unary(0.3, 3), dtypes="float")
def cbrt(x):
    """Return the cube root of x.

    >>> gg.cbrt([8.0, -27.0]).round(decimals=4)
    tensor([ 2., -3.])
    """


cbrt.vjp(x=lambda g, out: g / (3 * (out * out)))


def infinite_for_zero(x: Any) -> Any:
    """x with infinity for 0: what is divided by it is 0 there, and so are all derivatives of the quotient."""
    return xp(x).where(x == 0, math.inf, x)


def _leg(g: Any, leg: Any, out: Any) -> Any:
    """Return the gradient of a leg of the triangle: g * leg / hypotenuse, and 0 where both are 0."""
    return g * leg / infinite_for_zero(out)


def _hypot_cases(s: Any) -> list:
    return [*binary(left=(0.3, 2))(s), s.case(np.zeros(2), np.zeros(2), smooth=False)]


@ufunc(samples=_hypot_cases, dtypes="float")
def hypot(x, y):
    """Return sqrt(x**2 + y**2) without overflow on the way; its gradient at (0, 0) is 0.

    >>> gg.hypot(3.0, 4.0)
    tensor(5.)
    """


hypot.vjp(x=lambda g, x, out: _leg(g, x, out), y=lambda g, y, out: _leg(g, y, out))


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(3, 4), s(3, 4)), s.case(s(3, 1), s(4), np.array(0.3)), s.case(s(), s(), s()),
        s.case(s(0, 3), s(3), s(1)),
    ],
    dtypes="float", inplace=True,
    complex="holomorphic",
)  # fmt: skip
def lerp(x, y, weight):
    """Return the point between x (weight 0) and y (weight 1): x + weight * (y - x).

    >>> gg.lerp(1.0, 3.0, 0.25)
    tensor(1.5)
    """
    return x + weight * (y - x)


lerp.vjp(x=lambda g, weight: g * (1 - weight), y=lambda g, weight: g * weight, weight=lambda g, x, y: g * (y - x))

abs = absolute
pow = power
true_divide = divide
