"""Attention with PyTorch's arguments."""

import math
from typing import Any

import numpy as np

from ...arguments import number
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.random import draw_seed
from ...errors import DTypeError, OptionError, ShapeError
from ...ops.attention import attention
from .dropout import check_probability, dropout

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Compute softmax(query key^T * scale + mask) value: query (..., H, L, E), key (..., H, S, E), value (..., H, S,
    Ev).

    attn_mask is broadcast to (..., H, L, S): bool (True takes part) or numbers that are added. With is_causal, position
    i sees 0..i; attn_mask must then be None. scale is 1 / sqrt(E) unless given. With enable_gqa, key and value may have
    fewer heads, a divisor of H (J. Ainslie et al. 2023, section 2.2). A row that sees nothing gives zeros. Raises
    ShapeError where the shapes do not agree, OptionError for a mask with is_causal, DTypeError unless 0 <= dropout_p
    <= 1. See A. Vaswani et al. 2017, section 3.2.1.

    >>> q, k, v = gg.ones((1, 2, 5, 4)), gg.ones((1, 2, 7, 4)), gg.ones((1, 2, 7, 3))
    >>> F.scaled_dot_product_attention(q, k, v).shape
    (1, 2, 5, 3)
    """
    if is_causal and attn_mask is not None:
        raise OptionError(
            "scaled_dot_product_attention: is_causal must be False where attn_mask is given; put the causal mask in it"
        )
    query, key, value = asarray(query), asarray(key), asarray(value)
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2] or query.ndim < 2:
        query, key, value = _one_batch(query, key, value, enable_gqa)
    lead = query.shape[:-3]
    q, k, v = (_as_four_axes(t) for t in (query, key, value))
    if scale is not None:
        number("scaled_dot_product_attention", "scale", scale)
    scale = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else scale
    mask = None if attn_mask is None else _checked_mask(attn_mask, q, k)
    check_probability("scaled_dot_product_attention", dropout_p, "dropout_p")
    if mask is not None and mask.requires_grad:
        out = _composed_attention(q, k, v, mask, dropout_p, is_causal, scale)
    else:
        seed = draw_seed() if dropout_p else 0
        out = attention(q, k, v, mask, causal=is_causal, scale=scale, dropout_p=dropout_p, seed=seed)
    return out if query.ndim == 4 else out.reshape((*lead, *query.shape[-3:-1], value.shape[-1]))


def _one_batch(query: Tensor, key: Tensor, value: Tensor, enable_gqa: bool) -> list[Tensor]:
    """Broadcast what is before the last two axes of each; with enable_gqa without the axis of the heads. Raises
    ShapeError if that cannot be."""
    tensors, own = (query, key, value), 3 if enable_gqa else 2
    if min(t.ndim for t in tensors) < own:
        raise ShapeError(f"scaled_dot_product_attention: got query {query.shape}, key {key.shape}, value {value.shape}")
    try:
        lead = np.broadcast_shapes(*[t.shape[:-own] for t in tensors])
    except ValueError:
        heads = [t.shape[-3] if t.ndim > 2 else 1 for t in tensors]
        hint = f"; query has {heads[0]} heads, key {heads[1]}; enable_gqa=True groups them" if len({*heads}) > 1 else ""
        raise ShapeError(
            f"scaled_dot_product_attention: got query {query.shape}, key {key.shape}, value {value.shape}{hint}"
        ) from None
    shapes = [(*lead, *t.shape[-own:]) for t in tensors]
    return [t if t.shape == s else OPS["broadcast_to"](t, shape=s) for t, s in zip(tensors, shapes, strict=True)]


def _as_four_axes(x: Tensor) -> Tensor:
    """Return x as (B, H, T, D)."""
    if x.ndim == 4:
        return x
    return x.reshape((math.prod(x.shape[:-3]), x.shape[-3] if x.ndim > 2 else 1, *x.shape[-2:]))


def _checked_mask(mask: Any, q: Tensor, k: Tensor) -> Tensor:
    """Return the mask with at most four axes. Raises DTypeError for integers, ShapeError if it does not broadcast."""
    mask = asarray(mask)
    if mask.dtype.kind in "iu":
        raise DTypeError(f"scaled_dot_product_attention: attn_mask must be bool or floating-point, got {mask.dtype}")
    if mask.ndim > 4:
        mask = mask.reshape((math.prod(mask.shape[:-3]), *mask.shape[-3:]))
    full = (*q.shape[:3], k.shape[2])
    fits = all(m in (1, n) for m, n in zip(mask.shape[::-1], full[::-1], strict=False))
    if not fits:
        raise ShapeError(f"scaled_dot_product_attention: attn_mask {mask.shape} does not broadcast to {full}")
    return mask


def _composed_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Any, dropout_p: float, causal: bool, scale: float
) -> Tensor:
    """Compute attention by single ops, for a case that its one op does not have: a mask with a gradient."""
    repeats = q.shape[1] // k.shape[1]
    if repeats > 1:
        k, v = (OPS["repeat"](t, repeats=repeats, axis=1) for t in (k, v))
    scores = q @ k.swapaxes(-1, -2) * scale
    seen = None
    if mask is not None and mask.dtype.kind == "b":
        seen = mask
    elif mask is not None:
        scores = scores + mask
        seen = mask > -math.inf
    if causal:
        positions = [asarray(q.device.xp.arange(n), device=q.device) for n in (k.shape[2], q.shape[2])]
        earlier = positions[0] <= positions[1][:, None]
        seen = earlier if seen is None else seen & earlier
    if seen is None:
        weights = OPS["softmax"](scores, axis=-1)
    else:
        some = seen.any(axis=-1, keepdims=True)
        hidden = OPS["where"](seen | ~some, scores, -math.inf)
        weights = OPS["where"](some, OPS["softmax"](OPS["where"](some, hidden, 0.0), axis=-1), 0.0)
    return dropout(weights, dropout_p) @ v
