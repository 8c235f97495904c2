"""XOR: what a hidden layer with a nonlinear function can do, and what none can do without."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..nn import Linear, Module, ModuleDict, Sequential, Tanh
from ..nn.functional import binary_cross_entropy_with_logits
from ..optim import Adam
from ..train import Goal, Recipe
from ..viz import Surface, surfaces

CORNERS = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], np.float32)
XOR = np.array([0, 1, 1, 0], np.float32)


class ExclusiveOr(Recipe):
    """Learns XOR with a hidden layer, where one layer fails, and so do two without a nonlinear function between.

    Two linear layers are one: W2 (W1 x) = (W2 W1) x, the notes' "why is the max operator important".
    """

    notes = ("1.2.2 Multi-Layer Perceptron", "Neural networks: why is max operator important?")
    minutes = 0.1
    goals = {
        "accuracy of the multilayer perceptron": Goal(1.0),
        "accuracy of one layer": Goal(0.75, lower=True),
        "accuracy of two layers without a nonlinear function": Goal(0.75, lower=True),
    }
    quick = {"epochs": 150}
    epochs = 400
    lr = 0.05
    hidden = 8

    def build(self) -> Module:
        return ModuleDict(
            {
                "one layer": Sequential(Linear(2, 1)),
                "two layers without a nonlinear function": Sequential(Linear(2, self.hidden), Linear(self.hidden, 1)),
                "the multilayer perceptron": Sequential(Linear(2, self.hidden), Tanh(), Linear(self.hidden, 1)),
            }
        )

    def train(self) -> None:
        batch = asarray(CORNERS), asarray(XOR.reshape(-1, 1))
        for name, model in self.model.items():
            optimizer = Adam(model.parameters(), lr=self.lr)
            trainer = self.trainer(model, optimizer, binary_cross_entropy_with_logits)
            self.fit(trainer, [batch], name=name.replace(" ", "-"))

    def evaluate(self) -> dict[str, float]:
        with no_grad():
            answers = {n: m(asarray(CORNERS, device=self.device)).cpu().numpy()[:, 0] for n, m in self.model.items()}
        return {f"accuracy of {name}": float(((score > 0) == XOR).mean()) for name, score in answers.items()}

    def draw(self) -> None:
        shown = {}
        for name, model in self.model.items():

            def probability(points: np.ndarray, model: Module = model) -> np.ndarray:
                with no_grad():
                    return model(asarray(points, device=self.device)).sigmoid().cpu().numpy()

            shown[name] = Surface(probability, (-1.6, 1.6, -1.6, 1.6), {}, CORNERS, XOR, limits=(0.0, 1.0))
        surfaces(shown, self.picture("probability"))
