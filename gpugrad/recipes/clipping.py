"""Clipping: a step from the edge of a cliff, without it, by value and by norm."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.functional import grad
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
    one step throws the weights far away; clipped, the walk goes on beside it (Pascanu et al. 2013). By norm a step has
    the gradient's direction, by value it may not: the figure is the largest angle between the two.
    """

    notes = ("4.5 Gradient Clipping", "2.5 Issues with Recurrent Networks")
    minutes = 0.1
    goals = {
        "largest step without clipping over that by norm": Goal(5.0, form=".3g"),
        "angle of a step to the gradient, by norm": Goal(0.1, lower=True, form=".2g"),
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
            figures[f"angle of a step to the gradient, {name}"] = _largest_angle(np.array(path))
        return figures | {"largest step without clipping over that by norm": largest["none"] / largest["by norm"]}

    def draw(self) -> None:
        def heights(points: np.ndarray) -> np.ndarray:
            return cliff(asarray(points, device="cpu")).numpy()

        shown = {n: Surface(heights, (4.5, 7.0, -4.0, 0.0), {n: np.array(path)}) for n, path in self.record.items()}
        surfaces(shown, self.picture("cliff"))


def _largest_angle(path: np.ndarray) -> float:
    """Return the largest angle, in degrees, between a step of a path (n, 2) and the gradient against which it goes."""
    points = asarray(path[:-1], device="cpu").requires_grad_()
    (gradients,) = grad(cliff(points).sum(), points)
    slopes, steps = -gradients.numpy(), np.diff(path, axis=0)
    across = steps[:, 0] * slopes[:, 1] - steps[:, 1] * slopes[:, 0]
    return float(np.degrees(np.abs(np.arctan2(across, (steps * slopes).sum(axis=1)))).max())
