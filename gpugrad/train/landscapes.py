"""Functions of two numbers that optimizers are raced on, and the walk of an optimizer over one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import Parameter
from ..optim import LBFGS, NewtonCG

Landscape = Callable[[Tensor], Tensor]


def ravine(points: Tensor) -> Tensor:
    """Return (x^2 + 50 y^2) / 2 of points (..., 2): fifty times as steep across as along.

    >>> gg.train.ravine(gg.tensor([1.0, 1.0])).item()
    25.5
    """
    return (points[..., 0] ** 2 + 50 * points[..., 1] ** 2) / 2


def rosenbrock(points: Tensor) -> Tensor:
    """Return (1 - x)^2 + 100 (y - x^2)^2 of points (..., 2): a bent valley with its least value, 0, at (1, 1).

    Rosenbrock 1960, "An automatic method for finding the greatest or least value of a function".

    >>> gg.train.rosenbrock(gg.tensor([1.0, 1.0])).item()
    0.0
    """
    x, y = points[..., 0], points[..., 1]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def saddle(points: Tensor) -> Tensor:
    """Return x^2 + (y^2 - 1)^2 / 4 of points (..., 2): a saddle at (0, 0), least values, 0, at (0, 1) and (0, -1).

    >>> gg.train.saddle(gg.tensor([[0.0, 0.0], [0.0, -1.0]])).tolist()
    [0.25, 0.0]
    """
    return points[..., 0] ** 2 + (points[..., 1] ** 2 - 1) ** 2 / 4


def cliff(points: Tensor, steps: int = 10, target: float = 0.7) -> Tensor:
    """Return the loss of a recurrent unit with weight x and bias y at points (..., 2), which has a cliff.

    The unit's state begins at 0.5 and becomes sigmoid(x state + y) in each step; the loss is the squared distance of
    the last from `target` (Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", figure 6).

    >>> gg.train.cliff(gg.tensor([0.0, 0.0]), target=0.5).item()
    0.0
    """
    state: Any = 0.5
    for _ in range(steps):
        state = (points[..., 0] * state + points[..., 1]).sigmoid()
    return (state - target) ** 2


def walk(
    landscape: Landscape,
    start: Sequence[float],
    optimizer: Callable[[list[Parameter]], Any],
    steps: int = 500,
    tolerance: float = 1e-3,
    before_step: Callable[[Parameter], Any] | None = None,
) -> np.ndarray:
    """Return the points (n, 2) that an optimizer visits, from `start` until the value is below `tolerance`.

    optimizer: makes one for a list of parameters. before_step: called with the parameter when its gradient is there.
    The walk ends after `steps`, and where the value is not finite.

    >>> path = gg.train.walk(gg.train.ravine, (1.0, 0.0), lambda p: gg.optim.SGD(p, lr=0.5), steps=3)
    >>> path[:, 0].tolist()
    [1.0, 0.5, 0.25, 0.125]
    """
    point = Parameter(asarray(np.array(start, np.float64), device="cpu"))
    chosen = optimizer([point])
    path = [point.detach().numpy().copy()]

    def closure() -> Tensor:
        chosen.zero_grad()
        loss = landscape(point)
        if not isinstance(chosen, NewtonCG):
            loss.backward()
        return loss

    for _ in range(steps):
        if isinstance(chosen, (LBFGS, NewtonCG)):
            chosen.step(closure)
        else:
            closure()
            if before_step is not None:
                before_step(point)
            chosen.step()
        path.append(point.detach().numpy().copy())
        with no_grad():
            value = landscape(point).item()
        if not math.isfinite(value) or value < tolerance:
            break
    return np.array(path)
