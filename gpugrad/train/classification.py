"""Recipes of classifiers: cross-entropy, momentum, a learning rate that falls to zero, accuracy on the test data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import DataLoader, Dataset, RandomAffine, Split, TensorDataset, load_digits
from ..io import load_weights
from ..nn import Module
from ..nn.functional import cross_entropy
from ..nn.utils import evaluating
from ..optim import SGD
from .recipe import Recipe
from .schedules import falling
from .trainer import Trainer

Mix = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class AugmentedTrainer(Trainer):
    """Trains a classifier on random changes of the images: `augment` is called with those of each batch.

    mix: called with the changed images and their labels; returns both mixed, labels as shares of classes.

    >>> model = nn.Flatten()
    >>> trainer = gg.train.AugmentedTrainer(lambda images: images + 1, model, None, F.cross_entropy)
    >>> round(trainer.loss_of((gg.zeros(2, 1, 2), gg.tensor([0, 1]))).item(), 3)
    0.693
    """

    def __init__(self, augment: Callable[[Tensor], Tensor], *args: Any, mix: Mix | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.augment, self.mix = augment, mix

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        images = self.augment(images)
        return super().loss_of((images, labels) if self.mix is None else self.mix(images, labels))


def accuracy(model: Module, test: Dataset, device: Any = "cpu", batch_size: int = 256) -> float:
    """Return the fraction of the samples (input, class) whose largest score is that of their class.

    >>> test = gg.data.TensorDataset(gg.tensor([[2.0, 1.0], [3.0, 4.0]]), gg.tensor([0, 0]))
    >>> gg.train.accuracy(nn.Identity(), test)
    0.5
    """
    correct = count = 0
    with evaluating(model), no_grad():
        for inputs, labels in DataLoader(test, batch_size):
            scores = model(inputs.to(device=device)).cpu().numpy()
            correct, count = correct + int((scores.argmax(1) == labels.numpy()).sum()), count + len(scores)
    return correct / max(1, count)


class Classification(Recipe):
    """A recipe that needs `data` and `build`, and may have `augment`.

    >>> class Iris(gg.train.Classification):
    ...     '''Tells three kinds of irises apart.'''
    ...     epochs = 2
    ...     def data(self):
    ...         return gg.data.load_sklearn("iris")
    ...     def build(self):
    ...         return gg.models.MLP(4, 16, 3)
    >>> Iris.settings()
    {'batch_size': 64, 'epochs': 2, 'lr': 0.05, 'momentum': 0.9, 'train_samples': 0, 'weight_decay': 0.0}
    """

    reads = frozenset({"weights"})
    batch_size = 64
    lr = 0.05
    momentum = 0.9
    weight_decay = 0.0
    train_samples = 0  # the first so many; 0: all

    def data(self) -> Split:
        """Return the samples (input, class) to train on and those to test on."""
        raise NotImplementedError

    def augment(self, images: Tensor) -> Tensor:
        """Return the images of a batch, changed at random."""
        return images

    @cached_property
    def split(self) -> Split:
        """The data, those to train on cut to `train_samples`."""
        train, test = self.data()
        if self.train_samples:
            train = TensorDataset(*(tensor[: self.train_samples] for tensor in train.tensors))
        return Split(train, test)

    def train(self) -> None:
        self.fit_classifier(self.model)

    def fit_classifier(
        self,
        model: Module,
        name: str = "main",
        *,
        augment: Callable[[Tensor], Tensor] | None = None,
        mix: Mix | None = None,
        drawn: bool = True,
    ) -> Trainer:
        """Train `model` as the recipe's settings say, from `Options.weights` if they are given.

        augment: used instead of the recipe's own; mix: see AugmentedTrainer; drawn: with a picture of the losses.
        """
        if self.options.weights is not None:
            model.load_state_dict(load_weights(self.options.weights))
        loader = DataLoader(self.split.train, self.batch_size, shuffle=True)
        optimizer = SGD(model.parameters(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
        steps = self.epochs * len(loader)
        trainer = self.trainer(
            self.augment if augment is None else augment, model, optimizer, cross_entropy, kind=AugmentedTrainer,
            mix=mix, scheduler=falling(optimizer, steps), scheduled="step",
        )  # fmt: skip
        self.fit(trainer, loader, name=name)
        if trainer.losses and drawn:
            trainer.draw(self.picture("loss" if name == "main" else f"loss-{name}"))
        return trainer

    def evaluate(self) -> dict[str, float]:
        return {"test accuracy": accuracy(self.model, self.split.test, self.device)}


class DigitClassification(Classification):
    """A recipe that reads handwritten digits, (1, size, size), turned, moved, stretched and sheared at random.

    >>> class Line(gg.train.DigitClassification):
    ...     '''Reads digits by a linear function of the pixels.'''
    ...     size, epochs = 8, 2
    ...     def build(self):
    ...         return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    >>> Line(gg.train.Options(progress=False)).run().figures["test accuracy"] > 0.5
    test accuracy: ...
    wrote runs/line.safetensors, runs/line-loss.png
    True
    """

    size = 32

    def data(self) -> Split:
        return load_digits(self.size)

    def augment(self, images: Tensor) -> Tensor:
        return RandomAffine(degrees=15, translate=0.09, scale=0.2, shear=0.25)(images)
