"""Figures of matplotlib, made without its global state, so that no window opens and none is kept."""

from __future__ import annotations

import os
from typing import Any

from ..optional import need

LAYOUT = "constrained"  # which takes seconds for many axes
DPI = 150


def new_figure(size: tuple, rows: int = 0, columns: int = 0) -> tuple[Any, Any]:
    """Return a figure of `size` inches and its axes: one, or an array (rows, columns). Raises MissingPackageError."""
    figure = need("matplotlib.figure", "drawing", "demo").Figure(figsize=size, layout=LAYOUT)
    return figure, figure.subplots(rows, columns, squeeze=False) if rows else figure.subplots()


def blank_figure(size: tuple) -> Any:
    """Return a figure of `size` inches without axes, which are placed by hand. Raises MissingPackageError."""
    return need("matplotlib.figure", "drawing", "demo").Figure(figsize=size)


def saved(figure: Any, path: str | os.PathLike | None) -> Any:
    """Return the figure, which is also written to `path` if there is one."""
    if path is not None:
        figure.savefig(path, dpi=DPI)
    return figure
