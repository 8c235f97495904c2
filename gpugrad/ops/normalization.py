"""Normalisation: layer norm, RMS norm, batch norm.

All subtract a mean and divide by a deviation, over different axes. With xhat = (x - mean) * rstd and h the gradient of
xhat, the gradient of x is rstd * (h - mean(h) - xhat * mean(h * xhat)), the means over the same axes. Gradients of
weight and bias are sums over the axes along which those were broadcast, which the engine takes.
"""

import math
from typing import Any

from ..autograd.op import op, xp
from ..backend import cpu

__all__ = ["add_layer_norm", "add_rms_norm", "batch_norm", "layer_norm", "rms_norm"]


def _standard(x: Any, axes: tuple, eps: float) -> tuple[Any, Any]:
    """xhat and rstd over `axes`, in two passes: E[x^2] - E[x]^2 would lose every digit of a small spread."""
    centred = x - x.mean(axis=axes, keepdims=True)
    rstd = 1 / xp(x).sqrt((centred * centred).mean(axis=axes, keepdims=True) + eps)
    return centred * rstd, rstd


def _standard_gradient(h: Any, xhat: Any, rstd: Any, axes: tuple) -> Any:
    mean = h.mean(axis=axes, keepdims=True)
    return rstd * (h - mean - xhat * (h * xhat).mean(axis=axes, keepdims=True))


def _last(ndim: int) -> tuple:
    return tuple(range(-ndim, 0))


def check_affine(x: Any, ndim: int, **arrays: Any) -> None:
    """Raise ValueError unless the arrays have the shape of the last `ndim` axes of x."""
    for name, array in arrays.items():
        if array is not None and array.shape != x.shape[x.ndim - ndim :]:
            raise ValueError(f"{name} {array.shape} must have the normalised shape {x.shape[x.ndim - ndim :]}")


def _layer_cases(s):
    return [
        s.case(s(3, 5), s(5), s(5), ndim=1, eps=1e-5), s.case(s(2, 3, 4), s(3, 4), s(3, 4), ndim=2, eps=1e-3),
        s.case(s(4, 6), None, None, ndim=1, eps=1e-5), s.case(s(3, 5), s(5), None, ndim=1, eps=1e-5),
        s.case(s(0, 5), s(5), s(5), ndim=1, eps=1e-5), s.case(s(3, 1), s(1), s(1), ndim=1, eps=0.1),
        s.case(s(2, 3, 8)[..., ::2], s(4), s(4), ndim=1, eps=1e-5),
    ]  # fmt: skip


def _layer_rows(s):
    return (s.case(s(n, 1024), s(1024), s(1024), ndim=1, eps=1e-5) for n in (4096, 64, 512, 32768))


