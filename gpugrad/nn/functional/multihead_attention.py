"""Multi-head attention as one function of all its parameters, with PyTorch's arguments."""

from typing import Any

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor, wrap
from ...errors import ShapeError
from .attention import scaled_dot_product_attention
from .dropout import dropout
from .pad import pad
from .softmax import softmax

__all__ = ["multi_head_attention_forward"]


def _additive_mask(mask: Any, like: Tensor) -> Tensor | None:
    """Return the numbers to add to the scores: those of the mask, or -inf where a bool mask is True."""
    if mask is None:
        return None
    mask = asarray(mask)
    if mask.dtype.kind != "b":
        return mask.to(dtype=like.dtype)
    zeros = asarray(like.device.xp.zeros(mask.shape, like.dtype), device=like.device)
    return zeros.masked_fill(mask, -float("inf"))


def _combined_mask(attn_mask: Any, padding: Any, like: Tensor, scores: tuple, extra: int) -> Tensor | None:
    """Return the sum of both masks, broadcast to scores (N, H, L, S); the last `extra` of the S columns are always
    seen."""
    n, heads, rows, columns = scores
    total, hidden = _additive_mask(attn_mask, like), _additive_mask(padding, like)
    for name, mask, shapes in (
        ("attn_mask", total, ((rows, columns - extra), (n * heads, rows, columns - extra))),
        ("key_padding_mask", hidden, ((n, columns - extra), (columns - extra,))),
    ):
        if mask is not None and mask.shape not in shapes:
            raise ShapeError(f"multi_head_attention_forward: {name} must be {shapes[0]}, got {mask.shape}")
    if total is not None and total.ndim == 3:
        total = total.reshape((n, heads, rows, columns - extra))
    if hidden is not None:
        hidden = hidden.reshape((-1, 1, 1, columns - extra))
        total = hidden if total is None else total + hidden
    return pad(total, (0, extra)) if extra and total is not None else total


def _attend_with_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float
) -> tuple[Tensor, Tensor]:
    """Return the result of attention, and its weights."""
    scores = (q * q.shape[-1] ** -0.5) @ k.swapaxes(-1, -2)
    weights = dropout(softmax(scores if mask is None else scores + mask, dim=-1), dropout_p)
    return weights @ v, weights


