"""The perceptron: it finds a line between two classes if there is one, and no network without a layer can do XOR."""

import numpy as np

from ..autograd.convert import asarray
from ..models import Perceptron
from ..nn import Module, ModuleDict
from ..train import Goal, Recipe
from ..viz import Surface, surfaces

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
GATES = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}


class LearningRule(Recipe):
    """Separates points by the perceptron's learning rule, within its bound of mistakes, and fails on XOR.

    w += (y - heaviside(w x + b)) x at each mistake (Rosenblatt 1958); at most (R / g)^2 mistakes (Novikoff 1962). XOR
    has no line between its classes (Minsky and Papert 1969): at most three corners of four can be right, and the rule
    makes mistakes for ever.
    """

    notes = ("1.2.1 The Perceptron Model",)
    minutes = 0.1
    goals = {
        "accuracy on separable points": Goal(1.0),
        "mistakes, in parts of the bound": Goal(1.0, lower=True, form=".3f"),
        "accuracy on AND": Goal(1.0),
        "accuracy on OR": Goal(1.0),
        "accuracy on XOR": Goal(0.75, lower=True),
    }
    quick = {"samples": 30}
    samples = 200
    margin = 0.1
    passes = 500

    def points(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return points (n, 2) at least `margin` from a line, their classes, and the line (w, b) with |w| = 1."""
        random = np.random.default_rng(self.options.seed)
        line = random.standard_normal(2)
        line = np.append(line / np.linalg.norm(line), 0.2)
        points = random.uniform(-1, 1, (4 * self.samples, 2))
        distance = points @ line[:2] + line[2]
        kept = np.flatnonzero(np.abs(distance) >= self.margin)[: self.samples]
        return points[kept].astype(np.float32), (distance[kept] > 0).astype(np.float32), line

    def data(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return points and classes of each task."""
        points, classes, _ = self.points()
        return {"separable points": (points, classes)} | {
            name: (CORNERS, np.array(gate, np.float32)) for name, gate in GATES.items()
        }

    def build(self) -> Module:
        return ModuleDict({name: Perceptron(2) for name in ("separable points", *GATES)})

    def train(self) -> None:
        for name, (points, classes) in self.data().items():
            inputs, labels = (asarray(array, device=self.device) for array in (points, classes))
            self.record[name] = mistakes = []
            for _ in range(self.passes if name == "separable points" else 50):
                mistakes.append(self.model[name].learn(inputs, labels))
                if not mistakes[-1]:
                    break

    def bound(self) -> float:
        """Return (R / g)^2 of the points with a 1 appended, for the line that they were made with."""
        points, _, line = self.points()
        extended = np.column_stack([points, np.ones(len(points))])
        distance = np.abs(extended @ line) / np.linalg.norm(line)
        return float((np.linalg.norm(extended, axis=1).max() / distance.min()) ** 2)

    def evaluate(self) -> dict[str, float]:
        figures = {}
        for name, (points, classes) in self.data().items():
            answers = self.model[name](asarray(points, device=self.device)).cpu().numpy()
            figures[f"accuracy on {name}"] = float((answers == classes).mean())
        mistakes = sum(self.record["separable points"])
        return figures | {
            "mistakes, in parts of the bound": mistakes / self.bound(),
            "mistakes on separable points": mistakes,
            "bound of the mistakes": self.bound(),
            "passes over separable points": len(self.record["separable points"]),
            "mistakes in the last of 50 passes over XOR": self.record["XOR"][-1],
        }

    def draw(self) -> None:
        shown = {}
        for name, (points, classes) in self.data().items():
            model = self.model[name]
            bounds = (-1.05, 1.05, -1.05, 1.05) if name == "separable points" else (-0.3, 1.3, -0.3, 1.3)
            shown[name] = Surface(
                lambda at, model=model: model(asarray(at, device=self.device)).cpu().numpy(),
                bounds,
                {},
                points,
                classes,
            )
        surfaces(shown, self.picture("classes"), columns=2)
