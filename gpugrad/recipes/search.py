"""Search: hyper-parameters by grid and at random, chosen on validation data, tested once."""

from functools import partial
from typing import Any

import numpy as np

from ..backend.cpu.threads import set_num_threads
from ..backend.random import manual_seed
from ..data import DataLoader, TensorDataset, load_digits
from ..models import MLP
from ..nn import Flatten, Module, Sequential
from ..nn.functional import cross_entropy
from ..optim import SGD
from ..train import Goal, Recipe, Trainer, accuracy, grid_trials, random_trials, search
from ..viz import panels

RANGES = {"lr": (1e-3, 3.0), "weight_decay": (1e-6, 1e-1)}


def parts() -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    """Return 300 digits to train on, 300 to choose by, and those to test on."""
    train, test = load_digits(8)
    order = np.random.default_rng(0).permutation(len(train))
    one, two = (TensorDataset(*(tensor[order[i : i + 300]] for tensor in train.tensors)) for i in (0, 300))
    return one, two, test


def fitted(values: dict[str, float], epochs: int, seed: int) -> Module:
    """Return a network trained with the values."""
    manual_seed(seed)
    model = Sequential(Flatten(), MLP(64, 32, 10))
    optimizer = SGD(model.parameters(), values["lr"], momentum=0.9, weight_decay=values["weight_decay"])
    loader = DataLoader(parts()[0], 32, shuffle=True)
    with np.errstate(over="ignore", invalid="ignore"):
        Trainer(model, optimizer, cross_entropy, progress=False, watch=False).fit(loader, epochs)
    return model


def validation_accuracy(values: dict[str, float], epochs: int, seed: int) -> float:
    """Train with the values, in a process of its own perhaps, and return the accuracy on the data to choose by."""
    set_num_threads(1)
    with np.errstate(over="ignore", invalid="ignore"):
        return accuracy(fitted(values, epochs, seed), parts()[1])


class Search(Recipe):
    """Looks for a learning rate and a weight decay, by a grid and at random, in parallel, and tests the best once.

    Train, validation, test: networks learn from the first, the values are chosen by the second, and the third is looked
    at once, with the chosen values. Trials are logged as they end; a search that was broken off goes on with --resume.
    """

    notes = ("Training Tips and Tricks", "Neural Network (NN) Basics")
    minutes = 1
    goals = {"test accuracy": Goal(0.92)}
    quick = {"each": 2, "epochs": 2, "workers": 1}
    each = 4  # values of the grid on a side; the random search makes as many trials
    epochs = 25
    workers = 2

    def build(self) -> Module:
        return Sequential(Flatten(), MLP(64, 32, 10))

    def train(self) -> None:
        objective = partial(validation_accuracy, epochs=self.epochs, seed=self.options.seed)
        tried = {
            "grid": grid_trials(RANGES, self.each),
            "random": random_trials(RANGES, self.each**2, self.options.seed),
        }
        for kind, trials in tried.items():
            log = self.options.out / f"search-{kind}.jsonl"
            if not self.options.resume:
                log.unlink(missing_ok=True)
            self.record[kind] = [list(trial) for trial in search(objective, trials, log, self.workers)]
        best, _ = self.best("grid", "random")
        self.model.load_state_dict(fitted(best, self.epochs, self.options.seed).state_dict())

    def best(self, *kinds: str) -> Any:
        """Return the values with the largest validation accuracy, and that."""
        return max((trial for kind in kinds for trial in self.record[kind]), key=lambda trial: trial[1])

    def evaluate(self) -> dict[str, float]:
        values, _ = self.best("grid", "random")
        return {
            "test accuracy": accuracy(self.model, parts()[2], self.device),
            "best validation accuracy, grid": self.best("grid")[1],
            "best validation accuracy, random": self.best("random")[1],
            "chosen learning rate": values["lr"],
            "chosen weight decay": values["weight_decay"],
        }

    def draw(self) -> None:
        shown: dict[str, dict] = {kind: {} for kind in self.record}
        figure = panels(shown, columns=2, xlabel="learning rate", ylabel="weight decay", log="xy")
        for axes, trials in zip(figure.axes, self.record.values(), strict=True):
            places = [[values[name] for values, _ in trials] for name in RANGES]
            dots = axes.scatter(*places, c=[score for _, score in trials], vmin=0, vmax=1, cmap="viridis")
        figure.colorbar(dots, ax=figure.axes, label="validation accuracy")
        figure.savefig(self.picture("trials"), dpi=150)
