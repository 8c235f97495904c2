"""Activation functions of several pieces, as PyTorch defines them. Integers give the default float dtype."""

from typing import Any

import numpy as np

from ...arguments import ordered
from ...autograd.op import op, xp
from ...autograd.ufunc import elementwise
from .activation_cases import activation_cases

__all__ = [
    "celu", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "relu", "relu6", "selu",
    "softshrink", "threshold",
]  # fmt: skip


def _between(g: Any, x: Any, low: float, high: float) -> Any:
    """Return g where low < x < high, else 0."""
    return xp(g).keep_where(g, (x > low) & (x < high))


def _either(x: Any, positive: Any, other: Any) -> Any:
    """Return `positive` where x > 0, else `other`: by products, which NumPy takes less time for than for `where`."""
    mask = (x > 0).astype(x.dtype)
    return mask * positive + (1 - mask) * other


@elementwise(samples=activation_cases(0.0), dtypes="float", inplace=True)
def relu(x):
    """Return max(x, 0); its gradient at 0 is 0.

    >>> gg.relu([-1.0, 2.0])
    tensor([0., 2.])
    """
    return xp(x).maximum(x, 0)


relu.vjp(x=lambda g, out: xp(g).keep_where(g, ~(out <= 0)))


@elementwise(samples=activation_cases(0.0, 6.0), dtypes="float")
def relu6(x):
    """Return min(max(x, 0), 6).

    >>> gg.relu6([-1.0, 2.0, 8.0])
    tensor([0., 2., 6.])
    """
    return xp(x).clip(x, 0, 6)


relu6.vjp(x=lambda g, x: _between(g, x, 0, 6))


@elementwise(samples=activation_cases(0.0, negative_slope=0.2), dtypes="float")
def leaky_relu(x, *, negative_slope=0.01):
    """Return x where x > 0, else negative_slope * x.

    >>> gg.leaky_relu([-1.0, 2.0], negative_slope=0.5)
    tensor([-0.5,  2. ])
    """
    return xp(x).maximum(x, 0) + xp(x).minimum(x, 0) * negative_slope


leaky_relu.vjp(x=lambda g, x, negative_slope: g * _either(x, 1, negative_slope))


def _elu(x: Any, alpha: float, scale: float, sharpness: float) -> Any:
    """Return scale * x where x > 0, else scale * alpha * (exp(sharpness * x) - 1)."""
    return xp(x).maximum(x, 0) * scale + xp(x).expm1(xp(x).minimum(x, 0) * sharpness) * (scale * alpha)


def _elu_x(g: Any, x: Any, alpha: float, scale: float, sharpness: float) -> Any:
    steep = xp(g).exp(xp(g).clip(x, None, 0) * sharpness) * (scale * alpha * sharpness)
    return g * _either(x, scale, steep)


@elementwise(samples=activation_cases(0.0, alpha=0.7), dtypes="float")
def elu(x, *, alpha=1.0):
    """Return x where x > 0, else alpha * (exp(x) - 1). D.-A. Clevert et al., 2015.

    >>> gg.elu([-1.0, 2.0]).round(decimals=4)
    tensor([-0.6321,  2.    ])
    """
    return _elu(x, alpha, 1.0, 1.0)


elu.vjp(x=lambda g, x, alpha: _elu_x(g, x, alpha, 1.0, 1.0))


@elementwise(samples=activation_cases(0.0, alpha=0.7), dtypes="float")
def celu(x, *, alpha=1.0):
    """Return x where x > 0, else alpha * (exp(x / alpha) - 1). J. Barron, 2017.

    >>> gg.celu([-1.0, 2.0], alpha=2.0).round(decimals=4)
    tensor([-0.7869,  2.    ])
    """
    return _elu(x, alpha, 1.0, 1 / alpha)


celu.vjp(x=lambda g, x, alpha: _elu_x(g, x, alpha, 1.0, 1 / alpha))

SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0)


