"""Defines word2vec: vectors of words that predict the words beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..autograd.tensor import Tensor
from ..errors import OptionError
from ..nn import Embedding, Module, init
from ..nn.functional import cross_entropy, logsigmoid


class Word2Vec(Module):
    """Learns a vector for each of `words` words from pairs (given, wanted) (Mikolov et al. 2013a, 2013b).

    - skip-gram: given is a word (N,), wanted one beside it (N,);
    - CBOW: given are the words beside it (N, C), whose mean vector is taken, and wanted is the word in the middle (N,).
      The number `words` is no word and fills up a row.

    counts: how often each word occurs. `full_softmax_loss` compares with all words; `negative_sampling_loss` with some
    that are drawn by `draw`, in proportion to their counts to the power 3/4. Raises OptionError for counts that are not
    positive.

    >>> model = gg.models.Word2Vec([5, 3, 2], width=4)
    >>> model.full_softmax_loss(gg.tensor([0, 1]), gg.tensor([2, 0])).item() > 0
    True
    >>> model.draw((2, 3), np.random.default_rng(0)).shape
    (2, 3)
    """

    def __init__(self, counts: object, width: int = 64):
        super().__init__()
        counts = np.asarray(counts, np.float64)
        if counts.ndim != 1 or not len(counts) or (counts <= 0).any():
            raise OptionError(f"Word2Vec: counts must be positive numbers, got an array of shape {counts.shape}")
        self.words = len(counts)
        self.vectors = Embedding(self.words + 1, width, padding_idx=self.words)
        self.contexts = Embedding(self.words, width)
        init.uniform_(self.vectors.weight, -0.5 / width, 0.5 / width)
        self.vectors.weight.data[self.words] = 0
        init.zeros_(self.contexts.weight)
        self._cumulative = np.cumsum(counts**0.75)

    def given(self, words: Tensor) -> Tensor:
        """Return the vectors of the words (N,), or the means of those of rows (N, C): (N, width)."""
        vectors = self.vectors(words)
        if words.ndim == 1:
            return vectors
        return vectors.sum(axis=1) / (words != self.words).sum(axis=1, keepdims=True).to(dtype=vectors.dtype)

    def full_softmax_loss(self, words: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean of -log p(wanted | words), p(o | c) = exp(u_o . v_c) / sum_w exp(u_w . v_c)."""
        return cross_entropy(self.given(words) @ self.contexts.weight.T, wanted)

    def negative_sampling_loss(self, words: Tensor, wanted: Tensor, others: Tensor) -> Tensor:
        """Return the mean of -log s(u_o . v_c) - sum_k log s(-u_k . v_c), s the sigmoid, others (N, K)."""
        given = self.given(words)
        right = (given * self.contexts(wanted)).sum(axis=1)
        wrong = (given.expand_dims(1) * self.contexts(others)).sum(axis=2)
        return -(logsigmoid(right).mean() + logsigmoid(-wrong).sum(axis=1).mean())

    def draw(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        """Draw words in proportion to their counts to the power 3/4: int64 of the shape."""
        return np.searchsorted(self._cumulative, random.random(shape) * self._cumulative[-1], side="right")

    def similarities(self) -> np.ndarray:
        """Return the cosines between the vectors of all words: float64 (words, words)."""
        return cosines(self.vectors.weight[: self.words].detach().cpu().numpy())


def cosines(vectors: object) -> np.ndarray:
    """Return the cosines between vectors (N, D): float64 (N, N).

    >>> gg.models.cosines([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]).tolist()[0]
    [1.0, 0.0, 1.0]
    """
    given = np.asarray(vectors, np.float64)
    given = given / np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-12)
    return given @ given.T


def odd_one_out(similarities: np.ndarray, groups: Sequence[Sequence[int]]) -> tuple[int, int]:
    """Return how often the word that is least similar to three others is the one of another group, and of how many.

    Each three of a group (in order, so as many as the group has words) are asked with each word of each other group;
    chance is a quarter. similarities: between all words. groups: the numbers of words, without one in common.

    >>> similarities = np.array([[1, 0.9, 0.8, 0], [0.9, 1, 0.7, 0], [0.8, 0.7, 1, 0], [0, 0, 0, 1]])
    >>> gg.models.odd_one_out(similarities, [[0, 1, 2], [3]])
    (3, 3)
    """
    right = asked = 0
    for group in groups:
        if len(group) < 3:
            continue
        for i in range(len(group)):
            three = [group[(i + step) % len(group)] for step in range(3)]
            for odd in (word for other in groups if other is not group for word in other):
                four = [*three, odd]
                among = similarities[np.ix_(four, four)].sum(axis=1)
                right, asked = right + int(among.argmin() == 3), asked + 1
    return right, asked
