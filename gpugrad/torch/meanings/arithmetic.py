"""Elementwise arithmetic: PyTorch's factors, bounds and roundings, and what NumPy lacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import OptionError
from ...ops import torch_meanings
from ..language import means, same


@means("`alpha` is a factor of the second operand", in_place=True)
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input + alpha * other."""
    return OPS["add"](input, other if alpha == 1 else OPS["multiply"](other, alpha))


@means("`alpha` is a factor of the second operand", in_place=True)
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input - alpha * other."""
    return OPS["subtract"](input, other if alpha == 1 else OPS["multiply"](other, alpha))


@means("`alpha` is a factor of the second operand", in_place=True)
def subtract(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return input - alpha * other."""
    return sub(input, other, alpha=alpha)


@means("`alpha` is a factor of the second operand")
def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """Return other - alpha * input."""
    return OPS["subtract"](other, input if alpha == 1 else OPS["multiply"](input, alpha))


def _division(name: str) -> Any:
    def call(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return torch_meanings.divide(input, other, rounding_mode=rounding_mode)

    call.__name__, call.__doc__ = name, "Return input / other, rounded down or towards zero if asked for."
    return means("`rounding_mode` rounds the quotient", in_place=True)(call)


div, divide, true_divide = _division("div"), _division("divide"), _division("true_divide")


_TWO = {
    "mul": "multiply", "multiply": "multiply", "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal",
    "gt": "greater", "ge": "greater_equal", "not_equal": "not_equal", "greater": "greater", "less": "less",
    "greater_equal": "greater_equal", "less_equal": "less_equal", "atan2": "arctan2", "arctan2": "arctan2",
    "bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor",
    "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift", "logical_and": "logical_and",
    "logical_or": "logical_or", "logical_xor": "logical_xor", "fmod": "fmod", "remainder": "remainder",
    "floor_divide": "floor_divide", "hypot": "hypot", "copysign": "copysign", "heaviside": "heaviside",
    "maximum": "maximum", "minimum": "minimum", "fmax": "fmax", "fmin": "fmin", "logaddexp": "logaddexp",
}  # fmt: skip
_ONE = {
    "neg": "negative", "negative": "negative", "abs": "absolute", "absolute": "absolute", "acos": "arccos",
    "arccos": "arccos", "asin": "arcsin", "arcsin": "arcsin", "atan": "arctan", "arctan": "arctan",
    "acosh": "arccosh", "arccosh": "arccosh", "asinh": "arcsinh", "arcsinh": "arcsinh", "atanh": "arctanh",
    "arctanh": "arctanh", "bitwise_not": "bitwise_invert", "logical_not": "logical_not", "fix": "trunc",
    "trunc": "trunc", "sgn": "sign", "sign": "sign", "ceil": "ceil", "floor": "floor", "exp": "exp", "exp2": "exp2",
    "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p", "sqrt": "sqrt",
    "rsqrt": "rsqrt", "square": "square", "reciprocal": "reciprocal", "sin": "sin", "cos": "cos", "tan": "tan",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "erf": "erf", "erfc": "erfc",
    "erfinv": "erfinv", "deg2rad": "deg2rad", "rad2deg": "rad2deg",
}  # fmt: skip


for _name, _op in {**_ONE, **_TWO}.items():
    same(_name, OPS[_op])


@means("bounds may be Tensors, and are called min and max", in_place=True)
def clamp(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """Return the elements moved into [min, max]; the upper bound wins where both exclude each other."""
    if min is max is None:
        raise OptionError("clamp: give min, max or both")
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        low = input if min is None else OPS["maximum"](input, min)
        return low if max is None else OPS["minimum"](low, max)
    return OPS["clip"](input, min, max)


@means("bounds may be Tensors", in_place=True)
def clip(input: Any, min: Any = None, max: Any = None) -> Tensor:
    """Return the elements moved into [min, max]."""
    return clamp(input, min, max)


@means(in_place=True)
def clamp_min(input: Any, min: Any) -> Tensor:
    """Return the elements, at least `min`."""
    return clamp(input, min)


@means(in_place=True)
def clamp_max(input: Any, max: Any) -> Tensor:
    """Return the elements, at most `max`."""
    return clamp(input, None, max)


@means(in_place=True)
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 * tensor2."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else value * product)


@means(in_place=True)
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Tensor:
    """Return input + value * tensor1 / tensor2."""
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else value * quotient)


@means("the weight is the third argument", in_place=True)
def lerp(input: Any, end: Any, weight: Any) -> Tensor:
    """Return input + weight * (end - input)."""
    return input + weight * (end - input)


@means("the exponent may be the Tensor and the base a number", in_place=True)
def pow(input: Any, exponent: Any) -> Tensor:
    """Return input to the power of `exponent`."""
    return OPS["power"](input, exponent)


@means(in_place=True)
def float_power(input: Any, exponent: Any) -> Tensor:
    """Return input to the power of `exponent`, in float64."""
    x, y = (t.to(dtype="float64") if isinstance(t, Tensor) else t for t in (input, exponent))
    return OPS["power"](x, y)


@means(in_place=True)
def frac(input: Any) -> Tensor:
    """Return the part behind the point, with the sign of the number."""
    return input - OPS["trunc"](input)


@means("decimals by name", in_place=True)
def round(input: Any, *, decimals: int = 0) -> Tensor:
    """Return the nearest multiples of 10^-decimals; halves go to the even one."""
    return OPS["round"](input, decimals=decimals)


@means("NaN and the infinities, without `copy`", in_place=True)
def nan_to_num(
    input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Return the elements with NaN and the infinities replaced."""
    return torch_meanings.nan_to_num(input, nan, posinf, neginf)


@means(in_place=True)
def ldexp(input: Any, other: Any) -> Tensor:
    """Return input * 2^other."""
    return input * OPS["power"](2.0, other)


@means(in_place=True)
def gcd(input: Any, other: Any) -> Tensor:
    """Return the greatest common divisors of ints."""
    return asarray(np.gcd(asarray(input).numpy(), asarray(other).numpy()))


@means(in_place=True)
def lcm(input: Any, other: Any) -> Tensor:
    """Return the least common multiples of ints."""
    return asarray(np.lcm(asarray(input).numpy(), asarray(other).numpy()))


@means()
def isposinf(input: Any) -> Tensor:
    """Return where an element is infinite and positive."""
    return OPS["equal"](input, float("inf"))


@means()
def isneginf(input: Any) -> Tensor:
    """Return where an element is infinite and negative."""
    return OPS["equal"](input, -float("inf"))


@means("an int or dtype by name")
def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return the normalised exponentials along `dim`."""
    x = input if dtype is None else input.to(dtype=dtype)
    return OPS["softmax"](x, axis=-1 if dim is None else dim)


@means("an int or dtype by name")
def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Tensor:
    """Return the logarithm of `softmax`."""
    x = input if dtype is None else input.to(dtype=dtype)
    return OPS["log_softmax"](x, axis=-1 if dim is None else dim)
