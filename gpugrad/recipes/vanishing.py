"""Vanishing gradients: how much of the first input is left in the last state of recurrent networks."""

import numpy as np

from ..autograd.convert import asarray
from ..nn import GRU, LSTM, RNN, Module, ModuleDict
from ..train import Goal, Recipe
from ..viz import curves


class VanishingGradients(Recipe):
    """Measures the gradient of the last state by each earlier input, for RNN, LSTM and GRU.

    |d h_T / d x_t| against the distance T - t (Hochreiter 1991; Pascanu et al. 2013). The plain network's falls by the
    same factor at each step; the gates, which begin open (the bias of the forget gate is 2), keep more of it.
    """

    minutes = 0.2
    goals = {"LSTM's gradient over RNN's, at the largest distance": Goal(1e3, form=".3g")}
    quick = {"length": 40, "hidden": 16, "repeats": 2}
    length = 100
    hidden = 64
    repeats = 8

    def build(self) -> Module:
        kinds = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
        networks = {name: kind(self.hidden, self.hidden, batch_first=True) for name, kind in kinds.items()}
        networks["LSTM"].bias_ih_l0.data[self.hidden : 2 * self.hidden] = 2  # the forget gate
        networks["GRU"].bias_ih_l0.data[self.hidden : 2 * self.hidden] = 2  # the update gate, which keeps
        return ModuleDict(networks)

    def train(self) -> None:
        random = np.random.default_rng(self.options.seed)
        inputs = random.standard_normal((self.repeats, self.length, self.hidden)).astype(np.float32)
        directions = random.standard_normal((self.repeats, self.hidden)).astype(np.float32)
        for name, network in self.model.items():
            x = asarray(inputs, device=self.device).requires_grad_()
            output, _ = network(x)
            (output[:, -1] * asarray(directions, device=self.device)).sum().backward()
            norms = x.grad.square().sum(axis=2).sqrt().cpu().numpy().mean(axis=0)[::-1]
            self.record[name] = (norms / norms[0]).tolist()  # by distance, in parts of the last input's

    def evaluate(self) -> dict[str, float]:
        last = {name: max(self.record[name][-1], 1e-30) for name in self.model}
        figures = {f"gradient left after {self.length - 1} steps, {name}": value for name, value in last.items()}
        return {"LSTM's gradient over RNN's, at the largest distance": last["LSTM"] / last["RNN"], **figures}

    def draw(self) -> None:
        shown = {name: np.maximum(values, 1e-30).tolist() for name, values in self.record.items()}
        figure = curves(shown)
        figure.axes[0].set(xlabel="steps between the input and the last state", ylabel="gradient, relative")
        figure.savefig(self.picture("gradients"), dpi=150)
