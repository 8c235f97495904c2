"""Recipes that make digits of a class: samples as a picture, and how often a classifier reads what was asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..data import DataLoader, RandomAffine, Split, TensorDataset, load_digits
from ..nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ModuleDict, ReLU, Sequential
from ..nn.functional import cross_entropy
from ..ops.embedding import one_hot
from ..ops.join import concatenate
from ..optim import Adam
from ..viz import image_grid
from .classification import AugmentedTrainer, accuracy
from .recipe import Goal, Recipe
from .schedules import falling


class DigitGeneration(Recipe):
    """A recipe that learns to make digits of 8 x 8 pixels, with values in [0, 1], of a class that is asked for.

    A recipe defines `networks`, `train_networks` and `samples`. The classifier that judges the samples is trained on
    digits first, and reads test digits with the accuracy that stands among the figures.

    >>> class Noise(gg.train.DigitGeneration):
    ...     '''Makes noise of no class.'''
    ...     classifier_epochs = 1
    ...     def networks(self):
    ...         return {}
    ...     def train_networks(self):
    ...         pass
    ...     def samples(self, labels):
    ...         return gg.rand(len(labels), 1, 8, 8)
    >>> sorted(Noise(gg.train.Options(progress=False)).model_names())
    ['classifier']
    """

    goals = {"samples that a classifier reads as asked": Goal(0.90), "classifier's accuracy on digits": Goal(0.97)}
    epochs = 1
    batch_size = 64
    classifier_epochs = 60
    judged = 1000  # samples

    def networks(self) -> dict[str, Module]:
        """Return the networks, new, by name."""
        raise NotImplementedError

    def train_networks(self) -> None:
        """Train the networks."""
        raise NotImplementedError

    def samples(self, labels: Tensor) -> Tensor:
        """Return a new image (n, 1, 8, 8) for each label (n,)."""
        raise NotImplementedError

    def model_names(self) -> list[str]:
        """Return the names of all networks of the recipe, the classifier's among them."""
        return list(self.build().keys())

    @cached_property
    def split(self) -> Split:
        """The digits to train on and those to test on."""
        return load_digits(8)

    def loader(self) -> DataLoader:
        """Return the digits to train on in batches (images, labels)."""
        return DataLoader(self.split.train, self.batch_size, shuffle=True)

    def build(self) -> Module:
        classifier = Sequential(
            Conv2d(1, 32, 3, padding=1), ReLU(), Conv2d(32, 32, 3, padding=1), ReLU(), MaxPool2d(2), Flatten(),
            Linear(512, 64), ReLU(), Linear(64, 10),
        )  # fmt: skip
        return ModuleDict({"classifier": classifier, **self.networks()})

    def train(self) -> None:
        classifier, loader = self.model["classifier"], self.loader()
        optimizer = Adam(classifier.parameters(), lr=2e-3)
        schedule = falling(optimizer, self.classifier_epochs * len(loader) + 1)
        trainer = self.trainer(
            RandomAffine(degrees=10, translate=0.08), classifier, optimizer, cross_entropy, scheduler=schedule,
            scheduled="step", kind=AugmentedTrainer,
        )  # fmt: skip
        self.fit(trainer, loader, self.classifier_epochs, name="classifier")
        manual_seed(self.options.seed)
        self.train_networks()

    def drawn(self, labels: np.ndarray) -> Tensor:
        """Return samples of the labels, the same at each call."""
        manual_seed(self.options.seed + 1)
        self.model.eval()
        with no_grad():
            return self.samples(asarray(labels, device=self.device)).clip(0, 1)

    def evaluate(self) -> dict[str, float]:
        labels = np.arange(self.judged) % 10
        images = self.drawn(labels)
        made = TensorDataset(images, asarray(labels, device=self.device))
        real = self.split.train.tensors[0].numpy()
        by_class = images.cpu().numpy().reshape(-1, 10, 64)
        known = self.split.train.tensors[1].numpy()
        spread = np.mean([real[known == label].reshape(-1, 64).std(axis=0).mean() for label in range(10)])
        return {
            "samples that a classifier reads as asked": accuracy(self.model["classifier"], made, self.device),
            "classifier's accuracy on digits": accuracy(self.model["classifier"], self.split.test, self.device),
            "spread of the pixels within a class, in parts of the digits'": float(by_class.std(axis=0).mean() / spread),
        }

    def draw(self) -> None:
        labels = np.repeat(np.arange(10), 10)
        image_grid(self.drawn(labels), self.picture("samples"), columns=10, side=0.6)


def with_label(inputs: Tensor, labels: Tensor) -> Tensor:
    """Return inputs (n, features) with the ten numbers beside them that say which digit is meant.

    >>> gg.train.with_label(gg.zeros(1, 1), gg.tensor([2])).tolist()
    [[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """
    return concatenate([inputs, one_hot(labels, 10).astype(inputs.dtype)], 1)
