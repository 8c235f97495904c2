"""Optimizers raced: over a ravine, Rosenbrock's valley and a saddle, and on digits."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import load_digits
from ..models import MLP
from ..nn import Flatten, Module, ModuleDict, Sequential
from ..nn.functional import cross_entropy
from ..optim import LBFGS, SGD, Adagrad, Adam, AdamW, Lion, NewtonCG, RMSprop
from ..train import Goal, Recipe, accuracy, ravine, rosenbrock, saddle, walk
from ..viz import Surface, curves, surfaces

LANDSCAPES = {
    "ravine": (ravine, (-4.0, 1.0), (-4.5, 1.5, -1.5, 1.5)),
    "Rosenbrock": (rosenbrock, (-1.2, 1.0), (-2.0, 2.0, -1.0, 3.0)),
    "saddle": (saddle, (0.8, 1e-3), (-1.2, 1.2, -1.3, 1.3)),
}
WAYS: dict[str, Callable[..., Any]] = {
    "gradient descent": SGD,
    "momentum": partial(SGD, momentum=0.9),
    "Nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "AdaGrad": Adagrad,
    "RMSProp": RMSprop,
    "Adam": Adam,
    "AdamW": AdamW,
    "LION": Lion,
    "L-BFGS": partial(LBFGS, max_iter=5, line_search_fn="strong_wolfe"),
    "Newton": NewtonCG,
}
WHOLE = ("L-BFGS", "Newton")  # they search along a line, with all samples, from the rate 1
ON_DIGITS = (0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3)  # the learning rates that the others are tried with


class Race(Recipe):
    """Races optimizers over surfaces and on digits, beside random search, the notes' bad baseline.

    Each has its best of several learning rates (Newton and L-BFGS 1). On a surface the figure is the steps until the
    value is below 0.001; a step of Newton or L-BFGS costs several gradients. On digits each makes the same number of
    steps, on batches of 64; L-BFGS and Newton on all samples, a tenth of the steps.
    """

    notes = ("3 Gradient Descent", "1.3.8 Step 6: Gradient Descent", "1.3.9 Momentum", "1.3.10 Adam: Adaptive Momentum")
    minutes = 1
    goals = {
        "steps on the ravine, Newton": Goal(3, lower=True, form=".0f"),
        "steps on the ravine, momentum over gradient descent": Goal(1.0, lower=True, form=".3f"),
        "steps on Rosenbrock, Newton over gradient descent": Goal(0.2, lower=True, form=".3f"),
        "training loss on digits, Adam over random search": Goal(0.1, lower=True, form=".4f"),
    }
    quick = {"steps": 30, "digit_steps": 20, "rates": 3}
    steps = 1000
    digit_steps = 200
    rates = 7  # that are tried, from 1 to 0.001

    def build(self) -> Module:
        return ModuleDict({name: Sequential(Flatten(), MLP(64, 32, 10)) for name in (*WAYS, "random search")})

    def train(self) -> None:
        self.record = {"paths": {}, "steps": {}, "rates": {}}
        for place, (landscape, start, _) in LANDSCAPES.items():
            found = {name: self.best(landscape, start, way, name) for name, way in WAYS.items()}
            found["random search"] = (self.search(landscape, place), 1.0)
            self.record["paths"][place] = {
                name: path[:: max(1, len(path) // 200)].tolist() for name, (path, _) in found.items()
            }
            self.record["rates"][place] = {name: rate for name, (_, rate) in found.items()}
            self.record["steps"][place] = {name: self.needed(landscape, path) for name, (path, _) in found.items()}
        self.record["losses"] = {name: self.best_on_digits(name) for name in self.model}

    def best(self, landscape: Any, start: Any, way: Callable[..., Any], name: str) -> tuple[np.ndarray, float]:
        """Return the path with the learning rate that needs fewest steps, and that rate."""
        paths = {}
        for rate in (1.0,) if name in WHOLE else np.geomspace(1.0, 1e-3, self.rates).tolist():
            most = min(
                [self.steps, *(len(path) for path in paths.values() if self.needed(landscape, path) <= self.steps)]
            )
            with np.errstate(over="ignore", invalid="ignore"):
                paths[rate] = walk(landscape, start, partial(way, lr=rate), most)
        rate = min(paths, key=lambda rate: (self.needed(landscape, paths[rate]), self.value(landscape, paths[rate])))
        return paths[rate], rate

    def needed(self, landscape: Any, path: np.ndarray) -> int:
        """Return the steps of a path, one more than the most if it does not arrive."""
        return len(path) - 1 if self.value(landscape, path) < 1e-3 else self.steps + 1

    @staticmethod
    def value(landscape: Any, path: np.ndarray) -> float:
        """Return the value at a path's end, infinity for NaN."""
        with np.errstate(over="ignore", invalid="ignore"):
            value = landscape(asarray(path[-1], device="cpu")).item()
        return value if np.isfinite(value) else np.inf

    def search(self, landscape: Any, place: str) -> np.ndarray:
        """Return the best points of a random search over the picture, one after the other."""
        left, right, low, high = LANDSCAPES[place][2]
        tried = np.random.default_rng(self.options.seed).uniform((left, low), (right, high), (self.steps, 2))
        values = landscape(asarray(tried, device="cpu")).numpy()
        best = np.minimum.accumulate(values)
        kept = tried[np.searchsorted(-best, -best)]
        arrived = np.flatnonzero(best < 1e-3)
        return kept[: arrived[0] + 1] if len(arrived) else kept

    def best_on_digits(self, name: str) -> list[float]:
        """Train the network `name` with each learning rate, keep the best one, and return its training losses."""
        images, labels = (tensor.to(device=self.device) for tensor in load_digits(8).train.tensors)
        if name == "random search":
            return self.search_on_digits(images, labels)
        model, found = self.model[name], {}
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        for rate in (1.0,) if name in WHOLE else ON_DIGITS[: self.rates]:
            model.load_state_dict(start)
            losses = self.on_digits(name, rate, images, labels)
            found[rate] = losses, {name: tensor.clone() for name, tensor in model.state_dict().items()}
        rate = min(found, key=lambda rate: np.nan_to_num(found[rate][0][-1], nan=np.inf))
        self.record["rates"].setdefault("digits", {})[name] = rate
        model.load_state_dict(found[rate][1])
        return found[rate][0]

    def on_digits(self, name: str, rate: float, images: Tensor, labels: Tensor) -> list[float]:
        """Train the network `name` and return the training losses, measured after every ten steps."""
        model, random, whole = self.model[name], np.random.default_rng(self.options.seed), name in WHOLE
        optimizer, losses = WAYS[name](model.parameters(), lr=rate), []
        for step in range(self.digit_steps // (10 if whole else 1)):
            chosen = slice(None) if whole else random.integers(len(labels), size=64)

            def closure(chosen: Any = chosen) -> Tensor:
                optimizer.zero_grad()
                loss = cross_entropy(model(images[chosen]), labels[chosen])
                if name != "Newton":
                    loss.backward()
                return loss

            if whole:
                optimizer.step(closure)
            else:
                closure()
                optimizer.step()
            if whole or step % 10 == 9:
                with no_grad():
                    losses.append(cross_entropy(model(images), labels).item())
        return losses

    def search_on_digits(self, images: Tensor, labels: Tensor) -> list[float]:
        """Draw weights anew in each step and keep the best, as the notes' first idea does."""
        model, best, losses, kept = self.model["random search"], np.inf, [], {}
        with no_grad():
            for step in range(self.digit_steps):
                for layer in model[1].layers:
                    if hasattr(layer, "reset_parameters"):
                        layer.reset_parameters()
                loss = cross_entropy(model(images), labels).item()
                if loss < best:
                    best, kept = loss, {name: tensor.clone() for name, tensor in model.state_dict().items()}
                if step % 10 == 9:
                    losses.append(best)
        model.load_state_dict(kept)
        return losses

    def evaluate(self) -> dict[str, float]:
        test, steps, losses = load_digits(8).test, self.record["steps"], self.record["losses"]
        named = {"ravine": "the ravine", "Rosenbrock": "Rosenbrock", "saddle": "the saddle"}
        figures = {f"steps on {named[place]}, {name}": n for place, found in steps.items() for name, n in found.items()}
        figures["steps on the ravine, momentum over gradient descent"] = (
            steps["ravine"]["momentum"] / steps["ravine"]["gradient descent"]
        )
        figures["steps on Rosenbrock, Newton over gradient descent"] = (
            steps["Rosenbrock"]["Newton"] / steps["Rosenbrock"]["gradient descent"]
        )
        figures["training loss on digits, Adam over random search"] = losses["Adam"][-1] / losses["random search"][-1]
        figures |= {f"training loss on digits, {name}": found[-1] for name, found in losses.items()}
        return figures | {
            f"test accuracy on digits, {n}": accuracy(m, test, self.device) for n, m in self.model.items()
        }

    def draw(self) -> None:
        shown = {}
        for place, (landscape, _, bounds) in LANDSCAPES.items():
            paths = {
                f"{name} ({self.record['steps'][place][name]})": np.array(path)
                for name, path in self.record["paths"][place].items()
            }

            def heights(points: np.ndarray, landscape: Any = landscape) -> np.ndarray:
                return landscape(asarray(points, device="cpu")).numpy()

            names = list(paths)
            for part, chosen in (("", names[:5]), (" ", names[5:-1])):
                picked = {name: paths[name] for name in chosen}
                shown[place + part] = Surface(heights, bounds, picked, log=place != "saddle")
        surfaces(shown, self.picture("paths"), columns=2)
        curves({name: losses for name, losses in self.record["losses"].items()}, self.picture("digits"))
