"""Bias and variance: what a model cannot express, and what it takes from the chance of its sample."""

from collections.abc import Callable

import numpy as np

from ..autograd.convert import asarray
from ..linalg import pinv
from ..train import Goal, Recipe
from ..viz import panels


def truth(x: np.ndarray) -> np.ndarray:
    """The function that samples are noisy values of."""
    return np.sin(2 * x) + 0.5 * x


Features = Callable[[np.ndarray], np.ndarray]


def polynomial(degree: int) -> Features:
    """Return the features 1, P_1(x), ..., P_degree(x) (Legendre's polynomials, all of one size)."""
    return lambda x: np.polynomial.legendre.legvander(x / 3, degree)


def network(units: int, seed: int) -> Features:
    """Return the features relu(w_i x + b_i) of a hidden layer with fixed random weights."""
    random = np.random.default_rng(seed)
    weights, places = random.choice([-1.0, 1.0], units), random.uniform(-3, 3, units)
    return lambda x: np.maximum(0, weights * (x[:, None] - places)) / np.sqrt(units)


class BiasVariance(Recipe):
    """Splits the test error of regressions into bias, variance and noise, by fitting many samples of one function.

    E (y - f_D(x))^2 = (E f_D(x) - f(x))^2 + Var f_D(x) + noise^2, over samples D (the notes' 2.2; Geman et al. 1992).
    Capacity is a polynomial's degree, or the units of a network whose last layer is solved for (the shortest solution,
    by the pseudo-inverse). The network's test error rises to a peak where there are as many units as samples and falls
    again beyond: double descent (Belkin et al. 2019). Whether the widest network is better than the best of the narrow
    ones is printed, and not asked for.
    """

    notes = ("2.1 Risk", "2.2 Bias-Variance Tradeoff", "5.0.1 Classical Learning Theory")
    minutes = 0.2
    goals = {
        "test error over bias + variance + noise, farthest from 1": Goal(1.1, lower=True, form=".3f"),
        "network's error at the peak over that of the widest": Goal(2.0, form=".3g"),
    }
    quick = {"draws": 40, "degrees": 8, "widest": 64}
    draws = 400
    samples = 20
    noise = 0.3
    degrees = 12
    widest = 1000

    def train(self) -> None:
        kinds = {"polynomial": {d: polynomial(d) for d in range(1, self.degrees + 1)}, "network": {}}
        widths = sorted(
            {round(2 ** (i / 3)) for i in range(3 * 10 + 1)} | set(range(self.samples - 4, self.samples + 5))
        )
        kinds["network"] = {w: network(w, self.options.seed) for w in widths if w <= self.widest}
        for kind, found in kinds.items():
            self.record[kind] = {str(capacity): self.measured(features) for capacity, features in found.items()}

    def measured(self, features: Features) -> dict[str, float]:
        """Return the mean errors of the regression on `features`, over draws of its sample."""
        random = np.random.default_rng(self.options.seed + 1)
        apart = 6 / (self.samples - 1)
        x = np.linspace(-3, 3, self.samples) + apart * random.uniform(-0.5, 0.5, (self.draws, self.samples))
        y = truth(x) + self.noise * random.standard_normal(x.shape)
        at = np.linspace(-2.8, 2.8, 80)
        tested = truth(at) + self.noise * random.standard_normal((self.draws, len(at)))
        design = asarray(np.stack([features(row) for row in x]), device=self.device)
        weights = (pinv(design, rcond=1e-8) @ asarray(y[:, :, None], device=self.device)).cpu().numpy()
        fitted = (features(at) @ weights)[:, :, 0]
        again = (design.cpu().numpy() @ weights)[:, :, 0]
        return {
            "bias": float(np.square(fitted.mean(axis=0) - truth(at)).mean()),
            "variance": float(fitted.var(axis=0).mean()),
            "test": float(np.square(fitted - tested).mean()),
            "training": float(np.square(again - y).mean()),
        }

    def evaluate(self) -> dict[str, float]:
        polynomials, networks = self.record["polynomial"], self.record["network"]
        ratios = [
            one["test"] / (one["bias"] + one["variance"] + self.noise**2)
            for one in (*polynomials.values(), *networks.values())
        ]
        best = min(polynomials, key=lambda degree: polynomials[degree]["test"])
        peak = max((w for w in networks if int(w) > 4), key=lambda width: networks[width]["test"])
        last, narrow = list(networks)[-1], min(one["test"] for w, one in networks.items() if int(w) < self.samples)
        return {
            "test error over bias + variance + noise, farthest from 1": max(max(r, 1 / r) for r in ratios),
            "network's error at the peak over that of the widest": networks[peak]["test"] / networks[last]["test"],
            "error of the widest over the best with fewer units than samples": networks[last]["test"] / narrow,
            "best degree": int(best),
            "test error of the best degree": polynomials[best]["test"],
            "units at the network's peak": int(peak),
            f"test error with {last} units": networks[last]["test"],
        }

    def draw(self) -> None:
        shown = {}
        for kind, measured in self.record.items():
            x = [int(capacity) for capacity in measured]
            shown[kind] = {
                part: (x, [one[part] for one in measured.values()]) for part in next(iter(measured.values()))
            }
        figure = panels(shown, columns=2, ylabel="mean square error", log="y")
        figure.axes[0].set_xlabel("degree")
        figure.axes[1].set(xlabel=f"units (of {self.samples} samples)", xscale="log")
        for axes in figure.axes:
            axes.set_ylim(1e-3, 1e3)
        figure.savefig(self.picture("errors"), dpi=150)
