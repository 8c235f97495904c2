"""Universal approximation: the wider a hidden layer, the closer it comes to a curve."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..nn import Linear, Module, ModuleDict, Sequential, Tanh
from ..nn.functional import mse_loss
from ..optim import LBFGS
from ..train import Goal, Recipe
from ..viz import panels


def curve(x: np.ndarray) -> np.ndarray:
    """The function to come close to."""
    return (np.sin(3 * np.pi * x) * np.exp(-x) + np.abs(x - 0.3)) / 2


class Approximation(Recipe):
    """Fits a curve with one hidden layer of 1, 2, 4, ... units: the error falls with the width.

    sum_i a_i tanh(w_i x + b_i) comes as close to any continuous function on an interval as one wants, if there are
    enough units (Cybenko 1989; Hornik et al. 1989). Trained by L-BFGS on all points at once; the best of several
    starts, since the theorem says that good weights exist, not that they are found.
    """

    notes = ("1.1.3 Functions", "1.2.2 Multi-Layer Perceptron", "Neural networks: Architectures")
    minutes = 0.5
    goals = {
        "error of the widest network": Goal(0.01, lower=True, form=".4f"),
        "error of the widest, in parts of one unit's": Goal(0.05, lower=True, form=".3f"),
    }
    quick = {"widest": 8, "starts": 1, "steps": 15}
    widest = 64
    starts = 3
    steps = 60

    def widths(self) -> list[int]:
        """Return 1, 2, 4, ... up to the widest."""
        return [2**i for i in range(self.widest.bit_length())]

    def build(self) -> Module:
        return ModuleDict({str(w): Sequential(Linear(1, w), Tanh(), Linear(w, 1)) for w in self.widths()})

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return places (n, 1) and the curve's values there."""
        x = np.linspace(-1, 1, 200, dtype=np.float32).reshape(-1, 1)
        return x, curve(x).astype(np.float32)

    def train(self) -> None:
        x, y = (asarray(array, device=self.device) for array in self.points())
        for model in self.model.values():
            best, kept = np.inf, {}
            for _ in range(self.starts):
                for layer, scale in ((model[0], 6.0), (model[2], 1.0)):  # kinks all over the interval
                    layer.reset_parameters()
                    layer.weight.data *= scale
                optimizer = LBFGS(model.parameters(), max_iter=20, line_search_fn="strong_wolfe")

                def closure(model: Module = model, optimizer: LBFGS = optimizer) -> object:
                    optimizer.zero_grad()
                    loss = mse_loss(model(x), y)
                    loss.backward()
                    return loss

                for _ in range(self.steps):
                    optimizer.step(closure)
                with no_grad():
                    error = mse_loss(model(x), y).item()
                if error < best:
                    best, kept = error, {n: t.clone() for n, t in model.state_dict().items()}
            model.load_state_dict(kept)

    def fitted(self) -> dict[str, np.ndarray]:
        """Return the values of each network at the points."""
        x, _ = self.points()
        with no_grad():
            return {name: model(asarray(x, device=self.device)).cpu().numpy() for name, model in self.model.items()}

    def evaluate(self) -> dict[str, float]:
        _, y = self.points()
        errors = {name: float(np.sqrt(np.square(values - y).mean())) for name, values in self.fitted().items()}
        self.record["errors"] = errors
        last = errors[str(self.widths()[-1])]
        return {
            "error of the widest network": last,
            "error of the widest, in parts of one unit's": last / errors["1"],
            **{f"error of width {name}": error for name, error in errors.items()},
        }

    def draw(self) -> None:
        x, y = (array[:, 0] for array in self.points())
        found = self.fitted()
        panels(
            {f"{n} units, error {self.record['errors'][n]:.4f}": {"network": (x, v[:, 0])} for n, v in found.items()},
            self.picture("fits"), points={f"{n} units, error {self.record['errors'][n]:.4f}": (x, y) for n in found},
        )  # fmt: skip
        errors = self.record["errors"]
        named = {"root mean square error": {"": (list(map(int, errors)), list(errors.values()))}}
        panels(named, self.picture("errors"), xlabel="units", log="xy")
