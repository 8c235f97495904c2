"""Pictures of functions: curves in panels, surfaces over a plane with paths and points on them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .figures import new_figure, saved

Curve = tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]


def panels(
    curves: Mapping[str, Mapping[str, Curve]],
    path: str | os.PathLike | None = None,
    *,
    points: Mapping[str, Curve] | None = None,
    columns: int = 4,
    xlabel: str = "",
    ylabel: str = "",
    log: str = "",
) -> Any:
    """Return a picture with a panel for each name, in which curves (x, y) stand by name: matplotlib's Figure, also
    written to `path`.

    points: samples (x, y) of a panel, drawn as dots. log: axes with a logarithmic scale, "x", "y" or "xy".

    >>> x = [0.0, 1.0]
    >>> figure = gg.viz.panels({"line": {"f": (x, x), "2 f": (x, [0.0, 2.0])}}, points={"line": (x, x)})
    >>> figure.axes[0].get_title(), len(figure.axes[0].lines)
    ('line', 3)
    """
    columns = min(columns, max(1, len(curves)))
    rows = max(1, math.ceil(len(curves) / columns))
    figure, axes = new_figure((3.4 * columns + 0.6, 2.6 * rows + 0.4), rows, columns)
    for place, (title, named) in zip(axes.flat, curves.items(), strict=False):
        if points and title in points:
            place.plot(*points[title], ".", color="black", markersize=3)
        for name, (x, y) in named.items():
            place.plot(x, y, linewidth=1.3, label=name)
        place.set_title(title, fontsize=9)
        place.set(xlabel=xlabel, ylabel=ylabel)
        place.grid(alpha=0.3)
        if "x" in log:
            place.set_xscale("log")
        if "y" in log:
            place.set_yscale("log")
        if any(named):
            place.legend(fontsize=7)
    for place in axes.flat[len(curves) :]:
        place.axis("off")
    return saved(figure, path)


class Surface(NamedTuple):
    """A function of points (n, 2) over a plane, with what is drawn on it.

    bounds: (lowest x, highest x, lowest y, highest y). paths: points (n, 2) in their order, by name. points and labels:
    samples and the numbers that color them. log: heights on a logarithmic scale. limits: the heights that the colors
    reach from and to, by default the lowest and the highest.

    >>> gg.viz.Surface(lambda points: points[:, 0], (0, 1, 0, 1)).log
    False
    """

    function: Callable[[np.ndarray], np.ndarray]
    bounds: tuple[float, float, float, float]
    paths: Mapping[str, np.ndarray] = {}
    points: np.ndarray | None = None
    labels: np.ndarray | None = None
    log: bool = False
    limits: tuple[float, float] | None = None


def surfaces(shown: Mapping[str, Surface], path: str | os.PathLike | None = None, *, columns: int = 3) -> Any:
    """Return a picture of surfaces by name, as lines of equal height: matplotlib's Figure, also written to `path`.

    >>> bowl = gg.viz.Surface(lambda points: (points**2).sum(1), (-1, 1, -1, 1), {"down": np.array([[1, 1], [0, 0]])})
    >>> figure = gg.viz.surfaces({"bowl": bowl})
    >>> figure.axes[0].lines[0].get_label()
    'down'
    """
    columns = min(columns, max(1, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    figure, axes = new_figure((4.6 * columns, 4.2 * rows), rows, columns)
    for place, (title, surface) in zip(axes.flat, shown.items(), strict=False):
        left, right, low, high = surface.bounds
        x, y = np.meshgrid(np.linspace(left, right, 161), np.linspace(low, high, 161))
        heights = np.asarray(surface.function(np.stack([x.ravel(), y.ravel()], 1).astype(np.float32))).reshape(x.shape)
        if surface.log:
            heights = np.log10(heights - heights.min() + 1e-3)
        levels = 30 if surface.limits is None else np.linspace(*surface.limits, 31)
        place.contourf(x, y, heights, levels, cmap="Blues_r" if surface.paths else "coolwarm", alpha=0.8)
        for number, (name, steps) in enumerate(surface.paths.items()):
            color = f"C{number + 1}"  # not the first, which is blue like the surface
            place.plot(steps[:, 0], steps[:, 1], linewidth=1, marker=".", markersize=2, label=name, color=color)
        if surface.paths:
            place.legend(fontsize=6)
        if surface.points is not None:
            kinds = surface.labels
            place.scatter(*surface.points.T, c=kinds, cmap="coolwarm", edgecolors="black", s=18, linewidths=0.5)
        place.set(xlim=(left, right), ylim=(low, high))
        place.set_title(title, fontsize=9)
    for place in axes.flat[len(shown) :]:
        place.axis("off")
    return saved(figure, path)
