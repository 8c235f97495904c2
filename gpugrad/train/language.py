"""Recipes of language models: characters of source code, measured in bits against gzip and n-grams."""

from __future__ import annotations

import gzip
import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import CharTokenizer, DataLoader, TokenDataset, python_source
from ..errors import DataError
from ..nn.functional import cross_entropy
from ..optim import AdamW
from .recipe import Recipe
from .schedules import falling
from .trainer import Trainer


def gzip_bits(text: str) -> float:
    """Return the bits that gzip needs for a character of the text. Raises DataError for an empty one.

    >>> gg.train.gzip_bits("ab" * 500) < 1
    True
    """
    if not text:
        raise DataError("gzip_bits: the text is empty")
    return 8 * len(gzip.compress(text.encode(), 9)) / len(text)


def ngram_bits(train: Any, test: Any, order: int = 5) -> float:
    """Return the bits per token of `test` under an n-gram model of `train`, both integers (T,).

    The probability after a context is interpolated with that after the shorter ones (Witten and Bell 1991): p(c | h) =
    (count(h c) + kinds(h) p(c | shorter h)) / (count(h) + kinds(h)), where kinds(h) counts the tokens seen after h.
    Those of test that have fewer than order - 1 tokens before them are left out. Raises DataError for too few tokens.

    >>> gg.train.ngram_bits([0, 1] * 50, [0, 1] * 5, order=2) < 0.5
    True
    """
    train, test = np.asarray(train, np.int64), np.asarray(test, np.int64)
    if min(len(train), len(test)) < order:
        raise DataError(f"ngram_bits: {len(train)} and {len(test)} tokens are too few for order {order}")
    size = int(max(train.max(), test.max())) + 1
    if order * math.log2(size) > 62:
        raise DataError(f"ngram_bits: order {order} of {size} tokens is beyond what 64 bits can number")
    probability = np.full(len(test) - order + 1, 1 / size)
    for length in range(order):  # of the context
        joint, seen = (_numbered(train, length + 1, size, length + 1), _numbered(test, length + 1, size, order))
        keys, counts = np.unique(joint, return_counts=True)
        contexts, first, kinds = np.unique(keys // size, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, first)
        count = _looked_up(keys, counts, seen)
        total, kind = (_looked_up(contexts, found, seen // size) for found in (totals, kinds))
        known = total > 0
        mixed = (count + kind * probability) / np.maximum(1, total + kind)
        probability = np.where(known, mixed, probability)
    return float(-np.log2(probability).mean())


def _numbered(tokens: np.ndarray, length: int, size: int, order: int) -> np.ndarray:
    """Return a number for each run of `length` tokens, of those runs that end where a run of `order` does."""
    ends = len(tokens) - order + 1
    runs = [tokens[order - length + i : order - length + i + ends] * size ** (length - 1 - i) for i in range(length)]
    return np.sum(runs, axis=0)


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the values of the wanted keys, 0 for those that there are not."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)


def token_cross_entropy(logits: Tensor, tokens: Tensor, **options: Any) -> Tensor:
    """Return the cross-entropy of logits (..., V) with tokens (...): `cross_entropy`, whose options it takes.

    >>> gg.train.token_cross_entropy(gg.zeros(2, 3, 4), gg.zeros(2, 3, dtype="int64")).exp()
    tensor(4.)
    """
    return cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens.reshape(-1), **options)


class NextToken(Trainer):
    """Learns to predict the token after each: the model gives logits (N, T, V), or a tuple that begins with them.

    >>> model = nn.Embedding(5, 5)
    >>> trainer = gg.train.NextToken(model, gg.optim.SGD(model.parameters(), lr=0.1))
    >>> trainer.loss_of((gg.zeros(2, 3, dtype="int64"), gg.zeros(2, 3, dtype="int64"))).shape
    ()
    """

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        tokens, following = batch
        output = self.model(tokens)
        logits = output[0] if isinstance(output, tuple) else output
        return token_cross_entropy(logits, following)


class LanguageModeling(Recipe):
    """A recipe that learns characters of Python's source, or of `--text`. A recipe defines `build`.

    >>> sorted(gg.train.LanguageModeling.settings())
    ['batch_size', 'characters', 'epochs', 'length', 'lr', 'order', 'test_characters', 'test_length']
    """

    reads = frozenset({"text"})
    kind: ClassVar[type[NextToken]] = NextToken
    batch_size = 32
    length = 128  # characters of a window
    lr = 2e-3
    characters = 2_000_000  # to learn from
    test_characters = 100_000
    test_length = 0  # of a window to test on; 0: as long as those to learn from
    order = 5  # of the n-gram model

    @cached_property
    def texts(self) -> tuple[str, str]:
        """The text to learn from, and the one to test on."""
        train, test = python_source(self.options.text)
        return train[: self.characters], test[: self.test_characters]

    @property
    def beginning(self) -> str:
        """The beginning of a text to be written: a definition, or the beginning of the user's text."""
        return "def " if self.options.text is None else self.texts[0][:20]

    @cached_property
    def tokenizer(self) -> CharTokenizer:
        """Of the characters of both parts."""
        return CharTokenizer("".join(self.texts))

    @cached_property
    def tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """Both parts as numbers."""
        return tuple(self.tokenizer.encode(text).numpy() for text in self.texts)  # type: ignore[return-value]

    def loader(self) -> DataLoader:
        """Return the batches of an epoch."""
        return DataLoader(TokenDataset(self.tokens[0], self.length), self.batch_size, shuffle=True, drop_last=True)

    def prepare(self, trainer: Any, steps: int) -> None:
        """Set what is special to a `kind` of trainer, which will make so many steps."""

    def train(self) -> None:
        loader = self.loader()
        optimizer = AdamW(self.model.parameters(), lr=self.lr, weight_decay=0.01)
        steps = self.epochs * len(loader)
        schedule = falling(optimizer, steps + 1, warmup=50)
        trainer = self.trainer(
            self.model, optimizer, kind=self.kind, scheduler=schedule, scheduled="step", clip=1.0, watch=False
        )
        self.prepare(trainer, steps)
        self.fit(trainer, loader)
        trainer.draw(self.picture("loss"))

    def evaluate(self) -> dict[str, float]:
        bits = self.bits_per_character()
        others = {"gzip": gzip_bits(self.texts[1]), "n-grams": ngram_bits(*self.tokens, self.order)}
        return {
            "bits per character": bits,
            **{f"fewer than {name}": other - bits for name, other in others.items()},
            **{f"bits per character of {name}": other for name, other in others.items()},
        }

    def bits_per_character(self) -> float:
        """Return the mean of -log2 p over the text to test on, in windows as long as those to learn from."""
        total, count = 0.0, 0
        with no_grad():
            for tokens, following in DataLoader(TokenDataset(self.tokens[1], self.test_length or self.length), 32):
                tokens, following = (asarray(part, device=self.device) for part in (tokens, following))
                output = self.model(tokens)
                logits = output[0] if isinstance(output, tuple) else output
                total += token_cross_entropy(logits, following, reduction="sum").item()
                count += following.size
        return total / count / math.log(2)
