"""Defines a captioner: a transformer writes what a convolutional network sees."""

from __future__ import annotations

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import (
    BatchNorm2d,
    Conv2d,
    Embedding,
    Linear,
    Module,
    Parameter,
    ReLU,
    Sequential,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    init,
)
from ..ops.creation import zeros
from .architecture import Network, check_tokens
from .positions import PositionalEncoding, scaled_embedding


class Captioner(Network):
    """Describes pictures: images (N, 3, S, S) and the beginnings of sentences (N, T) -> logits (N, T, words), None.

    Convolutions with stride make a grid of (S/8)^2 vectors, each with a learned vector of its place; the decoder's
    words look at it by cross-attention (Xu et al. 2015, "Show, attend and tell", with the decoder of Vaswani et al.
    2017). Raises ShapeError for images of another size.

    >>> model = gg.models.Captioner(words=12, size=24, width=16, heads=2, layers=1)
    >>> logits, _ = model(gg.zeros(2, 3, 24, 24), gg.ones(2, 5, dtype="int64"))
    >>> logits.shape
    (2, 5, 12)
    """

    def __init__(self, words: int, size: int = 40, width: int = 64, heads: int = 4, layers: int = 2):
        super().__init__()
        self.size, self.grid = size, -(-size // 8)
        parts: list[Module] = []
        for inside, outside, stride in ((3, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, width, 2)):
            parts += [Conv2d(inside, outside, 3, stride, padding=1, bias=False), BatchNorm2d(outside), ReLU()]
        self.encoder = Sequential(*parts)
        self.places = Parameter(zeros(self.grid**2, width))
        init.normal_(self.places, std=0.5)
        self.words = Embedding(words, width)
        self.words.weight.data.mul_(width**-0.5)
        self.positions = PositionalEncoding(width)
        layer = TransformerDecoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True)
        self.decoder = TransformerDecoder(layer, layers)
        self.head = Linear(width, words)

    def forward(self, images: Tensor, words: Tensor) -> tuple[Tensor, None]:
        if images.shape[1:] != (3, self.size, self.size):
            raise ShapeError(f"Captioner: expected images (N, 3, {self.size}, {self.size}), got {images.shape}")
        check_tokens(words, "Captioner")
        memory = self.encoder(images).flatten(2).swapaxes(1, 2) + self.places
        given = self.positions(scaled_embedding(self.words, words))
        causal = Transformer.generate_square_subsequent_mask(words.shape[1], words.device)
        return self.head(self.decoder(given, memory, tgt_mask=causal, tgt_is_causal=True)), None
