"""Random changes of images that keep their meaning, to train on."""

from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.random import Generator, default_generator
from ..errors import ShapeError


class RandomAffine:
    """Each image of a batch (N, C, H, W) rotated, scaled, sheared and shifted at random about its middle.

    degrees: the largest rotation. translate: the largest shift, as a fraction of the image. scale: the largest change
    of the size, as the natural logarithm of a factor, for each axis by itself. shear: the largest horizontal shift per
    row. Values between pixels are bilinear, beyond the border 0. The numbers come from `generator`, or the default one.
    """

    def __init__(
        self,
        degrees: float = 0,
        translate: float = 0,
        scale: float = 0,
        shear: float = 0,
        generator: Generator | None = None,
    ):
        self.radians, self.translate, self.scale, self.shear = np.radians(degrees), translate, scale, shear
        self.generator = generator

    def __call__(self, images: Tensor) -> Tensor:
        if images.ndim != 4:
            raise ShapeError(f"RandomAffine: expected images (N, C, H, W), got {images.shape}")
        random = (self.generator or default_generator()).numpy
        n, height, width = len(images), *images.shape[2:]
        angle, shear, *factors = random.uniform(-1, 1, (4, n, 1, 1))
        angle, shear, (tall, wide) = angle * self.radians, shear * self.shear, (np.exp(f * self.scale) for f in factors)
        down, right = random.uniform(-1, 1, (2, n, 1, 1)) * self.translate
        # Where each pixel comes from, relative to the middle.
        y = np.arange(height)[:, None] - (height - 1) / 2
        x = np.arange(width) - (width - 1) / 2
        from_y = tall * (np.cos(angle) * y + np.sin(angle) * x) + down * height
        from_x = wide * (np.cos(angle) * x - np.sin(angle) * y) + shear * y + right * width
        array = _bilinear(images.device, images._array, from_y + (height - 1) / 2, from_x + (width - 1) / 2)
        return wrap(array, images.device, None)


def _bilinear(device: Any, images: Any, y: np.ndarray, x: np.ndarray) -> Any:
    """Images (N, C, H, W) at the places y, x (N, H', W'), in pixels: (N, C, H', W')."""
    height, width = images.shape[2:]
    padded = device.xp.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    # A border of zeros, then everything farther out is on its last pixel.
    y, x = np.clip(y + 1, 0, height + 0.999), np.clip(x + 1, 0, width + 0.999)
    top, left = y.astype(np.int64), x.astype(np.int64)
    which = device.asarray(np.arange(len(y))[:, None, None])
    total: Any = 0
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (1 - abs(y - top - i)) * (1 - abs(x - left - j))
        values = padded[which, :, device.asarray(top + i), device.asarray(left + j)]  # (N, H', W', C)
        total = total + values * device.asarray(share[..., None], images.dtype)
    return device.xp.ascontiguousarray(total.transpose(0, 3, 1, 2))
