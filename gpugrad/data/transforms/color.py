"""Transforms of pixels' values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...backend.devices import Device
from ...backend.dtypes import is_float
from ...backend.random import Generator
from ...errors import DTypeError, OptionError
from .base import Transform, in_floats

_GRAY = (0.2989, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class Normalize(Transform):
    """Computes (x - mean) / std for each channel of floating-point images. Raises DTypeError for others.

    >>> gg.data.transforms.Normalize(mean=[0.5], std=[0.25])(gg.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        if not np.all(np.asarray(std)):
            raise OptionError(f"Normalize: std must not be 0, got {std}")
        self.mean, self.std = mean, std

    def apply(self, images: Any, device: Device) -> Any:
        if not is_float(images.dtype):
            raise DTypeError(f"Normalize: expected floating-point images, got {images.dtype}; use ToTensor() before")
        mean, std = (device.asarray(np.reshape(v, (-1, 1, 1)), images.dtype) for v in (self.mean, self.std))
        return (images - mean) / std


class ColorJitter(Transform):
    """Changes brightness, contrast, saturation and hue at random, in a random order.

    brightness, contrast, saturation: the largest change of the factor 1, or the range (least, largest) of the factor.
    hue: the largest shift, or its range; a shift of 1 is the whole circle of colours, at most 0.5 is allowed. Images of
    one channel have neither saturation nor hue. Values are in [0, 1], or uint8.

    >>> jitter = gg.data.transforms.ColorJitter(brightness=(0.5, 0.5))
    >>> jitter(gg.ones(3, 1, 1)).reshape(-1)
    tensor([0.5, 0.5, 0.5])
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
        generator: Generator | None = None,
    ):
        self.brightness = _range("brightness", brightness, 1, 0, np.inf)
        self.contrast = _range("contrast", contrast, 1, 0, np.inf)
        self.saturation = _range("saturation", saturation, 1, 0, np.inf)
        self.hue = _range("hue", hue, 0, -0.5, 0.5)
        self.generator = generator

    def apply(self, images: Any, device: Device) -> Any:
        return in_floats(lambda a: self._change(a, device), images, device)

    def _change(self, images: Any, device: Device) -> Any:
        ns = device.xp
        kinds = ("brightness", "contrast", "saturation", "hue")
        for kind in self.random.permutation(len(kinds)):
            low, high = getattr(self, kinds[kind])
            drawn = self.random.uniform(low, high, (len(images), 1, 1, 1))
            if low == high == (kind < 3) or kind >= 2 and images.shape[1] == 1:
                continue
            f = device.asarray(drawn, images.dtype)
            if kind == 3:
                images = _shift_hue(ns, images, f)
            else:
                toward: Any = 0 if kind == 0 else _gray(images)
                if kind == 1:
                    toward = toward.mean(axis=(1, 2, 3), keepdims=True)
                images = ns.clip(f * images + (1 - f) * toward, 0, 1)
        return images


def _range(name: str, given: Any, middle: float, least: float, most: float) -> tuple[float, float]:
    if isinstance(given, (int, float)):
        given = (max(middle - given, 0) if middle else -given, middle + given)
    low, high = map(float, given)
    if not least <= low <= high <= most:
        raise OptionError(f"ColorJitter: {name} must be a range within [{least}, {most}], got {given}")
    return low, high


def _gray(images: Any) -> Any:
    """Return the brightness of each pixel: (N, C, H, W) -> (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = (images[:, i : i + 1] * np.asarray(w, images.dtype)[()] for i, w in enumerate(_GRAY))
    return red + green + blue


def _shift_hue(ns: Any, images: Any, shift: Any) -> Any:
    """Turn the hue of RGB images: to HSV and back (Smith 1978, "Color gamut transform pairs")."""
    red, green, blue = (images[:, i] for i in range(3))
    value, least = images.max(axis=1), images.min(axis=1)
    chroma = value - least
    width = ns.where(chroma > 0, chroma, 1)
    hue = ns.where(value == red, (green - blue) / width, 0)
    hue = ns.where((value == green) & (value != red), 2 + (blue - red) / width, hue)
    hue = ns.where((value == blue) & (value != red) & (value != green), 4 + (red - green) / width, hue)
    hue = hue + 6 * shift[:, 0]
    parts = []
    for start in (5, 3, 1):
        k = (hue + start) % 6
        parts.append(value - chroma * ns.clip(ns.minimum(k, 4 - k), 0, 1))
    return ns.stack(parts, axis=1).astype(images.dtype)
