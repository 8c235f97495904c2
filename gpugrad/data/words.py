"""Words beside words: a text as numbers, and the pairs from which vectors of words are learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError, OptionError
from .dataset import Dataset


class WordCorpus:
    """Numbers the words of sentences, the most frequent first; those with fewer than `least` occurrences are left out.

    words, counts: of the vocabulary. tokens, sentences: each occurrence's word and the number of its sentence, (T,).
    Raises DataError if no word is left.

    >>> corpus = gg.data.WordCorpus(["a rose is a rose", "is it"], least=2)
    >>> corpus.words, corpus.counts.tolist(), corpus.tokens.tolist()
    (['a', 'rose', 'is'], [2, 2, 2], [0, 1, 2, 0, 1, 2])
    >>> corpus.sentences.tolist(), corpus.number("rose")
    ([0, 0, 0, 0, 0, 1], 1)
    """

    def __init__(self, sentences: Sequence[str], least: int = 5):
        split = [sentence.split() for sentence in sentences]
        common = Counter(word for words in split for word in words).most_common()
        kept = [(word, count) for word, count in common if count >= least]
        if not kept:
            raise DataError(f"WordCorpus: no word occurs {least} times in {len(sentences)} sentences")
        self.words, self.counts = [word for word, _ in kept], np.array([count for _, count in kept])
        self._numbers = {word: number for number, word in enumerate(self.words)}
        places = [(self._numbers[w], i) for i, words in enumerate(split) for w in words if w in self._numbers]
        self.tokens, self.sentences = np.array(places, np.int64).T

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def number(self, word: str) -> int:
        """Return the number of a word. Raises DataError for an unknown one."""
        if word not in self._numbers:
            raise DataError(f"WordCorpus: the word {word!r} is not one of the {len(self.words)} known ones")
        return self._numbers[word]

    def subsampled(self, random: np.random.Generator, t: float = 1e-3) -> np.ndarray:
        """Return which tokens (T,) stay when a word of frequency f stays with probability sqrt(t / f), at most 1.

        Mikolov et al. 2013b, section 2.3.
        """
        frequencies = self.counts[self.tokens] / self.counts.sum()
        return random.random(len(self.tokens)) < np.sqrt(t / frequencies)


class WordContexts(Dataset):
    """Holds samples (given, wanted) of words up to `window` places apart within a sentence, int64.

    - kind "skip-gram": all pairs of a word and one beside it, both ();
    - kind "cbow": the words beside a word, (2 window,), filled up with `padding`, and the word, ().

    tokens, sentences: (T,), each token's word and its sentence's number. Raises OptionError for another kind, DataError
    where no word is beside another.

    >>> pairs = gg.data.WordContexts([5, 6, 7, 8], [0, 0, 0, 1], window=1)
    >>> [[int(word) for word in pair] for pair in pairs]
    [[5, 6], [6, 5], [6, 7], [7, 6]]
    >>> given, wanted = gg.data.WordContexts([5, 6, 7, 8], [0, 0, 0, 1], 1, "cbow", padding=9)[1]
    >>> given.tolist(), wanted.item()
    ([5, 7], 6)
    """

    def __init__(self, tokens: object, sentences: object, window: int, kind: str = "skip-gram", padding: int = -1):
        tokens, sentences = np.asarray(tokens, np.int64), np.asarray(sentences, np.int64)
        if kind not in ("skip-gram", "cbow"):
            raise OptionError(f"WordContexts: kind must be skip-gram or cbow, got {kind!r}")
        offsets = [offset for offset in range(-window, window + 1) if offset]
        places = np.arange(len(tokens))[:, None] + offsets
        inside = (places >= 0) & (places < len(tokens))
        places = np.where(inside, places, 0)
        beside = inside & (sentences[places] == sentences[:, None])
        if not beside.any():
            raise DataError(f"WordContexts: of {len(tokens)} tokens none is beside another in a sentence")
        if kind == "skip-gram":
            rows, columns = np.nonzero(beside)
            self.given, self.wanted = tokens[rows], tokens[places[rows, columns]]
        else:
            full = beside.any(axis=1)
            self.given, self.wanted = np.where(beside, tokens[places], padding)[full], tokens[full]

    def __len__(self) -> int:
        return len(self.wanted)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        given, wanted = self.batch(np.array([index]))
        return given[0], wanted[0]

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the samples `indices`."""
        return asarray(self.given[indices], device="cpu"), asarray(self.wanted[indices], device="cpu")
