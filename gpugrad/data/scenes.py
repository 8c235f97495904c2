"""Scenes made of real handwritten digits, for finding, outlining and describing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError
from ..nn.detection import box_iou
from .dataset import Dataset
from .tables import interpolation, load_digits

COLORS = {
    "red": (1.0, 0.15, 0.1), "green": (0.15, 0.85, 0.2), "blue": (0.2, 0.35, 1.0), "yellow": (1.0, 0.9, 0.1),
    "white": (1.0, 1.0, 1.0),
}  # fmt: skip


class Scene(NamedTuple):
    """A picture and what is in it.

    image: float32 (1 or 3, S, S) in [0, 1]. boxes: float32 (n, 4), the corners (x1, y1, x2, y2) in pixels, x2 and y2
    outside. labels: int64 (n,), the digits. masks: bool (n, S, S), the digits' pixels. colors: int64 (n,), the numbers
    of their colors.

    >>> scene = gg.data.DigitScenes(1, size=48)[0]
    >>> scene.image.shape, scene.boxes.shape[1], scene.masks.shape[1:]
    ((1, 48, 48), 4, (48, 48))
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor
    colors: Tensor


class DigitScenes(Dataset):
    """Holds `count` scenes: digits of several sizes on a textured canvas of `size` x `size` pixels.

    A scene has from `digits[0]` to `digits[1]` digits, whose heights are from `heights[0]` to `heights[1]` pixels and
    whose boxes' intersection over union is at most `overlap`. part: "train" or "test", which of scikit-learn's digits
    are used; no digit is in both. texture: the strength of the canvas's smooth noise. colors: names of `COLORS`, of
    which each digit gets one; the image then has three channels. Scene i depends on the arguments and i only.
    Raises DataError for sizes that do not fit, and MissingPackageError without scikit-learn.

    >>> scenes = gg.data.DigitScenes(10, digits=(2, 2), seed=1)
    >>> len(scenes), scenes[3].labels.shape
    (10, (2,))
    >>> bool((scenes[3].image == scenes[3].image).all())
    True
    """

    def __init__(
        self,
        count: int,
        size: int = 64,
        *,
        digits: tuple[int, int] = (1, 4),
        heights: tuple[int, int] = (12, 28),
        overlap: float = 0.05,
        texture: float = 0.35,
        colors: Sequence[str] | None = None,
        part: str = "train",
        seed: int = 0,
    ):
        if part not in ("train", "test"):
            raise DataError(f"DigitScenes: part must be 'train' or 'test', got {part!r}")
        if not 1 <= digits[0] <= digits[1]:
            raise DataError(f"DigitScenes: digits must be two rising counts from 1, got {digits}")
        if not 4 <= heights[0] <= heights[1] <= size:
            raise DataError(f"DigitScenes: heights must be rising, from 4 to the size {size}, got {heights}")
        if unknown := set(colors or ()) - COLORS.keys():
            raise DataError(f"DigitScenes: there is no color {sorted(unknown)}; there are {list(COLORS)}")
        self.count, self.size, self.digits, self.heights = count, size, digits, heights
        self.overlap, self.texture, self.seed = overlap, texture, seed
        self.colors = None if colors is None else np.array([COLORS[name] for name in colors], np.float32)
        images, labels = load_digits(8)[("train", "test").index(part)].tensors
        self._images, self._labels = images.numpy()[:, 0], labels.numpy()
        self._part = part

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Scene:
        if not -self.count <= index < self.count:
            raise IndexError(f"DigitScenes: there is no scene {index} of {self.count}")
        random = np.random.default_rng((self.seed, index % self.count, self._part == "test"))
        canvas = self._canvas(random)
        boxes, labels, masks, colors = [], [], [], []
        for _ in range(random.integers(self.digits[0], self.digits[1] + 1)):
            placed = self._placed(random, boxes)
            if placed is None:  # no room is left
                break
            which, ink, box = placed
            color = 0 if self.colors is None else int(random.integers(len(self.colors)))
            paint = np.ones(1, np.float32) if self.colors is None else self.colors[color]
            canvas += ink * (paint[:, None, None] - canvas)
            boxes.append(box)
            labels.append(self._labels[which])
            masks.append(ink > 0.35)
            colors.append(color)
        return Scene(
            asarray(canvas, device="cpu"),
            asarray(np.array(boxes, np.float32), device="cpu"),
            asarray(np.array(labels, np.int64), device="cpu"),
            asarray(np.array(masks), device="cpu"),
            asarray(np.array(colors, np.int64), device="cpu"),
        )

    def _canvas(self, random: np.random.Generator) -> np.ndarray:
        """Return smooth noise from coarse and fine grids: (channels, size, size)."""
        channels = 1 if self.colors is None else 3
        canvas = np.zeros((channels, self.size, self.size))
        for cells in (3, 9):
            spread = interpolation(cells, self.size)
            canvas += spread @ random.random((channels, cells, cells)) @ spread.T / 2
        return (self.texture * canvas).astype(np.float32)

    def _placed(self, random: np.random.Generator, boxes: list) -> tuple[int, np.ndarray, np.ndarray] | None:
        """Return a digit's number, its ink on the canvas, its tight box; None where no place for it is found."""
        for _ in range(30):
            which, height = (
                int(random.integers(len(self._labels))),
                int(random.integers(self.heights[0], self.heights[1] + 1)),
            )
            width = min(self.size, max(4, round(height * random.uniform(0.8, 1.1))))
            digit = interpolation(8, height) @ self._images[which] @ interpolation(8, width).T
            top, left = (int(random.integers(0, self.size - side + 1)) for side in (height, width))
            ink = np.zeros((self.size, self.size), np.float32)
            ink[top : top + height, left : left + width] = np.clip(1.3 * digit, 0, 1)
            rows, columns = (np.flatnonzero((ink > 0.35).any(axis)) for axis in (1, 0))
            box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)
            if not boxes:
                return which, ink, box
            overlaps = box_iou(asarray(box[None], device="cpu"), asarray(np.array(boxes), device="cpu"))
            if bool(overlaps.max() <= self.overlap):
                return which, ink, box
        return None
