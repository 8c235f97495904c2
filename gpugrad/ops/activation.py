"""Activation functions, as PyTorch defines them. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ..autograd.op import op, xp
from ..autograd.ufunc import elementwise
from ..backend import cpu

__all__ = [
    "celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish",
    "relu", "relu6", "selu", "silu", "softplus", "softshrink", "softsign", "tanhshrink", "threshold",
]  # fmt: skip

_SMALL = 1024  # elements below which cutting into blocks does not pay


def _cases(*kinks: float, extremes: bool = True, **attributes: Any) -> Any:
    """Cases away from `kinks`, at them (values only) and at extreme values; with the defaults and with `attributes`."""

    def make(s: Any) -> list:
        def u(*shape: int) -> np.ndarray:
            x = s.uniform(-8, 8, *shape)
            for kink in kinks:
                x = np.where(abs(x - kink) < 0.1, x + 0.2, x)
            return np.asarray(x)

        plain = [s.case(u(3, 4)), s.case(u()), s.case(u(0, 3)), s.case(u(4, 3).T), s.case(u(2, 8)[:, ::2])]
        given = [s.case(u(3, 4), **attributes)] if attributes else []
        at_kinks = [s.case(np.array(kinks), smooth=False)] if kinks else []
        far = [s.case(np.array([-1000.0, -100.0, 100.0, 1000.0]), smooth=False)] if extremes else []
        return [*plain, *given, *at_kinks, *far, s.case(u(40, 30), smooth=False)]

    return make


def _between(g: Any, x: Any, low: float, high: float) -> Any:
    """g where low < x < high, else 0."""
    return xp(g).keep_where(g, (x > low) & (x < high))


def _either(x: Any, positive: Any, other: Any) -> Any:
    """`positive` where x > 0, else `other`: by products, which NumPy takes less time for than for `where`."""
    mask = (x > 0).astype(x.dtype)
    return mask * positive + (1 - mask) * other


@elementwise(samples=_cases(0.0), dtypes="float")
def relu(x):
    """max(x, 0); its gradient at 0 is 0."""
    return xp(x).maximum(x, 0)


relu.vjp(x=lambda g, out: xp(g).keep_where(g, ~(out <= 0)))


@relu.path("cpu")
def relu_cpu(x):
    return np.maximum(x, 0) if x.size < _SMALL else cpu.activation.relu_forward(x), {}


@relu_cpu.backward
def _(g, out):
    return np.where(out <= 0, 0, g) if out.size < _SMALL else cpu.activation.relu_backward(g, out)


@elementwise(samples=_cases(0.0, 6.0), dtypes="float")
def relu6(x):
    """min(max(x, 0), 6)."""
    return xp(x).clip(x, 0, 6)


relu6.vjp(x=lambda g, x: _between(g, x, 0, 6))


@elementwise(samples=_cases(0.0, negative_slope=0.2), dtypes="float")
def leaky_relu(x, *, negative_slope=0.01):
    """x where x > 0, else negative_slope * x."""
    return xp(x).maximum(x, 0) + xp(x).minimum(x, 0) * negative_slope


leaky_relu.vjp(x=lambda g, x, negative_slope: g * _either(x, 1, negative_slope))


def _elu(x: Any, alpha: float, scale: float, sharpness: float) -> Any:
    """scale * x where x > 0, else scale * alpha * (exp(sharpness * x) - 1)."""
    return xp(x).maximum(x, 0) * scale + xp(x).expm1(xp(x).minimum(x, 0) * sharpness) * (scale * alpha)


def _elu_x(g: Any, x: Any, alpha: float, scale: float, sharpness: float) -> Any:
    steep = xp(g).exp(xp(g).clip(x, None, 0) * sharpness) * (scale * alpha * sharpness)
    return g * _either(x, scale, steep)


@elementwise(samples=_cases(0.0, alpha=0.7), dtypes="float")
def elu(x, *, alpha=1.0):
    """x where x > 0, else alpha * (exp(x) - 1). D.-A. Clevert et al., 2015."""
    return _elu(x, alpha, 1.0, 1.0)


elu.vjp(x=lambda g, x, alpha: _elu_x(g, x, alpha, 1.0, 1.0))


@elementwise(samples=_cases(0.0, alpha=0.7), dtypes="float")
def celu(x, *, alpha=1.0):
    """x where x > 0, else alpha * (exp(x / alpha) - 1). J. Barron, 2017."""
    return _elu(x, alpha, 1.0, 1 / alpha)


celu.vjp(x=lambda g, x, alpha: _elu_x(g, x, alpha, 1.0, 1 / alpha))

_SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1.0)


@elementwise(samples=_cases(0.0), dtypes="float")
def selu(x):
    """1.0507 * x where x > 0, else 1.0507 * 1.6733 * (exp(x) - 1). G. Klambauer et al., 2017."""
    return _elu(x, *_SELU)


selu.vjp(x=lambda g, x: _elu_x(g, x, *_SELU))

_TANH_SCALE, _TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def _gelu_argument(x: Any) -> Any:
    return _TANH_SCALE * (x + _TANH_CUBE * (x * x * x))


@elementwise(samples=_cases(approximate="tanh", extremes=False), dtypes="float")
def gelu(x, *, approximate="none"):
    """x * Phi(x), Phi the normal distribution, or with approximate="tanh" its tanh form. D. Hendrycks et al., 2016."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate is "none" or "tanh", got {approximate!r}')
    if approximate == "tanh":
        return 0.5 * x * (1 + xp(x).tanh(_gelu_argument(x)))
    return 0.5 * x * (1 + xp(x).erf(x * math.sqrt(0.5)))


