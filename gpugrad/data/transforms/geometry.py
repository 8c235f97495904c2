"""Transforms that move pixels: crops, flips, sizes, turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.tensor import wrap
from ...backend.devices import Device
from ...backend.random import Generator
from ...errors import OptionError, ShapeError
from ...nn.functional import interpolate
from .base import Transform, in_floats


def pair(size: Any) -> tuple[int, int]:
    """Return (height, width) of one number or two."""
    height, width = (size, size) if isinstance(size, int) else tuple(size) * (3 - len(size))
    return int(height), int(width)


class RandomCrop(Transform):
    """Cuts out a window of `size` (height, width) at a random place.

    padding: the border that is put around before: one number, (left and right, top and bottom) or (left, top, right,
    bottom). padding_mode: its values, "constant" (`fill`), "edge", "reflect" or "symmetric". pad_if_needed: put a
    border also around images that are too small. Raises ShapeError for images that are too small.

    >>> gg.data.transforms.RandomCrop(2, padding=1)(gg.ones(3, 4, 4)).shape
    (3, 2, 2)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
        generator: Generator | None = None,
    ):
        if not isinstance(padding, int | None) and len(padding) not in (1, 2, 4):
            raise ShapeError(f"RandomCrop: padding must be an int, or 1, 2 or 4 ints, got {padding!r}")
        self.size, self.padding, self.pad_if_needed = pair(size), padding, pad_if_needed
        self.fill, self.padding_mode, self.generator = fill, padding_mode, generator

    def apply(self, images: Any, device: Device) -> Any:
        (height, width), given = self.size, 0 if self.padding is None else self.padding
        left, top, right, bottom = (given,) * 4 if isinstance(given, int) else tuple(given) * (4 // len(given))
        images = self._padded(images, device, (top, bottom), (left, right))
        if self.pad_if_needed:
            missing = [max(0, want - have) for want, have in zip(self.size, images.shape[2:], strict=True)]
            images = self._padded(images, device, *((n, n) for n in missing))
        n, free = len(images), [have - want for want, have in zip(self.size, images.shape[2:], strict=True)]
        if min(free) < 0:
            raise ShapeError(f"RandomCrop: a window of {self.size} does not fit images of {images.shape[2:]}")
        y, x = (self.random.integers(0, f + 1, (n, 1, 1)) for f in free)
        if n == 1:
            y, x = int(y[0, 0, 0]), int(x[0, 0, 0])
            return images[:, :, y : y + height, x : x + width]
        return _gather(images, device, y + np.arange(height)[:, None], x + np.arange(width))

    def _padded(self, images: Any, device: Device, rows: tuple, columns: tuple) -> Any:
        if not any((*rows, *columns)):
            return images
        options = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
        return device.xp.pad(images, ((0, 0), (0, 0), rows, columns), mode=self.padding_mode, **options)


class CenterCrop(Transform):
    """Cuts out the window of `size` (height, width) in the middle; smaller images get a border of zeros.

    >>> gg.data.transforms.CenterCrop(2)(gg.arange(16).reshape(1, 4, 4))
    tensor([[[ 5,  6],
             [ 9, 10]]])
    """

    def __init__(self, size: int | Sequence[int]):
        self.size = pair(size)

    def apply(self, images: Any, device: Device) -> Any:
        missing = [max(0, want - have) for want, have in zip(self.size, images.shape[2:], strict=True)]
        if any(missing):
            images = device.xp.pad(images, ((0, 0), (0, 0), *((n // 2, (n + 1) // 2) for n in missing)))
        top, left = (round((have - want) / 2) for want, have in zip(self.size, images.shape[2:], strict=True))
        return images[:, :, top : top + self.size[0], left : left + self.size[1]]


class _RandomFlip(Transform):
    """Mirrors images along `axis`, each with probability p."""

    axis = -1

    def __init__(self, p: float = 0.5, generator: Generator | None = None):
        self.p, self.generator = p, generator

    def apply(self, images: Any, device: Device) -> Any:
        chosen = device.asarray(self.random.random((len(images), 1, 1, 1)) < self.p)
        return device.xp.where(chosen, device.xp.flip(images, self.axis), images)


class RandomHorizontalFlip(_RandomFlip):
    """Exchanges left and right, with probability p.

    >>> gg.data.transforms.RandomHorizontalFlip(p=1)(gg.tensor([[[1, 2]]]))
    tensor([[[2, 1]]])
    """


class RandomVerticalFlip(_RandomFlip):
    """Exchanges top and bottom, with probability p.

    >>> gg.data.transforms.RandomVerticalFlip(p=0)(gg.tensor([[[1], [2]]])).tolist()
    [[[1], [2]]]
    """

    axis = -2


class Cutout(Transform):
    """Sets a square of `size` x `size` pixels to 0, its middle anywhere in the image: parts may lie beyond the border.

    T. DeVries and G. Taylor 2017, "Improved regularization of convolutional neural networks with cutout", section 3.
    Raises OptionError unless size is positive.

    >>> images = gg.data.transforms.Cutout(2)(gg.ones(8, 1, 5, 5))
    >>> images.shape, 1 <= 25 - images[0].sum().item() <= 4
    ((8, 1, 5, 5), True)
    """

    def __init__(self, size: int, generator: Generator | None = None):
        if size < 1:
            raise OptionError(f"Cutout: size must be positive, got {size}")
        self.size, self.generator = size, generator

    def apply(self, images: Any, device: Device) -> Any:
        inside = []
        for axis in (2, 3):
            middle = self.random.integers(0, images.shape[axis], (len(images), 1))
            steps = np.arange(images.shape[axis]) - middle + self.size // 2
            inside.append((steps >= 0) & (steps < self.size))
        square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return device.xp.where(device.asarray(square), images.dtype.type(0), images)


class Resize(Transform):
    """Resizes images to `size`: (height, width), or the length of the shorter edge.

    interpolation: "nearest", "nearest-exact", "bilinear" or "bicubic". max_size: the longer edge's limit, if `size` is
    one number. antialias: filter before an image gets smaller.

    >>> gg.data.transforms.Resize(2)(gg.ones(3, 4, 8)).shape
    (3, 2, 4)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: str = "bilinear",
        max_size: int | None = None,
        antialias: bool | None = True,
    ):
        self.size, self.interpolation, self.max_size, self.antialias = size, interpolation, max_size, antialias
        if max_size is not None and (not isinstance(size, int) or max_size <= size):
            raise OptionError(f"Resize: max_size {max_size} needs one number as size, and a smaller one; got {size}")

    def apply(self, images: Any, device: Device) -> Any:
        size = self._edges(*images.shape[2:])
        smooth = bool(self.antialias) and not self.interpolation.startswith("nearest")
        return in_floats(
            lambda a: interpolate(wrap(a, device, None), size, mode=self.interpolation, antialias=smooth)._array,
            images,
            device,
        )

    def _edges(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, int) and len(self.size) == 2:
            return pair(self.size)
        short = self.size if isinstance(self.size, int) else self.size[0]
        long = int(short * max(height, width) / min(height, width))
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (short, long) if height <= width else (long, short)


class RandomAffine(Transform):
    """Rotates, scales, shears and shifts each image at random about its middle.

    degrees: the largest rotation. translate: the largest shift, as a fraction of the image. scale: the largest change
    of the size, as the natural logarithm of a factor, for each axis by itself. shear: the largest horizontal shift per
    row. Values between pixels are bilinear, beyond the border 0. The numbers come from `generator`, or the default one.

    >>> gg.data.transforms.RandomAffine(degrees=10, translate=0.1)(gg.ones(1, 4, 4)).shape
    (1, 4, 4)
    """

    def __init__(
        self,
        degrees: float = 0,
        translate: float = 0,
        scale: float = 0,
        shear: float = 0,
        generator: Generator | None = None,
    ):
        self.degrees, self.translate, self.scale, self.shear = degrees, translate, scale, shear
        self.generator = generator

    def apply(self, images: Any, device: Device) -> Any:
        n, height, width = len(images), *images.shape[2:]
        angle, shear, *factors = self.random.uniform(-1, 1, (4, n, 1, 1))
        angle, shear = angle * np.radians(self.degrees), shear * self.shear
        tall, wide = (np.exp(f * self.scale) for f in factors)
        down, right = self.random.uniform(-1, 1, (2, n, 1, 1)) * self.translate
        # Where each pixel comes from, relative to the middle.
        y = np.arange(height)[:, None] - (height - 1) / 2
        x = np.arange(width) - (width - 1) / 2
        from_y = tall * (np.cos(angle) * y + np.sin(angle) * x) + down * height + (height - 1) / 2
        from_x = wide * (np.cos(angle) * x - np.sin(angle) * y) + shear * y + right * width + (width - 1) / 2
        return in_floats(lambda a: _bilinear(device, a, from_y, from_x), images, device)


def _gather(images: Any, device: Device, y: np.ndarray, x: np.ndarray) -> Any:
    """Return images (N, C, H, W) at the pixels y (N, H', 1), x (N, 1, W'), or both (N, H', W'): (N, C, H', W')."""
    which = device.asarray(np.arange(len(images))[:, None, None])
    return images[which, :, device.asarray(y), device.asarray(x)].transpose(0, 3, 1, 2)


def _bilinear(device: Device, images: Any, y: np.ndarray, x: np.ndarray) -> Any:
    """Return images (N, C, H, W) at the places y, x (N, H', W'), in pixels: (N, C, H', W')."""
    height, width = images.shape[2:]
    padded = device.xp.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    # A border of zeros, then everything farther out is on its last pixel.
    y, x = np.clip(y + 1, 0, height + 0.999), np.clip(x + 1, 0, width + 0.999)
    top, left = y.astype(np.int64), x.astype(np.int64)
    total: Any = 0
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (1 - abs(y - top - i)) * (1 - abs(x - left - j))
        total = total + _gather(padded, device, top + i, left + j) * device.asarray(share[:, None], images.dtype)
    return total
