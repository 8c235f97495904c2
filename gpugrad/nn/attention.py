"""Multi-head attention (Vaswani et al. 2017), with PyTorch's parameters."""

from typing import Any

from ..autograd.tensor import Tensor
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
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn are not supported")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
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
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new start values: Xavier uniform for the input projections, zeros for the biases."""
        for weight in self._parameters.values():
            if weight is not None and weight.ndim == 2:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)

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
        """Masks as in PyTorch: True (or -inf, added to the scores) is what must not be looked at."""
        single = query.ndim == 2
        if single:
            query, key, value = (t.reshape((1, *t.shape)) for t in (query, key, value))
        elif not self.batch_first:
            query, key, value = (t.swapaxes(0, 1) for t in (query, key, value))
        q, k, v = (self._heads(t, i) for i, t in enumerate((query, key, value)))
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        dropout = self.dropout if self.training else 0.0
        if need_weights:
            out, weights = _attention_with_weights(q, k, v, mask, dropout)
            weights = weights.mean(axis=1) if average_attn_weights else weights
            weights = weights[0] if single else weights
        else:
            causal = is_causal and key_padding_mask is None
            out = F.scaled_dot_product_attention(q, k, v, None if causal else mask, dropout, causal)
            weights = None
        out = self.out_proj(out.swapaxes(1, 2).reshape(query.shape))
        return (out[0] if single else out if self.batch_first else out.swapaxes(0, 1)), weights

    def _heads(self, x: Tensor, i: int) -> Tensor:
        """The projection number `i` (q, k, v) of x (N, L, width): (N, heads, L, d)."""
        e = self.embed_dim
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight[i * e : (i + 1) * e]
        else:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[i]
        bias = None if self.in_proj_bias is None else self.in_proj_bias[i * e : (i + 1) * e]
        projected = F.linear(x, weight, bias)
        return projected.reshape((*x.shape[:2], self.num_heads, e // self.num_heads)).swapaxes(1, 2)

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


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype.kind != "b":
        return mask
    zeros = like.device.xp.zeros(mask.shape, like.dtype)
    return type(like)(zeros, device=like.device).masked_fill(mask, float("-inf"))


def _attention_with_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float
) -> tuple[Tensor, Tensor]:
    scores = (q * q.shape[-1] ** -0.5) @ k.swapaxes(-1, -2)
    weights = F.softmax(scores if mask is None else scores + mask, dim=-1)
    weights = F.dropout(weights, dropout)
    return weights @ v, weights
