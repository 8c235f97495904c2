"""Defines ELMo: two language models, one in each direction, whose layers are mixed into features of words."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import LSTM, Embedding, Linear, Module, ModuleList, Parameter
from ..ops.creation import ones, zeros
from ..ops.join import concatenate
from .architecture import check_tokens


class ScalarMix(Module):
    """Mixes the states of `layers` layers: gamma * sum_j softmax(s)_j h_j (Peters et al. 2018, equation 1).

    Called with a sequence of Tensors of one shape; returns one of that shape. s and gamma are learned; at first all
    layers count the same. Raises ShapeError for another number of layers.

    >>> mix = gg.models.ScalarMix(2)
    >>> mix([gg.tensor([1.0, 2.0]), gg.tensor([3.0, 6.0])]).tolist()
    [2.0, 4.0]
    """

    def __init__(self, layers: int):
        super().__init__()
        self.scores, self.gamma = Parameter(zeros(layers)), Parameter(ones(1))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        if len(states) != len(self.scores):
            raise ShapeError(f"ScalarMix: expected the states of {len(self.scores)} layers, got {len(states)}")
        shares = self.scores.softmax(axis=0)
        mixed = shares[0] * states[0]
        for share, state in zip(shares[1:], states[1:], strict=True):
            mixed = mixed + share * state
        return self.gamma * mixed


class ELMo(Module):
    """Predicts the word after each and the word before each: integers (N, T) -> two logits (N, T, words).

    Peters et al. 2018, with vectors of words instead of their characters'. The two directions share the words' vectors
    and the output layer; each has `layers` LSTM layers of `width`, whose second and later ones add to their input.

    >>> model = gg.models.ELMo(words=9, width=8)
    >>> after, before = model(gg.ones(2, 5, dtype="int64"))
    >>> after.shape, before.shape
    ((2, 5, 9), (2, 5, 9))
    >>> [state.shape for state in model.states(gg.ones(2, 5, dtype="int64"))]
    [(2, 5, 16), (2, 5, 16), (2, 5, 16)]
    """

    def __init__(self, words: int, width: int = 128, layers: int = 2):
        super().__init__()
        self.words = Embedding(words, width)
        self.forwards = ModuleList([LSTM(width, width, batch_first=True) for _ in range(layers)])
        self.backwards = ModuleList([LSTM(width, width, batch_first=True) for _ in range(layers)])
        self.head = Linear(width, words)

    def directions(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return the states (N, T, width) of both directions, of the words and of each layer."""
        check_tokens(tokens, "ELMo")
        right = self.words(tokens)
        states = [(right, right)]
        left = right.flip(1)
        for layer, (forward, backward) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            after, before = forward(right)[0], backward(left)[0]
            right, left = (right + after, left + before) if layer else (after, before)
            states.append((right, left.flip(1)))
        return states

    def states(self, tokens: Tensor) -> list[Tensor]:
        """Return the features (N, T, 2 width) of the words and of each layer, both directions side by side."""
        return [concatenate(pair, axis=2) for pair in self.directions(tokens)]

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        right, left = self.directions(tokens)[-1]
        return self.head(right), self.head(left)
