"""Activation functions: values, gradients, and what goes wrong with each."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import ELU, LeakyReLU, Linear, Module, ModuleDict, ReLU, Sequential
from ..nn.functional import elu, gelu, leaky_relu, mse_loss, relu, sigmoid, silu, softplus, tanh
from ..ops.elementwise import maximum
from ..optim import SGD
from ..train import Goal, Recipe, dead_units
from ..viz import panels


def maxout(x: Tensor) -> Tensor:
    """Maxout of two lines of x: max(w1 x + b1, w2 x + b2), here max(-0.5 x - 0.5, x) (Goodfellow et al. 2013)."""
    return maximum(-0.5 * x - 0.5, x)


FUNCTIONS = {
    "sigmoid": sigmoid, "tanh": tanh, "ReLU": relu, "leaky ReLU": lambda x: leaky_relu(x, 0.1), "ELU": elu,
    "GELU": gelu, "SiLU": silu, "softplus": softplus, "maxout": maxout,
}  # fmt: skip


class Activations(Recipe):
    """Draws activation functions with their gradients, and measures saturation and dying units.

    A sigmoid's gradient is at most 1/4, so that 10 layers of it leave at most 4^-10 of a gradient. A ReLU that a step
    too large has pushed below 0 for every sample gets no gradient any more; leaky ReLU and ELU recover.
    """

    notes = ("Activation functions", "Activation Functions: Sigmoid", "Activation Functions: Tanh")
    minutes = 0.1
    goals = {
        "largest gradient of sigmoid": Goal(0.25, lower=True, form=".4f"),
        "dead units of ReLU after a step too large": Goal(0.9),
        "gradient left to leaky ReLU after the same step": Goal(1e-4, form=".2e"),
    }
    epochs = 40
    units = 64

    def build(self) -> Module:
        kinds = {"ReLU": ReLU(), "leaky ReLU": LeakyReLU(0.1), "ELU": ELU()}
        return ModuleDict(
            {n: Sequential(Linear(2, self.units), kind, Linear(self.units, 1)) for n, kind in kinds.items()}
        )

    def data(self) -> tuple[Tensor, Tensor]:
        """Return inputs (n, 2) and targets (n, 1)."""
        x = np.random.default_rng(self.options.seed).uniform(-1, 1, (256, 2)).astype(np.float32)
        return asarray(x), asarray((np.sin(3 * x[:, :1]) * x[:, 1:] + 1).astype(np.float32))

    def train(self) -> None:
        for name, model in self.model.items():
            model[0].bias.data -= 3.0  # what a step too large leaves behind
            trainer = self.trainer(model, SGD(model.parameters(), lr=0.003), mse_loss)
            self.fit(trainer, [self.data()], name=name.replace(" ", "-"))

    def evaluate(self) -> dict[str, float]:
        x = np.linspace(-12, 12, 2401)
        slopes = {name: self.gradient(function, x) for name, function in FUNCTIONS.items()}
        inputs, targets = (tensor.to(device=self.device) for tensor in self.data())
        left = {}
        for name, model in self.model.items():
            loss = mse_loss(model(inputs), targets)
            left[name] = float(abs(grad(loss, model[0].weight)[0].cpu().numpy()).max())
        dead = dead_units(self.model["ReLU"], [inputs])[0]
        return {
            "largest gradient of sigmoid": float(slopes["sigmoid"].max()),
            "dead units of ReLU after a step too large": len(dead.dead) / dead.units,
            "gradient left to ReLU after a step too large": left["ReLU"],
            "gradient left to leaky ReLU after the same step": left["leaky ReLU"],
            "gradient left to ELU after the same step": left["ELU"],
            **{f"gradient at 6, {name}": float(slope[np.argmin(abs(x - 6))]) for name, slope in slopes.items()},
        }

    @staticmethod
    def gradient(function, x: np.ndarray) -> np.ndarray:
        """Return the slopes of a function at x."""
        at = asarray(x, device="cpu").requires_grad_()
        return grad(function(at).sum(), at)[0].numpy()

    def draw(self) -> None:
        x = np.linspace(-5, 5, 401)
        with no_grad():
            values = {name: function(asarray(x, device="cpu")).numpy() for name, function in FUNCTIONS.items()}
        shown = {
            name: {"value": (x, values[name]), "gradient": (x, self.gradient(function, x))}
            for name, function in FUNCTIONS.items()
        }
        panels(shown, self.picture("functions"), columns=3)
