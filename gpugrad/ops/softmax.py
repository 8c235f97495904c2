"""Softmax and its logarithm."""

from ..autograd.op import op, xp
from ..backend.cpu import softmax as cpu

__all__ = ["log_softmax", "softmax"]


def _cases(s):
    return [
        s.case(s(3, 4)), s.case(s(2, 3, 4), axis=1), s.case(s(4, 3).T, axis=0), s.case(s(3, 1)), s.case(s(0, 3)),
        s.case(s(5) * 50), s.case(s(2, 70)), s.case(s(2, 3, 8)[..., ::2], axis=-1),
    ]  # fmt: skip


@op(samples=_cases)
def softmax(x, *, axis=-1):
    """Normalised exponentials along `axis`: (..., C, ...) -> the same shape. out_i = exp(x_i) / sum_j exp(x_j)."""
    e = xp(x).exp(x - x.max(axis=axis, keepdims=True)) if x.size else x.copy()
    return e / e.sum(axis=axis, keepdims=True)


softmax.vjp(x=lambda g, out, axis: out * (g - (g * out).sum(axis=axis, keepdims=True)))


@softmax.fused("cpu")
def _softmax_cpu(x, *, axis):
    return cpu.softmax_forward(x, axis=axis), {}


@_softmax_cpu.backward
def _(g, out, axis):
    return cpu.softmax_backward(g, out, axis=axis)


@op(samples=_cases)
def log_softmax(x, *, axis=-1):
    """The logarithm of `softmax`, without ever taking one of a small number: x_i - log sum_j exp(x_j)."""
    if not x.size:
        return x.copy()
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp(x).log(xp(x).exp(shifted).sum(axis=axis, keepdims=True))


log_softmax.vjp(x=lambda g, out, axis: g - xp(g).exp(out) * g.sum(axis=axis, keepdims=True))


@log_softmax.fused("cpu")
def _log_softmax_cpu(x, *, axis):
    return cpu.log_softmax_forward(x, axis=axis), {}


@_log_softmax_cpu.backward
def _(g, out, axis):
    return cpu.log_softmax_backward(g, out, axis=axis)
