"""Clipping: a step from the edge of a cliff, without it, by value and by norm."""

import numpy as np

from ..autograd.convert import asarray
from ..nn import Parameter
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim import SGD
from ..train import Goal, Recipe, cliff, walk
from ..viz import Surface, surfaces

WAYS = {
    "none": None,
    "by value": lambda p, most: clip_grad_value_([p], most),
    "by norm": lambda p, most: clip_grad_norm_([p], most),
}


class Clipping(Recipe):
    """Goes down to the cliff of a recurrent unit's loss, without clipping, by value and by norm.

    By norm: g <- g min(1, c / |g|); by value: each g_i is held in [-c, c]. At the cliff the gradient is so large that
    one step throws the weights far away; clipped, the walk goes on beside it (Pascanu et al. 2013).
    """

    notes = ("4.5 Gradient Clipping", "2.5 Issues with Recurrent Networks")
    minutes = 0.1
    goals = {
        "loss at the end, by norm": Goal(1e-3, lower=True, form=".2e"),
        "loss at the end, by value": Goal(1e-3, lower=True, form=".2e"),
        "largest step without clipping over that by norm": Goal(5.0, form=".3g"),
    }
    quick = {"steps": 200}
    steps = 1000
    lr = 0.5
    most = 0.1  # the norm, or the value, that a gradient is held to

    def train(self) -> None:
        for name, clip in WAYS.items():

            def before(point: Parameter, clip=clip) -> None:
                if clip is not None:
                    clip(point, self.most)

            path = walk(cliff, (6.0, -2.2), lambda p: SGD(p, lr=self.lr), self.steps, 1e-6, before)
            self.record[name] = path.tolist()

    def evaluate(self) -> dict[str, float]:
        figures, largest = {}, {}
        for name, path in self.record.items():
            figures[f"loss at the end, {name}"] = cliff(asarray(np.array(path[-1]), device="cpu")).item()
            largest[name] = float(np.linalg.norm(np.diff(path, axis=0), axis=1).max())
            figures[f"largest step, {name}"] = largest[name]
        return figures | {"largest step without clipping over that by norm": largest["none"] / largest["by norm"]}

    def draw(self) -> None:
        def heights(points: np.ndarray) -> np.ndarray:
            return cliff(asarray(points, device="cpu")).numpy()

        shown = {n: Surface(heights, (4.5, 7.0, -4.0, 0.0), {n: np.array(path)}) for n, path in self.record.items()}
        surfaces(shown, self.picture("cliff"))