@op(samples=_layer_cases, bench=_layer_rows, flops=lambda x: (8 * x.size, 12 * x.size))
def layer_norm(x, weight=None, bias=None, *, ndim, eps):
    """xhat * weight + bias over the last `ndim` axes: x (..., *M), weight and bias (*M) (Ba et al. 2016)."""
    check_affine(x, ndim, weight=weight, bias=bias)
    out, _ = _standard(x, _last(ndim), eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _layer_norm_x(g, x, weight, ndim, eps):
    return _standard_gradient(g if weight is None else g * weight, *_standard(x, _last(ndim), eps), _last(ndim))


layer_norm.vjp(x=_layer_norm_x, weight=lambda g, x, ndim, eps: g * _standard(x, _last(ndim), eps)[0], bias=lambda g: g)


@layer_norm.path("cpu")
def _layer_norm_cpu(x, weight, bias, *, ndim, eps):
    check_affine(x, ndim, weight=weight, bias=bias)
    out, mean, rstd = cpu.norm.layer_norm_forward(x, weight, bias, eps=eps, ndim=ndim)
    return out, {"mean": mean, "rstd": rstd}


@_layer_norm_cpu.backward
def _(g, x, weight, mean, rstd, needs):
    return cpu.norm.layer_norm_backward(g, x, weight, mean, rstd, needs=needs)


def _without(bias, cases):
    return lambda s: (s.case(*c.args[:bias], **c.kwargs) for c in cases(s))


@op(samples=_without(2, _layer_cases), bench=_without(2, _layer_rows), flops=lambda x: (5 * x.size, 10 * x.size))
def rms_norm(x, weight=None, *, ndim, eps):
    """x * weight / sqrt(mean(x^2) + eps) over the last `ndim` axes: x (..., *M), weight (*M).

    B. Zhang and R. Sennrich, "Root mean square layer normalization" (2019)."""
    check_affine(x, ndim, weight=weight)
    out = x * _rms(x, ndim, eps)
    return out if weight is None else out * weight


def _rms(x: Any, ndim: int, eps: float) -> Any:
    return 1 / xp(x).sqrt((x * x).mean(axis=_last(ndim), keepdims=True) + eps)


def _rms_norm_x(g, x, weight, ndim, eps):
    rstd, h = _rms(x, ndim, eps), g if weight is None else g * weight
    return rstd * (h - x * rstd * rstd * (h * x).mean(axis=_last(ndim), keepdims=True))


rms_norm.vjp(x=_rms_norm_x, weight=lambda g, x, ndim, eps: g * x * _rms(x, ndim, eps))


@rms_norm.path("cpu")
def _rms_norm_cpu(x, weight, *, ndim, eps):
    check_affine(x, ndim, weight=weight)
    out, rstd = cpu.norm.rms_norm_forward(x, weight, eps=eps, ndim=ndim)
    return out, {"rstd": rstd}


@_rms_norm_cpu.backward
def _(g, x, weight, rstd, needs):
    return cpu.norm.rms_norm_backward(g, x, weight, rstd, needs=needs)


def check_sum(x: Any, residual: Any) -> None:
    """Raise ValueError unless the two have one shape."""
    if x.shape != residual.shape:
        raise ValueError(f"residual {residual.shape} must have the shape of x {x.shape}")


def _summed(cases):
    return lambda s: (s.case(c.args[0], s(*c.args[0].shape), *c.args[1:], **c.kwargs) for c in cases(s))


_sum_cases, _sum_rows = _summed(_layer_cases), _summed(_layer_rows)


@op(samples=_sum_cases, bench=_sum_rows, flops=lambda x: (9 * x.size, 13 * x.size))
def add_layer_norm(x, residual, weight=None, bias=None, *, ndim, eps):
    """`layer_norm` of x + residual, and that sum: x, residual (..., *M), weight, bias (*M) -> two of (..., *M)."""
    check_sum(x, residual)
    total = x + residual
    return layer_norm.forward(total, weight, bias, ndim=ndim, eps=eps), total


def _add_layer_norm_x(g, out, weight, ndim, eps):
    return _layer_norm_x(g[0], out[1], weight, ndim, eps) + g[1]


add_layer_norm.vjp(
    x=_add_layer_norm_x,
    residual=_add_layer_norm_x,
    weight=lambda g, out, ndim, eps: g[0] * _standard(out[1], _last(ndim), eps)[0],
    bias=lambda g: g[0],
)


@add_layer_norm.path("cpu")
def _add_layer_norm_cpu(x, residual, weight, bias, *, ndim, eps):
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight, bias=bias)
    total = x + residual
    out, mean, rstd = cpu.norm.layer_norm_forward(total, weight, bias, eps=eps, ndim=ndim)
    return (out, total), {"mean": mean, "rstd": rstd}


@_add_layer_norm_cpu.backward
def _(g, out, weight, mean, rstd, needs):
    wanted = (needs[0] or needs[1], *needs[2:])
    gx, gweight, gbias = cpu.norm.layer_norm_backward(g[0], out[1], weight, mean, rstd, needs=wanted)
    if gx is not None:
        gx += g[1]
    return gx, gx, gweight, gbias


@op(samples=_without(3, _sum_cases), bench=_without(3, _sum_rows), flops=lambda x: (6 * x.size, 11 * x.size))
def add_rms_norm(x, residual, weight=None, *, ndim, eps):
    """`rms_norm` of x + residual, and that sum: x, residual (..., *M), weight (*M) -> two of (..., *M)."""
    check_sum(x, residual)
    total = x + residual
    return rms_norm.forward(total, weight, ndim=ndim, eps=eps), total


def _add_rms_norm_x(g, out, weight, ndim, eps):
    return _rms_norm_x(g[0], out[1], weight, ndim, eps) + g[1]


add_rms_norm.vjp(
    x=_add_rms_norm_x,
    residual=_add_rms_norm_x,
    weight=lambda g, out, ndim, eps: g[0] * out[1] * _rms(out[1], ndim, eps),
)


@add_rms_norm.path("cpu")
def _add_rms_norm_cpu(x, residual, weight, *, ndim, eps):
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight)
    total = x + residual
    out, rstd = cpu.norm.rms_norm_forward(total, weight, eps=eps, ndim=ndim)
    return (out, total), {"rstd": rstd}


@_add_rms_norm_cpu.backward
def _(g, out, weight, rstd, needs):
    gx, gweight = cpu.norm.rms_norm_backward(g[0], out[1], weight, rstd, needs=(needs[0] or needs[1], needs[2]))
    if gx is not None:
        gx += g[1]
    return gx, gx, gweight


def _channels(x: Any) -> tuple[tuple, tuple]:
    """The axes that batch norm averages over, and the shape that a per-channel array is broadcast with."""
    return (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))


