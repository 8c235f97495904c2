"""Pictures of learning to act: curves with their spread, a world of fields with values and a policy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .figures import new_figure, saved


def spread(
    runs: Mapping[str, Sequence[Sequence[float]]], path: str | os.PathLike | None = None, *, x: str = "", y: str = ""
) -> Any:
    """Return a picture of the mean of several runs by name, with the area from the lowest to the highest.

    A run that ended early counts with its last value from then on. x, y: names of the axes.

    >>> figure = gg.viz.spread({"two runs": [[1.0, 2.0, 3.0], [2.0, 2.0]]}, x="round", y="return")
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [1.5, 2.0, 2.5]
    """
    figure, axes = new_figure((7, 4))
    for name, given in runs.items():
        longest = max((len(run) for run in given), default=0)
        rows = np.array([[*run, *[run[-1]] * (longest - len(run))] for run in given if len(run)], np.float64)
        if not rows.size:
            continue
        place = np.arange(1, longest + 1)
        (line,) = axes.plot(place, rows.mean(axis=0), label=name)
        axes.fill_between(place, rows.min(axis=0), rows.max(axis=0), alpha=0.2, color=line.get_color())
    axes.set(xlabel=x, ylabel=y)
    axes.legend()
    axes.grid(alpha=0.3)
    return saved(figure, path)


def grid_world(
    fields: np.ndarray,
    values: Mapping[str, np.ndarray],
    policies: Mapping[str, np.ndarray],
    path: str | os.PathLike | None = None,
) -> Any:
    """Return a picture of worlds of fields: values (S,) by name as colours, policies (S,) of the same names as arrows.

    fields: characters (rows, columns), as `gg.rl.GridWorld.fields`.

    >>> world = gg.rl.GridWorld(["S.G"])
    >>> best = gg.rl.value_iteration(world.mdp())
    >>> figure = gg.viz.grid_world(world.fields, {"best": best.values}, {"best": best.policy})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['S 0.95', '1.00', 'G']
    """
    figure, axes = new_figure((0.9 * fields.shape[1] * len(values) + 1, 0.9 * fields.shape[0] + 0.6), 1, len(values))
    for place, (name, found) in zip(axes.flat, values.items(), strict=True):
        shown = np.where(fields == "#", np.nan, found.reshape(fields.shape))
        largest = np.nanmax(np.abs(shown)) or 1
        place.imshow(shown, cmap="RdYlGn", vmin=-largest, vmax=largest)
        for (row, column), kind in np.ndenumerate(fields):
            if kind in "GX#":
                place.text(column, row, kind if kind != "#" else "", ha="center", va="center")
                continue
            value = f"{'S ' if kind == 'S' else ''}{shown[row, column]:.2f}"
            place.text(column, row + 0.28, value, ha="center", va="center", fontsize=7)
            if name in policies:
                down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[policies[name].reshape(fields.shape)[row, column]]
                start = column - 0.15 * right, row - 0.1 - 0.15 * down
                place.arrow(*start, 0.3 * right, 0.3 * down, head_width=0.12, color="black")
        place.set_title(name, fontsize=9)
        place.set_xticks([])
        place.set_yticks([])
    return saved(figure, path)
