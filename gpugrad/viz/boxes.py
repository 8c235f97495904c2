"""Pictures with boxes around what is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .figures import new_figure, saved


def boxes(
    images: Any,
    found: Sequence[Mapping[str, Any]],
    path: str | os.PathLike | None = None,
    *,
    names: Sequence[str] | None = None,
    threshold: float = 0.3,
    columns: int = 4,
) -> Any:
    """Return a picture of images with the boxes found in each: matplotlib's Figure, also written to `path`.

    images: (N, C, H, W), or N of (C, H, W), one channel or three, in [0, 1]. found: of each image "boxes" (n, 4),
    corners in pixels, and, where known, "labels" (n,) and "scores" (n,); those below `threshold` are left out. names:
    of the labels, by their numbers.

    >>> found = {"boxes": gg.tensor([[2.0, 2.0, 9.0, 9.0]]), "labels": gg.tensor([3]), "scores": gg.tensor([0.9])}
    >>> figure = gg.viz.boxes(gg.zeros(1, 1, 16, 16), [found])
    >>> figure.axes[0].texts[0].get_text()
    '3 0.90'
    """
    if len(images) != len(found):
        raise ShapeError(f"boxes: {len(images)} images, but boxes for {len(found)}")
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns) or 1
    figure, axes = new_figure((2.4 * columns, 2.4 * rows), rows, columns)
    for place in axes.flat:
        place.set_axis_off()
    for place, image, one in zip(axes.flat, images, found, strict=False):
        pixels = np.asarray(image.cpu()).astype(np.float32).transpose(1, 2, 0)
        gray = pixels.shape[-1] == 1
        place.imshow(pixels[..., 0] if gray else pixels, cmap="gray" if gray else None, vmin=0, vmax=1)
        _outline(place, {name: np.asarray(value.cpu()) for name, value in one.items()}, names, threshold)
    return saved(figure, path)


def _outline(place: Any, found: Mapping[str, np.ndarray], names: Sequence[str] | None, threshold: float) -> None:
    """Draw the boxes of one image, with what is known about each."""
    count = len(found["boxes"])
    labels, scores = found.get("labels", np.full(count, -1)), found.get("scores", np.full(count, np.nan))
    for (x1, y1, x2, y2), label, score in zip(found["boxes"], labels, scores, strict=True):
        if score < threshold:
            continue
        color = f"C{label % 10}" if label >= 0 else "C1"
        xs, ys = np.array([x1, x2, x2, x1, x1]) - 0.5, np.array([y1, y1, y2, y2, y1]) - 0.5  # pixel 0 is at -0.5..0.5
        place.plot(xs, ys, color=color, linewidth=1.2)
        said = [] if label < 0 else [str(label if names is None else names[label])]
        said += [] if np.isnan(score) else [f"{score:.2f}"]
        if said:
            place.text(
                x1 - 0.5, y1 - 0.5, " ".join(said), fontsize=6, color="white", verticalalignment="bottom",
                bbox={"facecolor": color, "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