def _gelu_x(g: Any, x: Any, approximate: str) -> Any:
    ns = xp(g)
    if approximate == "tanh":
        t = ns.tanh(_gelu_argument(x))
        slope = _TANH_SCALE * (1 + 3 * _TANH_CUBE * (x * x))
        return g * (0.5 * (1 + t) + 0.5 * x * ((1 - t * t) * slope))
    density = ns.exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))
    return g * (0.5 * (1 + ns.erf(x * math.sqrt(0.5))) + x * density)


gelu.vjp(x=_gelu_x)


@gelu.path("cpu")
def gelu_cpu(x, *, approximate):
    if approximate == "none":
        out, distribution = cpu.activation.gelu_forward(x)
        return out, {"distribution": distribution}
    if approximate == "tanh":
        return cpu.activation.gelu_tanh_forward(x), {"distribution": None}
    return NotImplemented


@gelu_cpu.backward
def _(g, x, distribution):
    return cpu.activation.gelu_backward(g, x, distribution)


@elementwise(samples=_cases(), dtypes="float")
def silu(x):
    """x * sigmoid(x). S. Elfwing et al., 2017."""
    return x * xp(x).sigmoid(x)


def _silu_x(g: Any, x: Any) -> Any:
    s = xp(g).sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


silu.vjp(x=_silu_x)


@silu.path("cpu")
def silu_cpu(x):
    return cpu.activation.silu_forward(x), {}


@silu_cpu.backward
def _(g, x):
    return cpu.activation.silu_backward(g, x)


def _log1p_exp(x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    return xp(x).maximum(x, 0) + xp(x).log1p(xp(x).exp(-abs(x)))


@elementwise(samples=_cases(), dtypes="float")
def mish(x):
    """x * tanh(log(1 + exp(x))). D. Misra, 2019."""
    return x * xp(x).tanh(_log1p_exp(x))


def _mish_x(g: Any, x: Any) -> Any:
    t = xp(g).tanh(xp(g).softplus(x))
    return g * (t + x * xp(g).sigmoid(x) * (1 - t * t))


mish.vjp(x=_mish_x)


@elementwise(samples=_cases(beta=2.0, threshold=3.0), dtypes="float")
def softplus(x, *, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold."""
    return xp(x).where(x * beta > threshold, x, _log1p_exp(x * beta) / beta)


softplus.vjp(x=lambda g, x, beta, threshold: xp(g).where(x * beta > threshold, g, g * xp(g).sigmoid(x * beta)))


@elementwise(samples=_cases(), dtypes="float")
def logsigmoid(x):
    """log(sigmoid(x)) = -log(1 + exp(-x)), without overflow."""
    return -_log1p_exp(-x)


logsigmoid.vjp(x=lambda g, x: g * xp(g).sigmoid(-x))


@elementwise(samples=_cases(0.0), dtypes="float")
def softsign(x):
    """x / (1 + |x|)."""
    return x / (1 + xp(x).abs(x))


softsign.vjp(x=lambda g, x: g / xp(g).square(1 + xp(g).abs(x)))


@elementwise(samples=_cases(-1.0, 1.0, -2.0, 3.0, min_val=-2.0, max_val=3.0), dtypes="float")
def hardtanh(x, *, min_val=-1.0, max_val=1.0):
    """x held between min_val and max_val; its gradient on the bounds is 0."""
    return xp(x).clip(x, min_val, max_val)


hardtanh.vjp(x=lambda g, x, min_val, max_val: _between(g, x, min_val, max_val))


@elementwise(samples=_cases(-3.0, 3.0), dtypes="float")
def hardsigmoid(x):
    """x / 6 + 1/2, held between 0 and 1."""
    return xp(x).clip(x + 3, 0, 6) / 6


hardsigmoid.vjp(x=lambda g, x: _between(g, x, -3, 3) / 6)


@elementwise(samples=_cases(-3.0, 3.0), dtypes="float")
def hardswish(x):
    """x * hardsigmoid(x). A. Howard et al., 2019."""
    return x * (xp(x).clip(x + 3, 0, 6) / 6)


hardswish.vjp(x=lambda g, x: xp(g).keep_where(g, x >= 3) + _between(g * (x / 3 + 0.5), x, -3, 3))


@elementwise(samples=_cases(), dtypes="float")
def tanhshrink(x):
    """x - tanh(x)."""
    return x - xp(x).tanh(x)


tanhshrink.vjp(x=lambda g, x: g * xp(g).square(xp(g).tanh(x)))


@elementwise(samples=_cases(-0.5, 0.5, 2.0, -2.0, lambd=2.0), dtypes="float")
def softshrink(x, *, lambd=0.5):
    """x moved towards 0 by lambd, and 0 within lambd of it."""
    return x - xp(x).clip(x, -lambd, lambd)


softshrink.vjp(x=lambda g, x, lambd: xp(g).keep_where(g, abs(x) > lambd))


@elementwise(samples=_cases(-0.5, 0.5, 2.0, -2.0, lambd=2.0), dtypes="float")
def hardshrink(x, *, lambd=0.5):
    """x, and 0 where |x| <= lambd."""
    return xp(x).keep_where(x, ~(abs(x) <= lambd))


hardshrink.vjp(x=lambda g, x, lambd: xp(g).keep_where(g, ~(abs(x) <= lambd)))


@op(samples=lambda s: [s.case(s.distinct(*n), threshold=0.01, value=20.0) for n in [(3, 4), (0, 3)]], dtypes="float")
def threshold(x, *, threshold, value):
    """x where x > threshold, else `value`."""
    return xp(x).where(x > threshold, x, value)


threshold.vjp(x=lambda g, x, threshold: xp(g).keep_where(g, x > threshold))
