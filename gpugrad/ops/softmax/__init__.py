"""Softmax, its logarithm, and the softmax of masked scores."""

import math

import numpy as np

from ...autograd.op import Fixed, op, xp

__all__ = ["log_softmax", "masked_softmax", "softmax"]


def _cases(s):
    return [
        s.case(s(3, 4)), s.case(s(2, 3, 4), axis=1), s.case(s(4, 3).T, axis=0), s.case(s(3, 1)), s.case(s(0, 3)),
        s.case(s(5) * 50), s.case(s(2, 70)), s.case(s(2, 3, 8)[..., ::2], axis=-1),
    ]  # fmt: skip


def _rows(s):
    return (s.case(s(n, 1024)) for n in (4096, 64, 512, 32768))


@op(samples=_cases, bench=_rows, flops=lambda x: (5 * x.size, 4 * x.size), autocast={"cuda": "float32"})
def softmax(x, *, axis=-1):
    """Divide exp(x) by its sum along `axis`: (..., C, ...) -> the same shape. out_i = exp(x_i) / sum_j exp(x_j).

    >>> gg.softmax(gg.tensor([0.0, 1.0, 2.0])).round(decimals=4)
    tensor([0.09  , 0.2447, 0.6652])
    """
    exponentials = xp(x).exp(x - x.max(axis=axis, keepdims=True)) if x.size else x.copy()
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


softmax.vjp(x=lambda g, out, axis: out * (g - (g * out).sum(axis=axis, keepdims=True)))


@op(samples=_cases, bench=_rows, flops=lambda x: (5 * x.size, 4 * x.size), autocast={"cuda": "float32"})
def log_softmax(x, *, axis=-1):
    """Return the logarithm of `softmax`, x_i - log sum_j exp(x_j), without taking that of a small number.

    >>> gg.log_softmax(gg.tensor([0.0, 1.0, 2.0])).round(decimals=4)
    tensor([-2.4076, -1.4076, -0.4076])
    """
    if not x.size:
        return x.copy()
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - xp(x).log(xp(x).exp(shifted).sum(axis=axis, keepdims=True))


log_softmax.vjp(x=lambda g, out, axis: g - xp(g).exp(out) * g.sum(axis=axis, keepdims=True))


def _masked_cases(s):
    some = np.array([[True, False, True], [False, False, False], [True, True, True]])  # one row sees nothing
    bias = np.where(s.bools(3, 5), s(3, 5), -np.inf)
    bias[1] = -np.inf
    return [
        s.case(s(2, 3, 4)), s.case(s(2, 3, 3), some), s.case(s(2, 4, 4), causal=True, scale=0.5), s.case(s(0, 3)),
        s.case(s(2, 3, 5), bias, scale=2.0), s.case(s(2, 2, 3, 2), s(2, 1, 1, 2), causal=True), s.case(s(4)),
        s.case(s(2, 3, 70), s.bools(2, 1, 70)), s.case(s(3, 2, 4).T, s.bools(4, 2, 3)), s.case(s(2, 0)),
    ]  # fmt: skip


def _scores(s):
    return (s.case(s(n, 512, 512), causal=True, scale=0.125) for n in (8, 1, 64))


@op(samples=_masked_cases, bench=_scores, flops=lambda x: (6 * x.size, 5 * x.size), autocast={"cuda": "float32"})
def masked_softmax(x, mask: Fixed = None, *, causal=False, scale=1.0):
    """Return softmax(scale * x + mask) along the last axis: x (..., Tq, Tk) -> the same shape.

    The mask is broadcast to x and gets no gradient. It is bool (True: visible), or it holds numbers that are added, of
    which -inf hides an element. With `causal`, query i sees the keys 0..i, counted from the start also where Tq and Tk
    differ. Hidden elements may be NaN. A row that sees nothing, or only -inf, gives 0 and passes no gradient.

    >>> gg.masked_softmax(gg.tensor([[1.0, 1.0], [1.0, 1.0]]), causal=True)
    tensor([[1. , 0. ],
            [0.5, 0.5]])
    """
    ns = xp(x)
    scores = x * x.dtype.type(scale)
    if mask is not None:
        mask = ns.broadcast_to(mask, x.shape)
        if mask.dtype.kind in "iu":
            raise TypeError(f"mask must be bool or floating-point, got {mask.dtype}")
        if mask.dtype == np.bool_:
            scores = ns.where(mask, scores, -math.inf)
        else:
            scores = ns.where(mask == -math.inf, -math.inf, scores + mask).astype(x.dtype)
    if causal:
        scores = ns.where(ns.tri(*x.shape[-2:], dtype=bool), scores, -math.inf)
    if not x.size:
        return scores
    peak = scores.max(axis=-1, keepdims=True)
    e = ns.exp(scores - ns.where(peak == -math.inf, x.dtype.type(0), peak))
    total = e.sum(axis=-1, keepdims=True)
    return e / ns.where(total == 0, x.dtype.type(1), total)


masked_softmax.vjp(x=lambda g, out, scale: out * (g - (g * out).sum(axis=-1, keepdims=True)) * scale)