def check_channels(x: Any, **arrays: Any) -> None:
    """Raise ValueError unless the arrays have one value for each channel of x (N, C, *S)."""
    for name, array in arrays.items():
        if array is not None and array.shape != (x.shape[1],):
            raise ValueError(f"{name} {array.shape} must have one value per channel, x {x.shape} has {x.shape[1]}")


@op(
    samples=lambda s: [
        s.case(s(4, 3), s(3), s(3), eps=1e-5), s.case(s(2, 3, 2, 3), s(3), s(3), eps=1e-3),
        s.case(s(3, 2, 4), None, None, eps=1e-5), s.case(s(2, 3, 2, 2).transpose(0, 3, 1, 2), s(2), s(2), eps=1e-5),
        s.case(s(2, 2, 1, 1, 2), s(2), None, eps=1e-2),
    ],
    bench=lambda s: (s.case(s(n, 64, 56, 56), s(64), s(64), eps=1e-5) for n in (32, 1, 8, 128)),
    flops=lambda x: (8 * x.size, 12 * x.size),
)  # fmt: skip
def batch_norm(x, weight=None, bias=None, *, eps):
    """Normalised by the batch's own statistics, per channel: x (N, C, *S), weight and bias (C,).

    Returns (out, mean (C,), biased variance (C,)) (Ioffe and Szegedy 2015).
    """
    axes, wide = _channels(x)
    if x.size == 0:
        raise ValueError("batch statistics need at least one value per channel")
    check_channels(x, weight=weight, bias=bias)
    out, _ = _standard(x, axes, eps)
    out = out if weight is None else out * weight.reshape(wide)
    return out if bias is None else out + bias.reshape(wide), x.mean(axis=axes), x.var(axis=axes)


def _batch_norm_x(g, x, weight, eps):
    g, g_mean, g_var = g
    axes, wide = _channels(x)
    xhat, rstd = _standard(x, axes, eps)
    gx = _standard_gradient(g if weight is None else g * weight.reshape(wide), xhat, rstd, axes)
    return gx + _of_statistics(x, g_mean, g_var)


def _of_statistics(x, g_mean, g_var):
    """What the mean and the variance, which are outputs too, pass back to x."""
    axes, wide = _channels(x)
    share = x.shape[1] / math.prod(x.shape)
    return (g_mean.reshape(wide) + g_var.reshape(wide) * 2 * (x - x.mean(axis=axes, keepdims=True))) * share


batch_norm.vjp(
    x=_batch_norm_x,
    weight=lambda g, x, eps: (g[0] * _standard(x, _channels(x)[0], eps)[0]).sum(axis=_channels(x)[0]),
    bias=lambda g: g[0].sum(axis=(0, *range(2, g[0].ndim))),
)


@batch_norm.path("cpu")
def _batch_norm_cpu(x, weight, bias, *, eps):
    if x.size == 0 or any(a is not None and a.shape != (x.shape[1],) for a in (weight, bias)):
        return NotImplemented  # the generic body says what is wrong
    out, mean, var, rstd = cpu.batch_norm.batch_norm_forward(x, weight, bias, eps=eps)
    return (out, mean, var), {"mean": mean, "rstd": rstd}


@_batch_norm_cpu.backward
def _(g, x, weight, mean, rstd, needs):
    g, g_mean, g_var = g
    gx, g_weight, g_bias = cpu.batch_norm.batch_norm_backward(g, x, weight, mean, rstd, needs=needs)
    if needs[0] and (g_mean.any() or g_var.any()):
        gx = gx + _of_statistics(x, g_mean, g_var)
    return gx, g_weight, g_bias


@op(
    samples=lambda s: [
        s.case(s(4, 3), s(3), s(3)), s.case(s(2, 3, 2, 3), s(3), None), s.case(s(2, 4, 3), None, s(4)),
        s.case(s(2, 3, 2, 2).transpose(0, 3, 1, 2), s(2), s(2)), s.case(s(0, 3), s(3), s(3)), s.case(s(3, 2, 4)),
    ]
)  # fmt: skip
def channel_affine(x, scale=None, shift=None):
    """x * scale + shift, a number of each for every channel: x (N, C, *S), scale and shift (C,)."""
    check_channels(x, scale=scale, shift=shift)
    wide = _channels(x)[1]
    out = x * (1 if scale is None else scale.reshape(wide))
    return out if shift is None else out + shift.reshape(wide)


channel_affine.vjp(
    x=lambda g, scale: g if scale is None else g * scale.reshape(_channels(g)[1]),
    scale=lambda g, x: (g * x).sum(axis=_channels(x)[0]),
    shift=lambda g: g.sum(axis=_channels(g)[0]),
)
