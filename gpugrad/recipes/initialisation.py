"""Initialisation: how large signals are after ten layers, and a bias that knows how frequent classes are."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import TensorDataset, load_digits
from ..nn import Flatten, Linear, Module, ModuleDict, Sequential
from ..nn.functional import cross_entropy
from ..nn.init import constant_, kaiming_normal_, normal_, orthogonal_, xavier_normal_
from ..ops.elementwise import log, relu, tanh
from ..optim import SGD
from ..train import Goal, Recipe
from ..viz import histograms, lines

WAYS = {
    "small normal": lambda w: normal_(w, std=0.01),
    "large normal": lambda w: normal_(w, std=1.0),
    "Xavier": xavier_normal_,
    "He": kaiming_normal_,
    "orthogonal": orthogonal_,
}
FUNCTIONS = {"tanh": tanh, "ReLU": relu}


class Initialisation(Recipe):
    """Measures the spread of activations through ten layers for five ways to begin, and what a good bias saves.

    Xavier: variance 2 / (inputs + outputs) keeps the spread under tanh (Glorot and Bengio 2010); He: 2 / inputs makes
    up for the half that ReLU cuts off (He et al. 2015); orthogonal matrices keep lengths (Saxe et al. 2014). Small
    weights make everything vanish, large ones saturate tanh and make ReLU explode. The bias of the last layer set to
    the classes' log frequencies makes the first loss their entropy, so that no steps are lost on learning it.
    """

    notes = ("1.3.2 Step 1: Network initialization", "4.4 Weight Initialization", "4.4.3 Bias Initialization")
    minutes = 0.1
    goals = {
        "spread after the last layer over the first's, tanh, Xavier": Goal(0.25, form=".3f"),
        "spread after the last layer over the first's, ReLU, He": Goal(0.5, form=".3f"),
        "spread after the last layer over the first's, tanh, small normal": Goal(1e-5, lower=True, form=".1e"),
        "share of saturated units in the last layer, tanh, large normal": Goal(0.8),
        "steps that the bias saves": Goal(1, form=".0f"),
    }
    quick = {"width": 64, "steps": 30}
    layers = 10
    width = 512
    samples = 512
    steps = 200

    def build(self) -> Module:
        return ModuleDict({name: Sequential(Flatten(), Linear(64, 10)) for name in ("zero bias", "log frequencies")})

    def through(self, way: str, function: str) -> list[Tensor]:
        """Return the activations after each layer, of normal inputs."""
        layer, found = Linear(self.width, self.width, bias=False, device=self.device), []
        x = asarray(
            np.random.default_rng(self.options.seed).standard_normal((self.samples, self.width)).astype(np.float32),
            device=self.device,
        )
        with no_grad():
            for _ in range(self.layers):
                WAYS[way](layer.weight)
                x = FUNCTIONS[function](layer(x))
                found.append(x)
        return found

    def unbalanced(self) -> TensorDataset:
        """Return digits of which those above 2 are rare."""
        images, labels = load_digits(8).train.tensors
        kept = np.flatnonzero((labels.numpy() < 3) | (np.arange(len(labels)) % 12 == 0))
        return TensorDataset(images[kept], labels[kept])

    def train(self) -> None:
        self.record["spread"] = {
            f"{function}, {way}": [float(x.std().item()) for x in self.through(way, function)]
            for function in FUNCTIONS
            for way in WAYS
        }
        last = self.through("large normal", "tanh")[-1]
        self.record["saturated"] = float((abs(last) > 0.99).astype("float32").mean().item())
        images, labels = self.unbalanced().tensors
        shares = asarray(np.bincount(labels.numpy(), minlength=10) / len(labels), dtype="float32", device=self.device)
        self.record["entropy"] = float(-(shares * log(shares)).sum().item())
        for name, model in self.model.items():
            normal_(model[1].weight, std=0.001)
            constant_(model[1].bias, 0.0)
            if name == "log frequencies":
                with no_grad():
                    model[1].bias.copy_(log(shares))
            trainer = self.trainer(model, SGD(model.parameters(), lr=0.1), cross_entropy)
            self.fit(trainer, [(images, labels)], self.steps, name=name.replace(" ", "-"))
            self.record[name] = trainer.losses

    def evaluate(self) -> dict[str, float]:
        figures = {
            f"spread after the last layer over the first's, {name}": spread[-1] / spread[0]
            for name, spread in self.record["spread"].items()
        }
        first = self.record["log frequencies"][0]
        late = next(
            (i for i, loss in enumerate(self.record["zero bias"]) if loss <= first), len(self.record["zero bias"])
        )
        return figures | {
            "share of saturated units in the last layer, tanh, large normal": self.record["saturated"],
            "steps that the bias saves": late,
            "first loss, zero bias": self.record["zero bias"][0],
            "first loss, log frequencies": first,
            "entropy of the classes": self.record["entropy"],
        }

    def draw(self) -> None:
        for function in FUNCTIONS:
            shown = {}
            for way in WAYS:
                found = self.through(way, function)
                shown |= {f"{way}, layer {i + 1}": found[i] for i in (0, 4, 9) if i < len(found)}
            histograms(shown, self.picture(f"histograms-{function}"), columns=3)
        x = list(range(1, self.layers + 1))
        shown = {name: [max(s, 1e-12) for s in spread] for name, spread in self.record["spread"].items()}
        figure = lines(x, shown, xlabel="layer", ylabel="standard deviation of the activations")
        figure.axes[0].set_yscale("log")
        figure.savefig(self.picture("spread"), dpi=150)
