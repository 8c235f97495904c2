"""Scaled dot-product attention: softmax(q k^T * scale + mask) v.

q (B, H, Tq, D), k (B, Hkv, Tk, D), v (B, Hkv, Tk, Dv), H a multiple of Hkv (grouped-query attention, Ainslie et al.
2023). The mask is broadcast to (B, H, Tq, Tk): bool (True: attend) or numbers that are added. `causal` lets query i see
keys 0..i, counted from the start also where Tq and Tk differ. A row that may attend to nothing gives 0 and passes no
gradient. Dropout zeroes weights with probability `dropout_p` and scales the rest by 1 / (1 - dropout_p); which ones
follows from `seed` (Philox), so backward draws them again.

The body forms the (Tq, Tk) scores. The device paths never do: M. Rabe and C. Staats, "Self-attention does not need
O(n^2) memory" (2021); T. Dao et al., "FlashAttention" (2022).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...autograd.convert import raw
from ...autograd.op import Fixed, op, xp
from ...backend.philox import kept

__all__ = ["attention"]


def _grouped(q: Any, k: Any) -> tuple:
    """Return the shape (B, Hkv, G, Tq, D) of q, in which the G query heads that share a key head are side by side."""
    return (q.shape[0], k.shape[1], q.shape[1] // max(k.shape[1], 1), *q.shape[2:])


def _transposed(x: Any) -> Any:
    return x.swapaxes(-1, -2)


def _bias(q: Any, k: Any, mask: Any, causal: bool) -> Any:
    """Return the summand of the scores, (B or 1, Hkv or 1, G or 1, Tq, Tk), in which -inf hides a key; or None."""
    bias = None
    if mask is not None:
        mask = raw(mask)
        bias = xp(mask).where(mask, 0.0, -np.inf) if mask.dtype == np.bool_ else mask
        bias = bias.reshape((1,) * (4 - bias.ndim) + bias.shape)
        heads = _grouped(q, k)[1:3] if bias.shape[1] != 1 else (1, 1)
        bias = bias.reshape(bias.shape[0], *heads, *bias.shape[2:]).astype(q.dtype)
    if causal:
        ns = xp(raw(q))
        later = ns.arange(k.shape[2]) > ns.arange(q.shape[2])[:, None]
        hidden = ns.where(later, -np.inf, 0.0).astype(q.dtype)
        bias = hidden if bias is None else bias + hidden
    return bias


def _probabilities(q: Any, k: Any, mask: Any, causal: bool, scale: float) -> Any:
    """Return the weights (B, Hkv, G, Tq, Tk); rows that may attend to nothing are zero."""
    scores = (q.reshape(_grouped(q, k)) @ _transposed(k)[:, :, None]) * scale
    bias = _bias(q, k, mask, causal)
    if bias is None:
        return xp(q).softmax(scores, axis=-1)
    ns = xp(bias)
    seen = (bias > -np.inf).any(axis=-1, keepdims=True)
    p = xp(q).softmax(scores + ns.where(seen, bias, ns.zeros_like(bias)), axis=-1)
    return p * seen.astype(bias.dtype)


def _weights(p: Any, q: Any, k: Any, dropout_p: float, seed: int) -> Any:
    """Return `p` after dropout."""
    return p * _kept(q, k, dropout_p, seed) if dropout_p else p


def _kept(q: Any, k: Any, dropout_p: float, seed: int) -> Any:
    """Return dropout's factors of the weights, (B, Hkv, G, Tq, Tk): each row draws for four keys at a time."""
    ns = xp(raw(q))
    fours = -(-k.shape[2] // 4)
    counter = ns.arange(math.prod(q.shape[:3]) * fours, dtype=np.uint64).reshape(*_grouped(q, k)[:4], fours)
    scale = q.dtype.type(1 / (1 - dropout_p) if dropout_p < 1 else 0)
    return kept(counter, dropout_p, seed)[..., : k.shape[2]].astype(q.dtype) * scale


def check_shapes(q: Any, k: Any, v: Any) -> None:
    """Raise ValueError unless the shapes are those of one attention."""
    if not (q.ndim == k.ndim == v.ndim == 4):
        raise ValueError("q, k and v must be (B, H, T, D)")
    if k.shape[:3] != v.shape[:3] or q.shape[0] != k.shape[0] or q.shape[3] != k.shape[3]:
        raise ValueError("k and v must agree in (B, H, T), q and k in B and D")
    if q.shape[1] % k.shape[1] if k.shape[1] else q.shape[1]:
        raise ValueError(f"q has {q.shape[1]} heads, which is no multiple of k's {k.shape[1]}")


def _cases(s):
    def case(*sizes, mask=None, **attributes):
        b, h, hkv, tq, tk, d, dv = sizes
        return s.case(
            s(b, h, tq, d), s(b, hkv, tk, d), s(b, hkv, tk, dv), mask, **{"causal": False, "scale": 0.5, **attributes}
        )

    some = np.array([[True, False, True], [False, False, False], [True, True, True]])  # one row sees nothing
    return [
        case(2, 2, 2, 3, 4, 2, 3), case(1, 2, 2, 4, 4, 3, 3, causal=True), case(1, 2, 1, 3, 3, 2, 2, mask=some),
        case(2, 4, 2, 3, 2, 2, 2, mask=s(2, 1, 3, 2)), case(1, 2, 1, 2, 3, 2, 2, mask=s(1, 2, 2, 3), causal=True),
        case(1, 1, 1, 4, 2, 2, 2, causal=True), case(0, 2, 2, 3, 3, 2, 2), case(1, 1, 1, 1, 1, 1, 1, scale=1.0),
        case(1, 2, 1, 2, 5, 2, 2, dropout_p=0.5, seed=3), case(1, 2, 2, 3, 0, 2, 2), case(1, 1, 1, 2, 67, 3, 2),
    ]  # fmt: skip


def _heads(s: Any) -> Iterator:
    for b, t in ((4, 512), (32, 64), (1, 2048), (4, 2048), (1, 8192)):
        yield s.case(*(s(b, 8, t, 64) for _ in "qkv"), causal=True, scale=0.125)


def _products(q: Any, k: Any, v: Any, causal: bool) -> tuple:
    """Count two products forward and five backward, which makes the scores again; causal ones are half of each."""
    once = 2 * q.size * k.shape[2] / (2 if causal else 1)
    return 2 * once, 5 * once


@op(samples=_cases, bench=_heads, flops=_products, autocast="low")
def attention(q, k, v, mask: Fixed = None, *, causal, scale, dropout_p=0.0, seed=0):
    """Return softmax(q k^T * scale + mask) v, (B, H, Tq, Dv): scaled dot-product attention.

    q is (B, H, Tq, D), k (B, Hkv, Tk, D) and v (B, Hkv, Tk, Dv), with H a multiple of Hkv. The mask is broadcast to
    (B, H, Tq, Tk) and is bool (True: attend) or holds numbers that are added. With `causal`, query i attends to keys
    0..i. A row that may attend to nothing gives 0. Dropout zeroes weights with probability `dropout_p`; `seed` decides
    which. A. Vaswani et al., "Attention is all you need" (2017), section 3.2.1.

    >>> q, v = gg.zeros((1, 1, 2, 1)), gg.tensor([[[[2.0], [4.0]]]])
    >>> gg.attention(q, q, v, causal=True, scale=1.0)
    tensor([[[[2.],
              [3.]]]])
    """
    check_shapes(q, k, v)
    p = _weights(_probabilities(q, k, mask, causal, scale), q, k, dropout_p, seed)
    return (p @ v[:, :, None]).reshape(*q.shape[:3], v.shape[3])


def _score_gradient(g, q, k, v, mask, causal, scale, dropout_p, seed):
    """Return the gradient of the scaled scores, (B, Hkv, G, Tq, Tk)."""
    p = _probabilities(q, k, mask, causal, scale)
    gp = _weights(g.reshape(_grouped(g, k)) @ _transposed(v)[:, :, None], q, k, dropout_p, seed)
    return p * (gp - (gp * p).sum(axis=-1, keepdims=True)) * scale


def _q_gradient(g, q, k, v, mask, causal, scale, dropout_p, seed):
    return (_score_gradient(g, q, k, v, mask, causal, scale, dropout_p, seed) @ k[:, :, None]).reshape(q.shape)


def _k_gradient(g, q, k, v, mask, causal, scale, dropout_p, seed):
    scores = _score_gradient(g, q, k, v, mask, causal, scale, dropout_p, seed)
    return (_transposed(scores) @ q.reshape(_grouped(q, k))).sum(axis=2)


def _v_gradient(g, q, k, mask, causal, scale, dropout_p, seed):
    p = _weights(_probabilities(q, k, mask, causal, scale), q, k, dropout_p, seed)
    return (_transposed(p) @ g.reshape(_grouped(g, k))).sum(axis=2)


attention.vjp(q=_q_gradient, k=_k_gradient, v=_v_gradient)
