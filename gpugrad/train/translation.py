"""Recipes of translators: dates in words become dates in numbers."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor
from ..data import DataLoader, DateTranslation
from ..models import translate
from ..ops.pad import pad
from ..optim import Adam
from .language import token_cross_entropy
from .recipe import Recipe
from .schedules import falling
from .trainer import Trainer


class Translation(Trainer):
    """Minimises -mean log p(y_t | y_1 ... y_{t-1}, x), where the right beginning is given (teacher forcing).

    The model gives logits (N, T, V), and something else, of sources (N, S) and beginnings (N, T). Token 0 is padding, 1
    the start. smoothing: the share of probability that all tokens get alike (Szegedy et al. 2016; Vaswani et al. 2017,
    section 5.4).

    >>> model = gg.models.Seq2Seq(9, 7, width=4)
    >>> trainer = gg.train.Translation(model, gg.optim.Adam(model.parameters()))
    >>> trainer.loss_of((gg.ones(2, 5, dtype="int64"), gg.ones(2, 3, dtype="int64"))).shape
    ()
    """

    smoothing = 0.0

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        source, target = batch
        beginning = pad(target[:, :-1], pad_width=((0, 0), (1, 0)), constant_values=1)
        logits, _ = self.model(source, beginning)
        return token_cross_entropy(logits, target, ignore_index=0, label_smoothing=self.smoothing)


class DatesToNumbers(Recipe):
    """A recipe that translates `gg.data.DateTranslation`. A recipe defines `build` and `train`.

    >>> gg.train.DatesToNumbers.settings()
    {'batch_size': 128, 'epochs': 1, 'lr': 0.002, 'pairs': 12000, 'test_pairs': 1000, 'warmup': 100}
    """

    batch_size = 128
    lr = 2e-3
    pairs = 12_000
    test_pairs = 1000
    warmup = 100  # steps in which the learning rate rises

    @cached_property
    def pairs_to_learn(self) -> DateTranslation:
        """The dates to learn from."""
        return DateTranslation(self.pairs, "train", self.options.seed)

    @cached_property
    def pairs_to_test(self) -> DateTranslation:
        """Dates of which none is among those to learn from."""
        return DateTranslation(self.test_pairs, "test", self.options.seed)

    def fit_translator(self, model: Any, name: str = "main", smoothing: float = 0.0) -> Trainer:
        """Train a translator by Adam, with a learning rate that rises and then falls to zero."""
        loader = DataLoader(self.pairs_to_learn, self.batch_size, shuffle=True)
        optimizer, steps = Adam(model.parameters(), lr=self.lr, betas=(0.9, 0.98)), self.epochs * len(loader)
        schedule = falling(optimizer, steps + 1, self.warmup)
        trainer = self.trainer(
            model, optimizer, kind=Translation, scheduler=schedule, scheduled="step", clip=1.0, watch=False
        )
        trainer.smoothing = smoothing
        self.fit(trainer, loader, name=name)
        return trainer

    def exact_matches(self, model: Any) -> float:
        """Return the share of test dates that are translated without an error, greedily."""
        test, found = self.pairs_to_test, []
        for start in range(0, len(test), 250):
            source, _ = test.batch(np.arange(start, min(start + 250, len(test))))
            written = translate(model, source.to(device=self.device), test.target.start, test.target.end, 12)
            found += ["".join(test.target.decode(row)) for row in written]
        return sum(a == b for a, (_, b) in zip(found, test.texts, strict=True)) / len(test)
