"""Vanishing gradients: how much the last state of recurrent networks still depends on each earlier one."""

import numpy as np

from ..autograd.convert import asarray
from ..nn import GRUCell, LSTMCell, Module, ModuleDict, RNNCell
from ..train import Goal, Recipe
from ..viz import curves


class VanishingGradients(Recipe):
    """Measures the gradient of the last state by each earlier state, for RNN, LSTM and GRU.

    |v . d h_T / d h_t| for random v against the distance T - t; a state of the LSTM is h and c together (Hochreiter
    1991; Pascanu et al. 2013). The plain network's falls by the same factor at each step; the gates, which begin open
    (the bias of the forget gate is 2), keep more of it.
    """

    minutes = 0.2
    goals = {"LSTM's gradient over RNN's, at the largest distance": Goal(1e3, form=".3g")}
    quick = {"length": 40, "hidden": 16, "repeats": 2}
    length = 100
    hidden = 64
    repeats = 8

    def build(self) -> Module:
        kinds = {"RNN": RNNCell, "LSTM": LSTMCell, "GRU": GRUCell}
        cells = ModuleDict({name: kind(self.hidden, self.hidden) for name, kind in kinds.items()})
        cells["LSTM"].bias_ih.data[self.hidden : 2 * self.hidden] = 2  # the forget gate
        cells["GRU"].bias_ih.data[self.hidden : 2 * self.hidden] = 2  # the update gate, which keeps
        return cells.double()  # in float32 the plain network's gradient would be 0 soon

    def train(self) -> None:
        for name in self.model:
            norms = self.gradients(name)
            self.record[name] = (norms / norms[0]).tolist()  # by distance, in parts of the last step's

    def gradients(self, name: str) -> np.ndarray:
        """Return the mean norm of the gradient by the state, by its distance from the last: (length - 1,)."""
        random = np.random.default_rng(self.options.seed)
        shape, cell = (self.repeats, self.hidden), self.model[name]
        inputs = asarray(random.standard_normal((self.length, *shape)), device=self.device)
        direction = asarray(random.standard_normal(shape), device=self.device)
        state, states = None, []
        for x in inputs:
            state = cell(x) if state is None else cell(x, state)
            parts = state if isinstance(state, tuple) else (state,)
            for part in parts:
                part.retain_grad()
            states.append(parts)
        (states[-1][0] * direction).sum().backward()
        squares = [[part.grad.square().sum(axis=1).cpu().numpy() for part in parts] for parts in states[-2::-1]]
        return np.array([np.sqrt(np.sum(parts, axis=0)).mean() for parts in squares])

    def evaluate(self) -> dict[str, float]:
        last = {name: self.record[name][-1] for name in self.model}
        figures = {f"gradient left after {self.length - 1} steps, {name}": value for name, value in last.items()}
        return {"LSTM's gradient over RNN's, at the largest distance": last["LSTM"] / last["RNN"], **figures}

    def draw(self) -> None:
        figure = curves({name: self.record[name] for name in self.model})
        figure.axes[0].set(xlabel="steps between the two states", ylabel="gradient, relative")
        figure.savefig(self.picture("gradients"), dpi=150)
