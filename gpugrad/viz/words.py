"""A map of words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..optional import need
from .figures import new_figure, saved


def word_map(vectors: Any, groups: Sequence[Sequence[str]], path: str | os.PathLike | None = None) -> Any:
    """Return a picture of words at the first two principal components of their vectors, a color for each group.

    vectors: (N, D), of the words of all groups one after the other. Returns matplotlib's Figure.

    >>> figure = gg.viz.word_map(np.eye(3), [["one", "two"], ["left"]])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['one', 'two', 'left']
    """
    given = np.asarray(vectors, np.float64)
    given = given / np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-12)
    left, size, _ = np.linalg.svd(given - given.mean(axis=0), full_matrices=False)
    places = np.pad(left[:, :2] * size[:2], ((0, 0), (0, max(0, 2 - len(size)))))  # one word has one component
    figure, axes = new_figure((8, 6))
    colors, start = need("matplotlib", "drawing", "demo").colormaps["tab20"], 0
    for i, group in enumerate(groups):
        here = places[start : start + len(group)]
        color = colors(i % 20)
        axes.scatter(here[:, 0], here[:, 1], s=8, color=color)
        for word, (x, y) in zip(group, here, strict=True):
            axes.text(x, y, word, fontsize=8, color=color)
        start += len(group)
    axes.set(xticks=[], yticks=[])
    return saved(figure, path)
