"""Diagnoses of a training: units that say the same, and what a loss curve says about the learning rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import OptionError
from ..nn import Module
from .watch import see_activations


class Correlated(NamedTuple):
    """Two units of a layer whose outputs rise and fall together, and the correlation.

    >>> print(gg.train.Correlated("0", 1, 3, -1.0))
    0: units 1 and 3 are correlated by -1.000
    """

    layer: str
    first: int
    second: int
    correlation: float

    def __str__(self) -> str:
        return f"{self.layer}: units {self.first} and {self.second} are correlated by {self.correlation:.3f}"


def correlated_units(model: Module, batches: Iterable[Any], least: float = 0.99) -> list[Correlated]:
    """Return the pairs of units with a correlation of at least `least`, of either sign, in each activation layer.

    batches: inputs of the model, or tuples whose first item is one. Units are along axis 1 of (N, C, ...) outputs;
    places count as samples. Units that never change are left out: `dead_units` finds them.

    >>> model = nn.Sequential(nn.Tanh())
    >>> gg.train.correlated_units(model, [gg.tensor([[0.1, -0.1, 0.3], [0.2, -0.2, 0.1], [0.0, 0.0, 0.2]])])
    [Correlated(layer='0', first=0, second=1, correlation=-1.0)]
    """
    seen: dict[str, list[np.ndarray]] = {}

    def look(name: str, module: Module, args: Any, output: Any) -> None:
        if output.ndim >= 2:
            values = output.detach().cpu().numpy().astype(np.float64)
            seen.setdefault(name, []).append(np.moveaxis(values, 1, -1).reshape(-1, values.shape[1]))

    see_activations(model, batches, look)
    return [pair for name, parts in seen.items() for pair in _pairs(name, np.concatenate(parts), least)]


def _pairs(layer: str, values: np.ndarray, least: float) -> list[Correlated]:
    spread = values.std(axis=0)
    moving = np.flatnonzero(spread > 1e-12)
    scaled = (values[:, moving] - values[:, moving].mean(axis=0)) / spread[moving]
    matrix = np.round(scaled.T @ scaled / len(values), 6)
    rows, columns = np.nonzero(np.triu(np.abs(matrix) >= least, 1))
    return [
        Correlated(layer, int(moving[i]), int(moving[j]), float(matrix[i, j]))
        for i, j in zip(rows, columns, strict=True)
    ]


def learning_rate_verdict(losses: Sequence[float]) -> str:
    """Return what the losses of a training say of its learning rate: "too high", "too low" or "right".

    Too high: the losses do not stay finite, rise to twice the first, do not fall, or jump up late by more than they
    fell. Too low: the last fifth still falls half as fast as the fastest tenth did (a line), or nothing was gained.
    Raises OptionError for fewer than 10 losses.

    >>> gg.train.learning_rate_verdict([0.5**step for step in range(20)])
    'right'
    >>> gg.train.learning_rate_verdict([1 - 0.001 * step for step in range(20)])
    'too low'
    >>> gg.train.learning_rate_verdict([2.0**step for step in range(20)])
    'too high'
    """
    values = np.asarray(losses, np.float64)
    if values.size < 10:
        raise OptionError(f"learning_rate_verdict: expected at least 10 losses, got {values.size}")
    if not np.isfinite(values).all() or values.max() > 2 * abs(values[0]):
        return "too high"
    tenths = np.array([part.mean() for part in np.array_split(values, 10)])
    fallen = tenths[0] - tenths.min()
    ups = np.diff(values[len(values) // 2 :]).clip(min=0)
    if tenths[-1] > 1.02 * tenths[0] or (fallen > 0 and ups.max(initial=0) > max(fallen, 0.5 * tenths[0])):
        return "too high"
    slopes = -np.diff(tenths)
    if fallen < 0.02 * abs(tenths[0]) or slopes[-2:].mean() > 0.5 * slopes.max():
        return "too low"
    return "right"
