"""Learning rates: too low, too high, right; schedules; large and small batches."""

import math
from collections.abc import Callable
from typing import Any

from ..backend.random import manual_seed
from ..data import DataLoader, TensorDataset, load_digits
from ..models import MLP
from ..nn import Flatten, Module, ModuleDict, Sequential
from ..nn.functional import cross_entropy
from ..optim import SGD
from ..optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from ..train import Goal, Recipe, accuracy
from ..viz import curves, panels

RATES = {"too low": 1e-3, "right": 0.1, "too high": 3.0}
SCHEDULES: dict[str, Callable[[SGD, int], Any]] = {
    "constant": lambda o, n: None,
    "step": lambda o, n: StepLR(o, max(1, n // 3), 0.2),
    "exponential": lambda o, n: ExponentialLR(o, 0.02 ** (1 / max(1, n))),
    "cosine": lambda o, n: CosineAnnealingLR(o, max(1, n)),
    "warm-up": lambda o, n: SequentialLR(
        o, [LinearLR(o, 0.05, total_iters=max(1, n // 5)), CosineAnnealingLR(o, max(1, n - n // 5))], [max(1, n // 5)]
    ),
    "plateau": lambda o, n: ReduceLROnPlateau(o, factor=0.3, patience=1),
    "one-cycle": lambda o, n: OneCycleLR(o, 0.3, max(2, n + 1)),
}
BATCHES = {"all samples": 1437, "64 samples": 64, "one sample": 1}


class Schedules(Recipe):
    """Trains on digits with learning rates too low, right and too high, by seven schedules, on three sizes of batches.

    The curve says which it is: too low falls in a line, too high stays high or jumps, right falls fast and levels off
    (the notes' "learning rate" and "training tips"). Batches are compared over the same number of passes.
    """

    notes = ("Learning rate", "Training Tips and Tricks", "3.4 Gradient Descent Variants")
    minutes = 1
    goals = {
        "training loss, right over too low": Goal(0.2, lower=True, form=".3f"),
        "training loss, right over too high": Goal(0.2, lower=True, form=".3f"),
        "test accuracy, cosine": Goal(0.95),
    }
    quick = {"epochs": 2, "batch_epochs": 1, "samples": 400}
    epochs = 60
    batch_epochs = 4
    samples = 1437

    def build(self) -> Module:
        manual_seed(self.options.seed)
        one = Sequential(Flatten(), MLP(64, 64, 10))
        made = {}
        for name in (*RATES, *SCHEDULES, *BATCHES):
            made[name] = Sequential(Flatten(), MLP(64, 64, 10))
            made[name].load_state_dict(one.state_dict())
        return ModuleDict(made)

    def train(self) -> None:
        for name, rate in RATES.items():
            self.run_one(name, rate, self.epochs // 2 or 1)
        for name, schedule in SCHEDULES.items():
            self.run_one(name, 0.3, self.epochs, schedule)
        for name, size in BATCHES.items():
            self.run_one(name, 0.02 if size == 1 else 0.1, self.batch_epochs, size=size)

    def run_one(self, name: str, rate: float, epochs: int, schedule: Any = None, size: int = 64) -> None:
        """Train the network `name`, and note its losses and learning rates."""
        manual_seed(self.options.seed)
        train = TensorDataset(*(tensor[: self.samples] for tensor in load_digits(8).train.tensors))
        loader = DataLoader(train, size, shuffle=True)
        optimizer = SGD(self.model[name].parameters(), lr=rate)
        scheduler = None if schedule is None else schedule(optimizer, epochs)
        trainer = self.trainer(self.model[name], optimizer, cross_entropy, scheduler=scheduler, watch=False)
        rates = self.record.setdefault("rates", {}).setdefault(name, [])
        for epoch in range(1, epochs + 1):
            rates.append(optimizer.param_groups[0]["lr"])
            self.fit(trainer, loader, epoch, name=name.replace(" ", "-"))
        each = max(1, len(trainer.losses) // epochs)
        means = [sum(trainer.losses[i : i + each]) / each for i in range(0, each * epochs, each)]
        self.record.setdefault("losses", {})[name] = [loss if math.isfinite(loss) else 1e3 for loss in means]

    def evaluate(self) -> dict[str, float]:
        test = load_digits(8).test
        last = {name: losses[-1] for name, losses in self.record["losses"].items()}
        figures = {f"training loss, right over {name}": last["right"] / last[name] for name in ("too low", "too high")}
        figures |= {f"test accuracy, {name}": accuracy(m, test, self.device) for name, m in self.model.items()}
        return figures | {f"training loss after {self.batch_epochs} passes, {name}": last[name] for name in BATCHES}

    def draw(self) -> None:
        losses, rates = self.record["losses"], self.record["rates"]
        curves({name: losses[name] for name in RATES}, self.picture("rates"), per_epoch=1)

        def of(values: dict[str, list[float]]) -> dict[str, Any]:
            return {name: (range(1, len(values[name]) + 1), values[name]) for name in SCHEDULES}

        panels(
            {"learning rate": of(rates), "training loss": of(losses)},
            self.picture("schedules"),
            xlabel="epoch",
            log="y",
        )