@elementwise(samples=activation_cases(0.0), dtypes="float")
def selu(x):
    """Return 1.0507 * x where x > 0, else 1.0507 * 1.6733 * (exp(x) - 1). G. Klambauer et al., 2017.

    >>> gg.selu([-1.0, 2.0]).round(decimals=4)
    tensor([-1.1113,  2.1014])
    """
    return _elu(x, *SELU)


selu.vjp(x=lambda g, x: _elu_x(g, x, *SELU))


@elementwise(samples=activation_cases(-1.0, 1.0, -2.0, 3.0, min_val=-2.0, max_val=3.0), dtypes="float")
def hardtanh(x, *, min_val=-1.0, max_val=1.0):
    """Hold x between min_val and max_val; its gradient on the bounds is 0.

    >>> gg.hardtanh([-2.0, 0.5, 2.0])
    tensor([-1. ,  0.5,  1. ])
    """
    ordered("hardtanh", "min_val", min_val, "max_val", max_val)
    return xp(x).clip(x, min_val, max_val)


hardtanh.vjp(x=lambda g, x, min_val, max_val: _between(g, x, min_val, max_val))


@elementwise(samples=activation_cases(-3.0, 3.0), dtypes="float")
def hardsigmoid(x):
    """Return x / 6 + 1/2, held between 0 and 1.

    >>> gg.hardsigmoid([-4.0, 0.0, 4.0])
    tensor([0. , 0.5, 1. ])
    """
    return xp(x).clip(x + 3, 0, 6) / 6


hardsigmoid.vjp(x=lambda g, x: _between(g, x, -3, 3) / 6)


@elementwise(samples=activation_cases(-3.0, 3.0), dtypes="float")
def hardswish(x):
    """Return x * hardsigmoid(x). A. Howard et al., 2019.

    >>> gg.hardswish([-4.0, 0.0, 4.0])
    tensor([-0.,  0.,  4.])
    """
    return x * (xp(x).clip(x + 3, 0, 6) / 6)


hardswish.vjp(x=lambda g, x: xp(g).keep_where(g, x >= 3) + _between(g * (x / 3 + 0.5), x, -3, 3))


@elementwise(samples=activation_cases(-0.5, 0.5, 2.0, -2.0, lambd=2.0), dtypes="float")
def softshrink(x, *, lambd=0.5):
    """Move x towards 0 by lambd; within lambd of 0 it becomes 0.

    >>> gg.softshrink([-2.0, 0.25, 1.0])
    tensor([-1.5,  0. ,  0.5])
    """
    return x - xp(x).clip(x, -lambd, lambd)


softshrink.vjp(x=lambda g, x, lambd: xp(g).keep_where(g, abs(x) > lambd))


@elementwise(samples=activation_cases(-0.5, 0.5, 2.0, -2.0, lambd=2.0), dtypes="float")
def hardshrink(x, *, lambd=0.5):
    """Return x, and 0 where |x| <= lambd.

    >>> gg.hardshrink([-2.0, 0.25, 1.0])
    tensor([-2.,  0.,  1.])
    """
    return xp(x).keep_where(x, ~(abs(x) <= lambd))


hardshrink.vjp(x=lambda g, x, lambd: xp(g).keep_where(g, ~(abs(x) <= lambd)))


def _threshold_cases(s: Any) -> list:
    special = s.case(np.array([0.0, np.nan, np.inf]), threshold=0.0, value=2.0, smooth=False, gradient={"x": [0, 1, 1]})
    return [*(s.case(s.distinct(*n), threshold=0.01, value=20.0) for n in [(3, 4), (0, 3)]), special]


@op(samples=_threshold_cases, dtypes="float")
def threshold(x, *, threshold, value):
    """Return x where x > threshold, else `value`; NaN stays NaN.

    >>> gg.threshold([-2.0, 0.5], threshold=0.0, value=9.0)
    tensor([9. , 0.5])
    """
    return xp(x).where(x <= threshold, value, x)


threshold.vjp(x=lambda g, x, threshold: xp(g).keep_where(g, ~(x <= threshold)))
