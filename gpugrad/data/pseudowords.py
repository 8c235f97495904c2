"""Words with two meanings, made from text: of two words each occurrence becomes the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .words import WordCorpus


class Occurrences(NamedTuple):
    """Holds windows of words, int64 (N, 2 reach + 1), whose middle is a pseudo-word; which pair it is of, (N,); and
    which of its words stood there, 0 or 1, (N,).

    >>> gg.data.Occurrences(np.array([[4, 1, 3]]), np.array([0]), np.array([1])).meaning.tolist()
    [1]
    """

    windows: np.ndarray
    pair: np.ndarray
    meaning: np.ndarray


class PseudoWords:
    """Makes words with two meanings: the second word of each pair becomes the first, and which it was is to be found.

    Gale, Church and Yarowsky 1992, "Work on statistical methods for word sense disambiguation". tokens: the corpus's,
    with that change. Raises DataError for a word that the corpus does not know.

    >>> corpus = gg.data.WordCorpus(["the cat sat here", "the dog ran here"], least=1)
    >>> made = gg.data.PseudoWords(corpus, [("cat", "dog")])
    >>> found = made.occurrences(reach=1)
    >>> [corpus.words[number] for number in found.windows[1]], found.meaning.tolist()
    (['the', 'cat', 'ran'], [0, 1])
    """

    def __init__(self, corpus: WordCorpus, pairs: Sequence[tuple[str, str]]):
        self.corpus, self.pairs = corpus, [(corpus.number(a), corpus.number(b)) for a, b in pairs]
        if len({word for pair in self.pairs for word in pair}) != 2 * len(self.pairs):
            raise DataError(f"PseudoWords: the pairs {list(pairs)} have a word in common")
        self.tokens = corpus.tokens.copy()
        for first, second in self.pairs:
            self.tokens[corpus.tokens == second] = first

    def occurrences(self, reach: int, start: int = 0, stop: int | None = None) -> Occurrences:
        """Return the pseudo-words among the tokens from `start` to `stop` that have `reach` tokens on both sides."""
        stop = len(self.tokens) if stop is None else stop
        inside = np.arange(start + reach, stop - reach)
        found = []
        for number, pair in enumerate(self.pairs):
            for meaning, word in enumerate(pair):
                places = inside[self.corpus.tokens[inside] == word]
                found += [(place, number, meaning) for place in places]
        places, numbers, meanings = np.array(sorted(found), np.int64).reshape(-1, 3).T
        return Occurrences(self.tokens[places[:, None] + np.arange(-reach, reach + 1)], numbers, meanings)