def multi_head_attention_forward(
    query: Any, key: Any, value: Any, embed_dim_to_check: int, num_heads: int, in_proj_weight: Any, in_proj_bias: Any,
    bias_k: Any, bias_v: Any, add_zero_attn: bool, dropout_p: float, out_proj_weight: Any, out_proj_bias: Any,
    training: bool = True, key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Any = None, k_proj_weight: Any = None,
    v_proj_weight: Any = None, static_k: Any = None, static_v: Any = None, average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Compute softmax(Q K^T / sqrt(d)) V in `num_heads` heads: query (L, N, E), key (S, N, Ek), value (S, N, Ev), or
    without N.

    in_proj_weight (3 E, E) has all three projections, or q_, k_ and v_proj_weight have one each; in_proj_bias is (3
    E,). bias_k and bias_v (1, 1, E) are one more key and value, add_zero_attn adds one of zeros, and static_k and
    static_v (N heads, S, d) replace the projected ones. Masks are True, or the number that is added; key_padding_mask
    is (N, S), attn_mask (L, S) or (N heads, L, S). Returns the output, shaped like the query, and the weights (N, L,
    S), averaged over heads, if asked for. See A. Vaswani et al. 2017, section 3.2.2.

    >>> x, w, none = gg.ones((5, 1, 4)), gg.ones((12, 4)), None
    >>> output, weights = F.multi_head_attention_forward(
    ...     x, x, x, 4, 2, w, none, none, none, False, 0.0, gg.ones((4, 4)), none)
    >>> output.shape, weights.shape
    ((5, 1, 4), (1, 5, 5))
    """
    if is_causal and attn_mask is None:
        raise ShapeError("multi_head_attention_forward: is_causal says what attn_mask is, which is not given")
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    return attend_heads(
        query, key, value, embed_dim_to_check, num_heads, weights, in_proj_bias, (bias_k, bias_v), add_zero_attn,
        dropout_p if training else 0.0, (out_proj_weight, out_proj_bias), False, key_padding_mask, need_weights,
        attn_mask, average_attn_weights, is_causal, (static_k, static_v),
    )  # fmt: skip


def attend_heads(
    query: Any, key: Any, value: Any, width: int, heads: int, weights: Any, bias: Any, added: tuple, add_zero: bool,
    dropout_p: float, out_proj: tuple, batch_first: bool, padding: Any, need_weights: bool, attn_mask: Any,
    average: bool, is_causal: bool, static: tuple = (None, None),
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Do the work of `multi_head_attention_forward` with its parameters in groups, and with `batch_first` inputs (N, L,
    E)."""
    single, same = asarray(query).ndim == 2, query is key and key is value
    inputs = [asarray(t) for t in ([query] if same else [query, key, value])]
    inputs = [t.unsqueeze(0) if single else t if batch_first else t.swapaxes(0, 1) for t in inputs]
    q, k, v = _project_inputs(inputs, weights, bias, width, heads)
    (n, rows, _), extra, d = q.shape, 0, width // heads
    if added[0] is not None:
        k, v = (
            OPS["concatenate"]([t, asarray(b).expand((n, 1, width))], axis=1)
            for t, b in zip((k, v), added, strict=True)
        )
        extra += 1
    q, k, v = (t.reshape((n, t.shape[1], heads, d)).swapaxes(1, 2) for t in (q, k, v))
    k, v = (
        t if s is None else asarray(s).reshape((n, heads, -1, d)) for t, s in zip((k, v), static, strict=True)
    )  # fmt: skip
    if add_zero:
        k, v, extra = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1)), extra + 1
    causal = is_causal and padding is None and not need_weights and not extra
    if is_causal and attn_mask is None and not causal:
        attn_mask = wrap(q.device.xp.triu(q.device.xp.ones((rows, k.shape[2] - extra), bool), 1), q.device, None)
    mask = None if causal else _combined_mask(attn_mask, padding, q, (n, heads, rows, k.shape[2]), extra)
    seen = None
    if need_weights:
        out, seen = _attend_with_weights(q, k, v, mask, dropout_p)
        seen = seen.mean(axis=1) if average else seen
        seen = seen.squeeze(0) if single else seen
    else:
        out = scaled_dot_product_attention(q, k, v, mask, dropout_p, causal)
    out = OPS["linear"](out.swapaxes(1, 2).reshape((n, rows, width)), *out_proj)
    return (out.squeeze(0) if single else out if batch_first else out.swapaxes(0, 1)), seen


def _project_inputs(inputs: list, weights: Any, bias: Any, width: int, heads: int) -> list[Tensor]:
    """Return query, key and value, each times its weights: (N, L, width); by one product if all three are the same."""
    if inputs[0].shape[-1] != width or width % heads:
        raise ShapeError(
            f"multi_head_attention_forward: query {inputs[0].shape} must end in {width}, which {heads} heads divide"
        )
    if len(inputs) == 1 and not isinstance(weights, tuple):
        return OPS["linear"](inputs[0], weights, bias).split(width, dim=-1)
    inputs = inputs * (3 // len(inputs))
    if inputs[1].shape[:2] != inputs[2].shape[:2]:
        raise ShapeError(
            f"multi_head_attention_forward: key {inputs[1].shape} and value {inputs[2].shape} differ in length or batch"
        )
    weights = weights if isinstance(weights, tuple) else asarray(weights).split(width, dim=0)
    biases = (None,) * 3 if bias is None else asarray(bias).split(width, dim=0)
    return [OPS["linear"](x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)]
