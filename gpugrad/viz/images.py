"""Images side by side, heat over an image, classes of pixels as colors and their edges."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..optional import need
from .figures import blank_figure, saved

# A color for each class of pixels, the background's first; they begin again where there are more classes.
_PALETTE = np.array(
    [(20, 20, 20), (230, 60, 60), (70, 180, 80), (255, 210, 40), (70, 110, 220), (240, 130, 50), (150, 60, 180),
     (80, 220, 230), (235, 80, 220), (190, 240, 80), (250, 180, 200)], np.float32,
) / 255  # fmt: skip


def stretched(images: Tensor, symmetric: bool = False) -> Tensor:
    """Return images (N, C, H, W), each stretched to [0, 1]; symmetric: zero becomes the middle, 0.5.

    An image whose values are all the same becomes 0.5.

    >>> gg.viz.stretched(gg.tensor([[[[-1.0, 0.0, 3.0]]]])).tolist()
    [[[[0.0, 0.25, 1.0]]]]
    >>> gg.viz.stretched(gg.tensor([[[[-1.0, 0.0, 2.0]]]]), symmetric=True).tolist()
    [[[[0.25, 0.5, 1.0]]]]
    """
    values = images.detach().cpu().numpy()
    axes = tuple(range(1, values.ndim))
    low, high = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    width = np.where(high > low, high - low, 1)
    return asarray(np.where(high > low, (values - low) / width, np.float32(0.5)).astype(np.float32), device="cpu")


def image_grid(
    images: Tensor | Sequence[Tensor],
    path: str | os.PathLike | None = None,
    *,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    side: float = 1.4,
    colors: str = "gray",
) -> Any:
    """Return a picture of images, one beside the other in rows: matplotlib's Figure, also written to `path`.

    images: (N, C, H, W) with C = 1 or 3, or a list of images (C, H, W) of any sizes; values outside [0, 1] are cut
    off, see `stretched`. columns: the images in a row, by default about the square root of their number. side: inches
    of an image across. colors: the name of the map of matplotlib for images of one channel. Raises ShapeError for other
    shapes.

    >>> figure = gg.viz.image_grid(gg.zeros(6, 3, 8, 8), titles=list("abcdef"), columns=3)
    >>> len(figure.axes), figure.axes[5].get_title()
    (6, 'f')
    """
    pictures = [picture(image) for image in images]
    columns = columns or max(1, math.ceil(math.sqrt(len(pictures))))
    rows = max(1, -(-len(pictures) // columns))
    gap, room = 0.06, 0.2 if titles else 0.0  # inches; a layout engine would take seconds for many axes
    tallest = max((image.shape[0] / image.shape[1] for image in pictures), default=1.0)
    width, height = side + gap, side * tallest + gap + room
    figure = blank_figure((columns * width, rows * height))
    for i, values in enumerate(pictures):
        row, column = divmod(i, columns)
        corner = (column / columns, (rows - 1 - row) / rows)
        place = figure.add_axes((*corner, side / (columns * width), side * tallest / (rows * height)))
        place.imshow(values, cmap=colors, vmin=0, vmax=1, interpolation="nearest")
        place.set_axis_off()
        if titles:
            place.set_title(titles[i], fontsize=7, pad=2)
    return saved(figure, path)


def picture(image: Tensor) -> np.ndarray:
    """Return an image (C, H, W) as an array (H, W) or (H, W, 3) in [0, 1]. Raises ShapeError for another shape."""
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ShapeError(f"image_grid: expected images (1, H, W) or (3, H, W), got {tuple(image.shape)}")
    values = np.clip(image.detach().cpu().numpy().astype(np.float32), 0, 1)
    return values[0] if len(values) == 1 else values.transpose(1, 2, 0)


def overlay(images: Tensor, heat: Tensor, strength: float = 0.5) -> Tensor:
    """Return images (N, 1 or 3, H, W) with heat (N, 1, H, W) in [0, 1] laid over them in colors: (N, 3, H, W).

    >>> gg.viz.overlay(gg.ones(1, 1, 2, 2), gg.zeros(1, 1, 2, 2)).shape
    (1, 3, 2, 2)
    """
    if heat.ndim != 4 or heat.shape[1] != 1 or heat.shape[2:] != images.shape[2:]:
        raise ShapeError(f"overlay: heat {tuple(heat.shape)} does not fit images {tuple(images.shape)}")
    colored = need("matplotlib", "drawing", "demo").colormaps["inferno"](
        np.clip(heat.detach().cpu().numpy()[:, 0], 0, 1)
    )
    values = images.detach().cpu().numpy()
    mixed = (1 - strength) * values + strength * colored[..., :3].transpose(0, 3, 1, 2)
    return asarray(mixed.astype(np.float32), device="cpu")


def color_classes(labels: Tensor, images: Tensor | None = None, strength: float = 0.6) -> Tensor:
    """Return pixels' classes (N, H, W) as colors (N, 3, H, W), class 0 dark; or laid over images (N, 1 or 3, H, W).

    >>> gg.viz.color_classes(gg.zeros(1, 4, 4, dtype="int64")).shape
    (1, 3, 4, 4)
    """
    classes = labels.cpu().numpy()
    colors = _PALETTE[classes % len(_PALETTE)].transpose(0, 3, 1, 2)
    if images is not None:
        values = images.detach().cpu().numpy()
        colors = np.where(classes[:, None] > 0, (1 - strength) * values + strength * colors, values)
    return asarray(np.ascontiguousarray(colors, np.float32), device="cpu")


def edges(labels: Tensor) -> Tensor:
    """Return which pixels of classes (N, H, W) are at an edge, beside one of another class: bool (N, H, W).

    >>> gg.viz.edges(gg.tensor([[[0, 0, 1, 1]]])).tolist()
    [[[False, True, True, False]]]
    """
    classes = labels.cpu().numpy()
    found = np.zeros(classes.shape, bool)
    for axis in (1, 2):
        before, after = (np.delete(np.arange(classes.shape[axis]), at) for at in (-1, 0))
        differs = classes.take(before, axis) != classes.take(after, axis)
        for side in (before, after):
            part = [slice(None)] * 3
            part[axis] = slice(side[0], side[-1] + 1) if len(side) else slice(0)
            found[tuple(part)] |= differs
    return asarray(found, device="cpu")
