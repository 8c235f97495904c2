"""Defines translators: recurrent ones with attention and without, and the transformer."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn import GRU, Embedding, Linear, Module, Transformer
from ..nn.functional import log_softmax
from ..nn.init import xavier_uniform_
from ..nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from ..ops.join import concatenate
from .architecture import check_tokens
from .generation import Hypothesis, beam_search
from .positions import PositionalEncoding, scaled_embedding

VARIANTS = ("dot", "multiplicative", "values", "learned")


class Attention(Module):
    """Looks from states (N, T, H) at a memory (N, S, H): returns contexts (N, T, H) and weights (N, T, S).

    The weights are softmax(e) over the memory, and the context is the weighted sum of the values. By `variant`, for a
    state q and a memory vector h:

    - "dot": e = q . h / sqrt(H), the value is h;
    - "multiplicative": e = q . W h / sqrt(H) (Luong et al. 2015), the value is h;
    - "values": the same, and the value is V h;
    - "learned": e = v . tanh(W q + U h) (Bahdanau et al. 2015), the value is h.

    Products of long vectors are large, and a softmax of large numbers stops learning, hence the divisor (Vaswani et al.
    2017, section 3.2.1).

    mask (N, S): True, or not 0, where the memory holds something. Raises OptionError for another variant, ShapeError
    for a mask of another shape.

    >>> context, weights = gg.models.Attention(8, "multiplicative")(gg.ones(1, 2, 8), gg.ones(1, 5, 8))
    >>> context.shape, weights.shape
    ((1, 2, 8), (1, 2, 5))
    """

    def __init__(self, width: int, variant: str = "multiplicative"):
        super().__init__()
        if variant not in VARIANTS:
            raise OptionError(f"Attention: variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
        self.variant, self.width = variant, width
        self.key = None if variant == "dot" else Linear(width, width, bias=False)
        self.value = Linear(width, width, bias=False) if variant == "values" else None
        self.query = Linear(width, width) if variant == "learned" else None
        self.score = Linear(width, 1, bias=False) if variant == "learned" else None
        for layer in (self.key, self.value, self.query):
            if layer is not None:
                xavier_uniform_(layer.weight)  # as MultiheadAttention begins; a Linear begins smaller

    def forward(self, states: Tensor, memory: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        keys = memory if self.key is None else self.key(memory)
        values = memory if self.value is None else self.value(memory)
        if self.query is None or self.score is None:
            scores = states @ keys.swapaxes(1, 2) * self.width**-0.5
        else:
            both = self.query(states).expand_dims(2) + keys.expand_dims(1)
            scores = self.score(both.tanh())[..., 0]
        if mask is not None:
            if mask.shape != memory.shape[:2]:
                raise ShapeError(f"Attention: the mask must have the shape {memory.shape[:2]}, got {mask.shape}")
            scores = scores.masked_fill(mask.expand_dims(1) == 0, -1e9)
        weights = scores.softmax(axis=2)
        return weights @ values, weights


class Seq2Seq(Module):
    """Translates with a recurrent encoder and decoder: tokens (N, S) and the beginning (N, T) -> logits (N, T, target).

    The encoder's last state is the decoder's first (Sutskever et al. 2014); with `attention` (a variant of
    `Attention`) each step also looks at all of the encoder's states. Token 0 is padding. `forward` returns logits and
    the weights (N, T, S), or None without attention.

    >>> model = gg.models.Seq2Seq(source=20, target=15, width=8, attention="dot")
    >>> logits, weights = model(gg.ones(2, 6, dtype="int64"), gg.ones(2, 3, dtype="int64"))
    >>> logits.shape, weights.shape
    ((2, 3, 15), (2, 3, 6))
    """

    def __init__(self, source: int, target: int, width: int = 128, attention: str | None = "multiplicative"):
        super().__init__()
        self.source, self.target = Embedding(source, width, padding_idx=0), Embedding(target, width)
        self.encoder = GRU(width, width, batch_first=True)
        self.decoder = GRU(width, width, batch_first=True)
        self.attention = None if attention is None else Attention(width, attention)
        self.mixed = None if attention is None else Linear(2 * width, width)
        self.head = Linear(width, target)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        _check(source, target, "Seq2Seq")
        mask = source != 0
        lengths = mask.sum(axis=1).cpu().numpy()
        packed = pack_padded_sequence(self.source(source), lengths, batch_first=True, enforce_sorted=False)
        memory, last = self.encoder(packed)
        states, _ = self.decoder(self.target(target), last)
        if self.attention is None or self.mixed is None:
            return self.head(states), None
        memory, _ = pad_packed_sequence(memory, batch_first=True, total_length=source.shape[1])
        contexts, weights = self.attention(states, memory, mask)
        return self.head(self.mixed(concatenate([states, contexts], axis=2)).tanh()), weights


class TransformerTranslator(Module):
    """Translates with the transformer: tokens (N, S) and the beginning (N, T) -> logits (N, T, target), None.

    Vaswani et al. 2017, "Attention is all you need"; by default its base model, N = 6 layers of width 512 with 8 heads.
    Token 0 is padding.

    >>> model = gg.models.TransformerTranslator(20, 15, width=8, heads=2, layers=1, feedforward=16)
    >>> logits, _ = model(gg.ones(2, 6, dtype="int64"), gg.ones(2, 3, dtype="int64"))
    >>> logits.shape
    (2, 3, 15)
    """

    def __init__(
        self,
        source: int,
        target: int,
        width: int = 512,
        heads: int = 8,
        layers: int = 6,
        feedforward: int = 2048,
        dropout: float = 0.1,
        norm_first: bool = False,
        positions: str = "sinusoidal",
    ):
        super().__init__()
        self.source, self.target = Embedding(source, width), Embedding(target, width)
        for table in (self.source, self.target):
            table.weight.data.mul_(width**-0.5)  # of deviation 1 once they are scaled
        self.positions = PositionalEncoding(width, positions)
        self.transformer = Transformer(
            width, heads, layers, layers, feedforward, dropout, batch_first=True, norm_first=norm_first
        )
        self.head = Linear(width, target)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, None]:
        _check(source, target, "TransformerTranslator")
        padding = source == 0
        given = [
            self.positions(scaled_embedding(table, tokens))
            for table, tokens in ((self.source, source), (self.target, target))
        ]
        causal = Transformer.generate_square_subsequent_mask(target.shape[1], target.device)
        states = self.transformer(
            *given, tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding, tgt_is_causal=True
        )
        return self.head(states), None


def _check(source: Tensor, target: Tensor, name: str) -> None:
    for tokens in (source, target):
        check_tokens(tokens, name)
    if len(source) != len(target):
        raise ShapeError(f"{name}: expected a beginning for each of {len(source)} sources, got {len(target)}")


def translate(model: Any, source: Tensor, start: int, end: int, max_length: int) -> np.ndarray:
    """Translate sequences (N, S) greedily: int64 (N, T), T at most `max_length`; `end` and padding 0 fill a row.

    >>> model = gg.models.Seq2Seq(20, 15, width=8)
    >>> gg.models.translate(model, gg.ones(2, 6, dtype="int64"), start=1, end=2, max_length=4).shape[0]
    2
    """
    written, over = np.full((len(source), 1), start, np.int64), np.zeros(len(source), bool)
    with no_grad():
        while written.shape[1] <= max_length and not over.all():
            logits, _ = model(source, asarray(written, device=source.device))
            new = np.where(over, 0, logits[:, -1].cpu().numpy().argmax(axis=1))
            written, over = np.concatenate([written, new[:, None]], axis=1), over | (new == end)
    return written[:, 1:]


def translate_by_beams(
    model: Any, source: Tensor, start: int, end: int, width: int, max_length: int, length_penalty: float = 0.0
) -> list[Hypothesis]:
    """Translate one sequence (S,) by `beam_search`; returns what it found, the best first.

    >>> model = gg.models.Seq2Seq(20, 15, width=8)
    >>> len(gg.models.translate_by_beams(model, gg.ones(6, dtype="int64"), 1, 2, width=3, max_length=4))
    3
    """

    def score(beginnings: np.ndarray) -> np.ndarray:
        repeated = source.expand_dims(0).broadcast_to((len(beginnings), len(source)))
        with no_grad():
            logits, _ = model(repeated, asarray(beginnings, device=source.device))
            return log_softmax(logits[:, -1], 1).cpu().numpy()

    return beam_search(score, start, end, width, max_length, length_penalty)
