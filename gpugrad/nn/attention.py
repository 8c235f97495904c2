"""Multi-head attention (Vaswani et al. 2017), with PyTorch's parameters."""

from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import init
from .functional.multihead_attention import attend_heads
from .linear import Linear
from .module import Module
from .parameter import empty


class MultiheadAttention(Module):
    """Computes softmax(Q K^T / sqrt(d)) V in `num_heads` heads of learned projections.

    The query is (L, N, E), the key (S, N, kdim) and the value (S, N, vdim), with batch_first the N comes first, and all
    may come without N. The layer returns the output, shaped like the query, and the attention weights (N, L, S),
    averaged over heads, or None if need_weights is False. Its parameters are in_proj_weight (3E, E) (or q_, k_ and
    v_proj_weight if the widths differ), in_proj_bias, and those of out_proj. See A. Vaswani et al. 2017, section 3.2.2.

    >>> layer = nn.MultiheadAttention(embed_dim=8, num_heads=2, batch_first=True)
    >>> output, weights = layer(gg.ones((1, 5, 8)), gg.ones((1, 7, 8)), gg.ones((1, 7, 8)))
    >>> output.shape, weights.shape
    ((1, 5, 8), (1, 5, 7))
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
            raise OptionError(f"MultiheadAttention: embed_dim {embed_dim} cannot be divided into {num_heads} heads")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        self.kdim, self.vdim = (embed_dim if dim is None else dim for dim in (kdim, vdim))
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
        """Attend to `value`. Masks are as in PyTorch: True, or -inf added to the scores, is what must not be looked at.

        attn_mask is (L, S) or (N * num_heads, L, S); key_padding_mask is (N, S), or (S,) without N. is_causal promises
        that attn_mask is the causal mask, which then need not be read, or stands for it if none is given.
        """
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        return attend_heads(
            query, key, value, self.embed_dim, self.num_heads,
            separate if self.in_proj_weight is None else self.in_proj_weight, self.in_proj_bias,
            (self.bias_k, self.bias_v), self.add_zero_attn, self.dropout if self.training else 0.0,
            (self.out_proj.weight, self.out_proj.bias), self.batch_first, key_padding_mask, need_weights, attn_mask,
            average_attn_weights, is_causal,
        )  # fmt: skip
