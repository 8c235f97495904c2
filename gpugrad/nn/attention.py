"""Multi-head attention (Vaswani et al. 2017), with PyTorch's parameters."""

from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..ops.creation import zeros
from ..ops.join import concatenate, split
from ..ops.shape import broadcast_to
from . import functional as F
from . import init
from .linear import Linear
from .module import Module
from .parameter import empty


class MultiheadAttention(Module):
    """softmax(Q K^T / sqrt(d)) V in `num_heads` heads of learned projections.

    query: (L, N, E), key: (S, N, kdim), value: (S, N, vdim), or with batch_first the N first, or all without N.
    Returns (output like query, attention weights (N, L, S), averaged over heads, or None if need_weights is False).
    Parameters: in_proj_weight (3E, E) (or q_, k_ and v_proj_weight if the widths differ), in_proj_bias, out_proj.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim {embed_dim} cannot be divided into {num_heads} heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        together = self.kdim == self.vdim == embed_dim
        self.register_parameter(
            "in_proj_weight", empty((3 * embed_dim, embed_dim), device, dtype) if together else None
        )
        for name, width in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            own = None if together else empty((embed_dim, width), device, dtype)
            self.register_parameter(f"{name}_proj_weight", own)
        self.register_parameter("in_proj_bias", empty((3 * embed_dim,), device, dtype) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, empty((1, 1, embed_dim), device, dtype) if add_bias_kv else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new start values: Xavier for the input projections and the added key and value, zeros for biases."""
        for weight in self._parameters.values():
            if weight is not None and weight.ndim == 2:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for added in (self.bias_k, self.bias_v):
            if added is not None:
                init.xavier_normal_(added)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Masks as in PyTorch: True (or -inf, added to the scores) is what must not be looked at.

        attn_mask: (L, S), or (N * num_heads, L, S); key_padding_mask: (N, S), or (S,) without N. is_causal: attn_mask,
        if given, is the causal mask, which then need not be read.
        """
        single = query.ndim == 2
        q, k, v = self._projected(query, key, value, single)
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        added = self.bias_k is not None or self.add_zero_attn
        causal = is_causal and not need_weights and key_padding_mask is None and not added
        if is_causal and attn_mask is None and not causal:
            hidden = _causal(q, k.shape[2])
            mask = hidden if mask is None else mask + hidden
        k, v, mask = self._added(k, v, mask)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            out, weights = _attention_with_weights(q, k, v, mask, dropout)
            weights = weights.mean(axis=1) if average_attn_weights else weights
            weights = weights[0] if single else weights
        else:
            out = F.scaled_dot_product_attention(q, k, v, None if causal else mask, dropout, causal)
            weights = None
        out = self.out_proj(out.swapaxes(1, 2).reshape((q.shape[0], q.shape[2], self.embed_dim)))
        return (out[0] if single else out if self.batch_first else out.swapaxes(0, 1)), weights

    def _projected(self, query: Tensor, key: Tensor, value: Tensor, single: bool) -> list[Tensor]:
        """q, k and v (N, heads, L, d): one product for all three if they come from the same input."""
        inputs = [query] if query is key and key is value else [query, key, value]
        if single:
            inputs = [t.reshape((1, *t.shape)) for t in inputs]
        elif not self.batch_first:
            inputs = [t.swapaxes(0, 1) for t in inputs]
        if len(inputs) == 1 and self.in_proj_weight is not None:
            projected = split(F.linear(inputs[0], self.in_proj_weight, self.in_proj_bias), 3, axis=-1)
        else:
            projected = [self._project(inputs[i % len(inputs)], i) for i in range(3)]
        return [t.reshape((*t.shape[:2], self.num_heads, self.head_dim)).swapaxes(1, 2) for t in projected]

    def _project(self, x: Tensor, i: int) -> Tensor:
        """The projection number `i` (q, k, v) of x (N, L, width): (N, L, E)."""
        e = self.embed_dim
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight[i * e : (i + 1) * e]
        else:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[i]
        bias = None if self.in_proj_bias is None else self.in_proj_bias[i * e : (i + 1) * e]
        return F.linear(x, weight, bias)

    def _added(self, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """k, v and the mask with the learned key and value and the zeros that every query may look at."""
        shape, length = (k.shape[0], self.num_heads, 1, self.head_dim), k.shape[2]
        if self.bias_k is not None:
            rows = (b.reshape((1, self.num_heads, 1, self.head_dim)) for b in (self.bias_k, self.bias_v))
            k, v = (concatenate([t, broadcast_to(row, shape)], axis=2) for t, row in zip((k, v), rows, strict=True))
        if self.add_zero_attn:
            k, v = (concatenate([t, zeros(shape, dtype=t.dtype, device=t.device)], axis=2) for t in (k, v))
        if mask is not None and k.shape[2] > length:
            free = zeros((*mask.shape[:-1], k.shape[2] - length), dtype=mask.dtype, device=mask.device)
            mask = concatenate([mask, free], axis=-1)
        return k, v, mask

    def _mask(self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
        """What is added to the scores: 0, or -inf where a mask forbids to look."""
        total = None
        if attn_mask is not None:
            total = _additive(attn_mask, q)
            if total.ndim == 3:
                total = total.reshape((q.shape[0], self.num_heads, q.shape[2], k.shape[2]))
        if padding is not None:
            hidden = _additive(padding, q).reshape((q.shape[0], 1, 1, k.shape[2]))
            total = hidden if total is None else total + hidden
        return total


def _causal(q: Tensor, keys: int) -> Tensor:
    """(L, S): -inf for later keys."""
    hidden = q.device.xp.full((q.shape[2], keys), -float("inf"), q.dtype)
    return wrap(q.device.xp.triu(hidden, 1), q.device, None)


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype.kind != "b":
        return mask
    return zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, float("-inf"))


def _attention_with_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float
) -> tuple[Tensor, Tensor]:
    scores = (q * q.shape[-1] ** -0.5) @ k.swapaxes(-1, -2)
    weights = F.softmax(scores if mask is None else scores + mask, dim=-1)
    weights = F.dropout(weights, dropout)
    return weights @ v, weights
