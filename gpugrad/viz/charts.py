"""Curves of training and histograms of parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend.dtypes import float32
from ..errors import ShapeError
from .figures import new_figure, saved


def curves(
    values: Mapping[str, Sequence[float]] | Sequence[float],
    path: str | os.PathLike | None = None,
    *,
    per_epoch: float | None = None,
    log: bool = True,
) -> Any:
    """Return a picture of curves by name, such as the losses of the steps: matplotlib's Figure, also written to `path`.

    per_epoch: steps of an epoch, in which the longest curve is then measured; shorter ones (a value for each epoch) are
    spread over the same length. log: a logarithmic scale, if all values are positive.

    >>> figure = gg.viz.curves({"training loss": [1.0, 0.5, 0.3]})
    >>> figure.axes[0].get_xlabel()
    'step'
    """
    named = values if isinstance(values, Mapping) else {"loss": values}
    figure, axes = new_figure((7, 4))
    longest = max((len(v) for v in named.values()), default=0)
    for number, (name, given) in enumerate(named.items()):
        place = np.arange(1, len(given) + 1) * (longest / max(1, len(given))) / (per_epoch or 1)
        style = "-" if number < 10 else "--"  # the colors begin again after ten
        axes.plot(place, given, style, linewidth=1, label=name, marker="." if len(given) < 30 else None)
    positive = all(v > 0 for given in named.values() for v in given if v == v)
    axes.set(xlabel="epoch" if per_epoch else "step", yscale="log" if log and positive else "linear")
    if len(named) == 1:
        axes.set_ylabel(next(iter(named)))
    elif named:
        axes.legend()
    axes.grid(alpha=0.3)
    return saved(figure, path)


def lines(
    x: Sequence[float],
    values: Mapping[str, Sequence[float]],
    path: str | os.PathLike | None = None,
    *,
    xlabel: str = "",
    ylabel: str = "",
) -> Any:
    """Return a picture of values by name at the places `x`, such as errors by depth: matplotlib's Figure, also written
    to `path`.

    Raises ShapeError where there are not as many values as places.

    >>> figure = gg.viz.lines([20, 44], {"plain": [0.1, 0.2], "residual": [0.1, 0.05]}, xlabel="layers")
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['plain', 'residual']
    """
    figure, axes = new_figure((6, 4))
    for name, given in values.items():
        if len(given) != len(x):
            raise ShapeError(f"lines: {name!r} has {len(given)} values for {len(x)} places")
        axes.plot(x, given, marker="o", label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel, xticks=list(x))
    axes.legend()
    axes.grid(alpha=0.3)
    return saved(figure, path)


def bars(values: Mapping[str, Mapping[str, float]], path: str | os.PathLike | None = None, *, ylabel: str = "") -> Any:
    """Return a picture of groups of bars, such as figures with and without something: matplotlib's Figure, also
    written to `path`.

    values: of each group by name, the bars' heights by name, the same names in every group. The axis begins somewhat
    below the lowest bar.

    >>> figure = gg.viz.bars({"dropout": {"without": 0.9, "with": 0.95}, "mixup": {"without": 0.9, "with": 0.92}})
    >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
    ['dropout', 'mixup']
    """
    figure, axes = new_figure((1.6 * len(values) + 2, 4))
    names = list(next(iter(values.values()), {}))
    places, width = np.arange(len(values)), 0.8 / max(1, len(names))
    for number, name in enumerate(names):
        heights = [group[name] for group in values.values()]
        drawn = axes.bar(places + (number - (len(names) - 1) / 2) * width, heights, width, label=name)
        axes.bar_label(drawn, fmt="%.4g", fontsize=8)
    heights = [height for group in values.values() for height in group.values()]
    spread = max(heights, default=0) - min(heights, default=0)
    axes.set_ylim(bottom=max(0, min(heights, default=0) - spread - 1e-3))
    axes.set_xticks(places, list(values))
    axes.set_ylabel(ylabel)
    axes.legend(loc="lower right")
    return saved(figure, path)


def histograms(
    model: Any, path: str | os.PathLike | None = None, *, gradients: bool = False, bins: int = 50, columns: int = 4
) -> Any:
    """Return a picture of the distribution of each parameter's values, or of their gradients: matplotlib's Figure.

    model: a Module, or a mapping of names to Tensors. path: a file that the picture is written to. Values that are not
    finite are counted in the title.

    >>> figure = gg.viz.histograms({"weight": gg.ones(2, 3)})
    >>> figure.axes[0].get_title()
    'weight (2, 3)'
    """
    named = dict(model.named_parameters() if hasattr(model, "named_parameters") else model)
    if gradients:
        named = {name: tensor.grad for name, tensor in named.items() if tensor.grad is not None}
    rows = -(-len(named) // columns) or 1
    figure, axes = new_figure((3 * columns, 2 * rows), rows, columns)
    for place, (name, tensor) in zip(axes.flat, named.items(), strict=False):
        values = tensor.detach().cpu().numpy().astype(float32).reshape(-1)
        finite = values[np.isfinite(values)]
        place.hist(finite, bins=bins)
        lost = f", {len(values) - len(finite)} not finite" if len(finite) < len(values) else ""
        place.set_title(f"{name} {tuple(tensor.shape)}{lost}", fontsize=8)
        place.tick_params(labelsize=7)
    for place in list(axes.flat)[len(named) :]:
        place.set_axis_off()
    return saved(figure, path)
