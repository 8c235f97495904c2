"""Smooth activation functions, as PyTorch defines them. Integers give the default float dtype."""

import math
from typing import Any

from ...autograd.op import xp
from ...autograd.ufunc import elementwise
from .activation_cases import activation_cases

__all__ = ["gelu", "logsigmoid", "mish", "silu", "softplus", "softsign", "tanhshrink"]

TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def _gelu_argument(x: Any) -> Any:
    """Return the argument of tanh in the approximation of gelu."""
    return TANH_SCALE * (x + TANH_CUBE * (x * x * x))


@elementwise(samples=activation_cases(approximate="tanh", extremes=False), dtypes="float")
def gelu(x, *, approximate="none"):
    """Return x * Phi(x), Phi being the normal distribution; approximate="tanh" gives its tanh form.

    D. Hendrycks and K. Gimpel, "Gaussian error linear units" (2016).

    >>> gg.gelu([-1.0, 2.0]).round(decimals=4)
    tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate is "none" or "tanh", got {approximate!r}')
    if approximate == "tanh":
        return 0.5 * x * (1 + xp(x).tanh(_gelu_argument(x)))
    return 0.5 * x * (1 + xp(x).erf(x * math.sqrt(0.5)))


def _gelu_x(g: Any, x: Any, approximate: str) -> Any:
    ns = xp(g)
    if approximate == "tanh":
        t = ns.tanh(_gelu_argument(x))
        slope = TANH_SCALE * (1 + 3 * TANH_CUBE * (x * x))
        return g * (0.5 * (1 + t) + 0.5 * x * ((1 - t * t) * slope))
    density = ns.exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))
    return g * (0.5 * (1 + ns.erf(x * math.sqrt(0.5))) + x * density)


gelu.vjp(x=_gelu_x)


@elementwise(samples=activation_cases(), dtypes="float")
def silu(x):
    """Return x * sigmoid(x). S. Elfwing et al., 2017.

    >>> gg.silu([-1.0, 2.0]).round(decimals=4)
    tensor([-0.2689,  1.7616])
    """
    return x * xp(x).sigmoid(x)


def _silu_x(g: Any, x: Any) -> Any:
    s = xp(g).sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu.vjp(x=_silu_x)


def _log1p_exp(x: Any) -> Any:
    """Return log(1 + exp(x)) without overflow."""
    return xp(x).maximum(x, 0) + xp(x).log1p(xp(x).exp(-abs(x)))


@elementwise(samples=activation_cases(), dtypes="float")
def mish(x):
    """Return x * tanh(log(1 + exp(x))). D. Misra, 2019.

    >>> gg.mish([-1.0, 2.0]).round(decimals=4)
    tensor([-0.3034,  1.944 ])
    """
    return x * xp(x).tanh(_log1p_exp(x))


def _mish_x(g: Any, x: Any) -> Any:
    t = xp(g).tanh(xp(g).softplus(x))
    return g * (t + x * xp(g).sigmoid(x) * (1 - t * t))


mish.vjp(x=_mish_x)


@elementwise(samples=activation_cases(beta=2.0, threshold=3.0), dtypes="float", autocast={"cuda": "float32"})
def softplus(x, *, beta=1.0, threshold=20.0):
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold.

    >>> gg.softplus([-1.0, 2.0]).round(decimals=4)
    tensor([0.3133, 2.1269])
    """
    return xp(x).where(x * beta > threshold, x, _log1p_exp(x * beta) / beta)


softplus.vjp(x=lambda g, x, beta, threshold: xp(g).where(x * beta > threshold, g, g * xp(g).sigmoid(x * beta)))


@elementwise(samples=activation_cases(), dtypes="float")
def logsigmoid(x):
    """Return log(sigmoid(x)) = -log(1 + exp(-x)), without overflow.

    >>> gg.logsigmoid([-1.0, 2.0]).round(decimals=4)
    tensor([-1.3133, -0.1269])
    """
    return -_log1p_exp(-x)


logsigmoid.vjp(x=lambda g, x: g * xp(g).sigmoid(-x))


@elementwise(samples=activation_cases(0.0), dtypes="float")
def softsign(x):
    """Return x / (1 + |x|).

    >>> gg.softsign([-1.0, 3.0])
    tensor([-0.5 ,  0.75])
    """
    return x / (1 + xp(x).abs(x))


softsign.vjp(x=lambda g, x: g / xp(g).square(1 + xp(g).abs(x)))


@elementwise(samples=activation_cases(), dtypes="float")
def tanhshrink(x):
    """Return x - tanh(x).

    >>> gg.tanhshrink([-1.0, 2.0]).round(decimals=4)
    tensor([-0.2384,  1.036 ])
    """
    return x - xp(x).tanh(x)


tanhshrink.vjp(x=lambda g, x: g * xp(g).square(xp(g).tanh(x)))
