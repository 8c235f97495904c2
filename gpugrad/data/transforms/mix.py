"""Mixtures of the images of a batch, with labels mixed alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.tensor import Tensor, wrap
from ...backend.devices import Device
from ...backend.dtypes import default_dtype, is_float
from ...backend.random import Generator, default_generator
from ...errors import DTypeError, OptionError, ShapeError


class MixUp:
    """Blends each image of a batch with the one before it: x_i <- a x_i + (1 - a) x_(i-1), a drawn from Beta(alpha,
    alpha).

    It is called with images (N, C, H, W), floating-point, and labels, int (N,) or shares (N, num_classes). It gives
    both mixed; labels become shares, which `cross_entropy` takes. H. Zhang et al., "mixup" (2018), arXiv 1710.09412.

    >>> mixup = gg.data.MixUp(num_classes=3)
    >>> images, labels = mixup(gg.ones(2, 1, 4, 4), gg.tensor([0, 2]))
    >>> images.shape, labels.sum(axis=1)
    ((2, 1, 4, 4), tensor([1., 1.]))
    """

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, generator: Generator | None = None):
        if alpha <= 0:
            raise OptionError(f"{type(self).__name__}: alpha must be positive, got {alpha}")
        self.alpha, self.num_classes, self.generator = alpha, num_classes, generator

    def __call__(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        name, device = type(self).__name__, images.device
        if images.ndim != 4 or len(images) != len(labels):
            raise ShapeError(f"{name}: expected images (N, C, H, W) and N labels, got {images.shape}, {labels.shape}")
        if not is_float(images.dtype):
            raise DTypeError(f"{name}: expected floating-point images, got {images.dtype}; use ToTensor() before")
        random = (default_generator() if self.generator is None else self.generator).numpy
        with device.selected():
            mixed, share = self._mix(images._array, float(random.beta(self.alpha, self.alpha)), random, device)
            shares = self._shares(labels, device)
            shares = shares * share + device.xp.roll(shares, 1, 0) * (1 - share)
            return wrap(mixed, device, None), wrap(shares, device, None)

    def _mix(self, images: Any, share: float, random: np.random.Generator, device: Device) -> tuple[Any, float]:
        """Return the mixed images, and how much of the first is in each."""
        return images * share + device.xp.roll(images, 1, 0) * (1 - share), share

    def _shares(self, labels: Tensor, device: Device) -> Any:
        if is_float(labels.dtype):
            return labels._array
        if self.num_classes is None or labels.ndim != 1:
            raise ShapeError(f"{type(self).__name__}: labels {labels.shape} of classes need num_classes")
        return (labels._array[:, None] == device.xp.arange(self.num_classes)).astype(default_dtype())


class CutMix(MixUp):
    """Replaces a box of each image of a batch by that of the one before it; it is called like MixUp.

    The box holds the share 1 - a of the image, a drawn from Beta(alpha, alpha), at a random place and cut off at the
    border; labels are mixed by the share that it then has. S. Yun et al., "CutMix" (2019), arXiv 1905.04899.

    >>> cutmix = gg.data.CutMix(num_classes=3)
    >>> images, labels = cutmix(gg.ones(2, 1, 4, 4), gg.tensor([0, 2]))
    >>> images.shape, labels.shape
    ((2, 1, 4, 4), (2, 3))
    """

    def _mix(self, images: Any, share: float, random: np.random.Generator, device: Device) -> tuple[Any, float]:
        edges = []
        for size in images.shape[2:]:
            middle, half = int(random.integers(size)), int(size * 0.5 * np.sqrt(1 - share))
            edges.append((max(middle - half, 0), min(middle + half, size)))
        (top, bottom), (left, right) = edges
        mixed = images.copy()
        mixed[:, :, top:bottom, left:right] = device.xp.roll(images, 1, 0)[:, :, top:bottom, left:right]
        height, width = images.shape[2:]
        return mixed, 1 - (bottom - top) * (right - left) / (height * width)
