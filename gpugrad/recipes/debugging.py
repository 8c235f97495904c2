"""Debugging: faults are planted in a training, and found by the tools for it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.check.numerical import gradcheck
from ..autograd.convert import asarray
from ..autograd.function import Function
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..data import load_digits
from ..errors import GpugradError
from ..nn import Flatten, Linear, Module, ReLU, Sequential, Tanh
from ..nn.functional import cross_entropy
from ..optim import SGD
from ..train import (
    Goal,
    Recipe,
    Trainer,
    correlated_units,
    dead_units,
    gradient_norms,
    learning_rate_verdict,
    nan_watch,
)
from ..viz import curves


class Square(Function):
    """x^2, whose backward may lack the factor 2."""

    factor = 2.0

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @classmethod
    def backward(cls, ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return cls.factor * x * grad


class WrongSquare(Square):
    """The planted fault."""

    factor = 1.0


class Debugging(Recipe):
    """Plants eight faults in the training of a network and finds each; without faults nothing is reported.

    Numerical gradients, one batch learned by heart, dead units, correlated units, gradient norms, NaN, loss curves of
    learning rates too high and too low: the notes' "good to know for debugging".
    """

    notes = ("Good to know for debugging", "Training Tips and Tricks", "Backprop Menu for Success")
    minutes = 0.1
    goals = {"faults found": Goal(1.0), "false alarms": Goal(0.0, lower=True, form=".0f")}
    steps = 150

    def network(self, layers: int = 2, activation: Callable[[], Module] = ReLU) -> Sequential:
        """Return a network for digits, the same each time."""
        manual_seed(self.options.seed)
        inner = [part for _ in range(layers - 1) for part in (Linear(32, 32), activation())]
        return Sequential(Flatten(), Linear(64, 32), activation(), *inner, Linear(32, 10))

    def batch(self) -> tuple[Tensor, Tensor]:
        """Return 64 digits."""
        images, labels = load_digits(8).train.tensors
        return images[:64], labels[:64]

    def trained(self, rate: float) -> list[float]:
        """Return the losses of a training with a learning rate."""
        model = self.network()
        trainer = Trainer(model, SGD(model.parameters(), lr=rate), cross_entropy, progress=False, watch=False)
        with np.errstate(over="ignore", invalid="ignore"):
            losses = trainer.fit([self.batch()], self.steps)
        return [loss if np.isfinite(loss) else 1e30 for loss in losses]

    # Each check returns whether it reports something: with the fault, and without

    def wrong_gradient(self, fault: bool) -> bool:
        square = WrongSquare if fault else Square
        x = asarray(np.array([0.5, -1.5, 2.0]), device="cpu").requires_grad_()
        return _raises(lambda: gradcheck(square.apply, (x,)))

    def cut_path(self, fault: bool) -> bool:
        model = self.network()
        for parameter in model.parameters() if fault else []:
            parameter.requires_grad_(parameter.ndim == 1)  # only biases learn
        trainer = Trainer(model, SGD(model.parameters(), lr=0.3), cross_entropy, progress=False)
        return _raises(lambda: trainer.overfit(self.batch(), 100, 0.2))

    def dead(self, fault: bool) -> bool:
        model = self.network()
        if fault:
            model[1].bias.data[:20] = -100.0
        return any(len(found.dead) > found.units // 4 for found in dead_units(model, [self.batch()]))

    def correlated(self, fault: bool) -> bool:
        model = self.network(activation=Tanh)
        if fault:
            model[1].weight.data[:16] = model[1].weight.data[16:]
            model[1].bias.data[:16] = model[1].bias.data[16:]
        return len(correlated_units(model, [self.batch()])) > 5

    def vanishing(self, fault: bool) -> bool:
        model = self.network(10, Tanh)
        for parameter in model.parameters() if fault else []:
            parameter.data *= 0.1
        images, labels = self.batch()
        cross_entropy(model(images), labels).backward()
        norms = gradient_norms(model)
        return norms["1.weight"] < 1e-4 * max(norms.values())

    def nan(self, fault: bool) -> bool:
        model = self.network()
        if fault:
            model[3].weight.data[0, 0] = np.nan

        def compute() -> None:
            with nan_watch(model):
                model(self.batch()[0])

        return _raises(compute, "layer '3'")

    def rate_too_high(self, fault: bool) -> bool:
        return learning_rate_verdict(self.curve("too high" if fault else "right")) == "too high"

    def rate_too_low(self, fault: bool) -> bool:
        return learning_rate_verdict(self.curve("too low" if fault else "right")) == "too low"

    def curve(self, name: str) -> list[float]:
        """Return the losses of a learning rate by name, trained once."""
        kept = self.record.setdefault("curves", {})
        if name not in kept:
            kept[name] = self.trained({"too low": 1e-4, "right": 0.3, "too high": 30.0}[name])
        return kept[name]

    def train(self) -> None:
        checks = {
            "numerical gradient check": self.wrong_gradient, "overfit one batch": self.cut_path,
            "dead units": self.dead, "correlated units": self.correlated, "gradient norms": self.vanishing,
            "NaN watch": self.nan, "loss curve, too high": self.rate_too_high, "loss curve, too low": self.rate_too_low,
        }  # fmt: skip
        self.record["checks"] = {name: [bool(check(True)), bool(check(False))] for name, check in checks.items()}

    def evaluate(self) -> dict[str, float]:
        checks = self.record["checks"]
        found, alarms = (sum(pair[i] for pair in checks.values()) for i in (0, 1))
        named = {f"found by {name}": float(pair[0]) for name, pair in checks.items()}
        return {"faults found": found / len(checks), "false alarms": float(alarms), **named}

    def draw(self) -> None:
        curves(self.record["curves"], self.picture("curves"))


def _raises(action: Callable[[], Any], text: str = "") -> bool:
    try:
        action()
    except (GpugradError, AssertionError) as error:
        return text in str(error)
    return False
