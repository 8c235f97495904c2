"""Defines GPT-2, a transformer over tokens (Radford et al. 2019), with the names of Hugging Face's checkpoints."""

from collections.abc import Mapping
from typing import Any

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import GELU, Embedding, LayerNorm, Linear, Module, ModuleDict, ModuleList, Sequential, init
from ..nn.functional import scaled_dot_product_attention
from ..ops.creation import ones
from .architecture import check_sizes, check_tokens
from .generation import KeyValueCache


class _SelfAttention(Module):
    """Mixes the tokens of each sequence by attention with several heads: (N, T, n_embd) -> the same shape."""

    def __init__(self, n_embd: int, n_head: int, qkv_bias: bool, causal: bool):
        super().__init__()
        self.n_head, self.head_size, self.causal = n_head, n_embd // n_head, causal
        self.c_attn = Linear(n_embd, 3 * n_embd, bias=qkv_bias)
        self.c_proj = Linear(n_embd, n_embd)

    def forward(self, x: Tensor, cache: KeyValueCache | None = None, layer: int = 0) -> Tensor:
        batch, length, width = *x.shape[:2], self.n_head * self.head_size
        parts = self.c_attn(x).split(width, dim=2)
        q, k, v = (part.view(batch, length, self.n_head, self.head_size).transpose(1, 2) for part in parts)
        read = 0 if cache is None else cache.length
        if cache is not None:
            k, v = cache.append(layer, k, v)
        seen = None  # one token more may look at all
        if self.causal and read and length > 1:
            seen = ones(length, read + length, dtype="bool", device=x.device).tril(read)
        mixed = scaled_dot_product_attention(q, k, v, seen, is_causal=self.causal and not read)
        return self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class _Block(Module):
    """Adds attention, and then a perceptron on each token, to the input; both see it normalised."""

    def __init__(self, n_embd: int, n_head: int, qkv_bias: bool, causal: bool, approximate: str):
        super().__init__()
        self.ln_1, self.attn = LayerNorm(n_embd), _SelfAttention(n_embd, n_head, qkv_bias, causal)
        self.ln_2 = LayerNorm(n_embd)
        wide, narrow = Linear(n_embd, 4 * n_embd), Linear(4 * n_embd, n_embd)
        self.mlp = Sequential({"c_fc": wide, "act": GELU(approximate), "c_proj": narrow})

    def forward(self, x: Tensor, cache: KeyValueCache | None = None, layer: int = 0) -> Tensor:
        x = x + self.attn(self.ln_1(x), cache, layer)
        return x + self.mlp(self.ln_2(x))


class GPT(Module):
    """Predicts the token after each: integers (N, T) -> logits (N, T, vocab_size), with T at most n_positions.

    The sizes have GPT-2's names, and by default those of its smallest version, of 124 M parameters. So have the state
    dict's entries (`transformer.h.0.attn.c_attn.weight`); the weights of `c_attn`, `c_proj` and `c_fc` are as
    `nn.Linear` keeps them, (out, in), the transpose of those in Hugging Face's checkpoints. There is no
    dropout. The start values are GPT-2's: normal with deviation 0.02, less in layers that add to the residual stream.

    - `tie_weights`: the output layer has the token embedding's weight.
    - `qkv_bias`: queries, keys and values have a bias.
    - `approximate`: "tanh" or "none", the form of GELU.
    - `causal`: a token sees only those before it. Without, the network is an encoder, as BERT's body is.

    The module raises ShapeError if n_embd is not a multiple of n_head, or a sequence is longer than n_positions.

    >>> import gpugrad as gg
    >>> model = gg.models.GPT(vocab_size=65, n_positions=32, n_embd=48, n_layer=2, n_head=3)
    >>> model(gg.zeros(4, 16, dtype="int64")).shape
    (4, 16, 65)
    >>> model.lm_head.weight is model.transformer.wte.weight
    True
    >>> [name for name in model.state_dict() if ".h.1.attn." in name and name.endswith("weight")]
    ['transformer.h.1.attn.c_attn.weight', 'transformer.h.1.attn.c_proj.weight']
    """

    def __init__(
        self,
        vocab_size: int = 50257,
        n_positions: int = 1024,
        n_embd: int = 768,
        n_layer: int = 12,
        n_head: int = 12,
        tie_weights: bool = True,
        qkv_bias: bool = True,
        approximate: str = "tanh",
        causal: bool = True,
    ):
        super().__init__()
        check_sizes(
            "GPT", vocab_size=vocab_size, n_positions=n_positions, n_embd=n_embd, n_layer=n_layer, n_head=n_head
        )
        if n_embd % n_head:
            raise ShapeError(f"GPT: n_embd must be a multiple of n_head, got {n_embd} and {n_head}")
        self.n_positions = n_positions
        blocks = [_Block(n_embd, n_head, qkv_bias, causal, approximate) for _ in range(n_layer)]
        self.transformer = ModuleDict({
            "wte": Embedding(vocab_size, n_embd), "wpe": Embedding(n_positions, n_embd),
            "h": ModuleList(blocks), "ln_f": LayerNorm(n_embd),
        })  # fmt: skip
        self.lm_head = Linear(n_embd, vocab_size, bias=False)
        if tie_weights:
            self.lm_head.weight = self.transformer.wte.weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new start values, as GPT-2's were drawn."""
        residual = 0.02 * (2 * len(self.transformer.h)) ** -0.5  # two additions in each block
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                init.normal_(parameter, std=residual if name.endswith("c_proj.weight") else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, input: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Return logits (N, T, vocab_size). With a cache, `input` goes on from the tokens that it has read."""
        read = 0 if cache is None else cache.length
        check_tokens(input, "GPT", self.n_positions, read)
        length, positions = input.shape[1], self.transformer.wpe.weight
        if length < self.n_positions:  # the whole table is added as it is, without an op that cuts it
            positions = positions[read : read + length]
        x = self.transformer.wte(input) + positions
        for layer, block in enumerate(self.transformer.h):
            x = block(x, cache, layer)
        if cache is not None:
            cache.advance(length)
        return self.lm_head(self.transformer.ln_f(x))

    def load_hugging_face(self, tensors: Mapping[str, Any]) -> None:
        """Load the tensors of a checkpoint of Hugging Face's GPT-2, such as a user's `model.safetensors`, by name.

        Its Conv1D weights are transposed, names may lack "transformer.", the masks that old files hold are passed over,
        and a tied output layer may be absent. Raises StateDictError for tensors of another architecture.

        >>> import gpugrad as gg
        >>> model = gg.models.GPT(vocab_size=11, n_positions=4, n_embd=6, n_layer=1, n_head=2)
        >>> named = {name: value.T if "c_" in name and value.ndim == 2 else value for name, value in
        ...          model.state_dict().items()}
        >>> model.load_hugging_face(named)
        """
        state = {}
        for name, value in tensors.items():
            full = name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"
            if full.endswith((".attn.bias", ".attn.masked_bias")):
                continue
            conv = full.rsplit(".", 2)[-2].startswith("c_") and full.endswith("weight")
            state[full] = value.T if conv else value
        state.setdefault("lm_head.weight", state.get("transformer.wte.weight"))
        self.load_state_dict({name: value for name, value in state.items() if value is not None})
