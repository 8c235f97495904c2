"""The parts that all transforms share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor, wrap
from ...backend.devices import Device
from ...backend.dtypes import default_dtype, float32, uint8
from ...backend.random import Generator, default_generator
from ...errors import DTypeError, ShapeError


class Compose:
    """Applies one transform after the other.

    >>> transform = gg.data.transforms.Compose([gg.data.transforms.CenterCrop(2), gg.data.transforms.ToTensor()])
    >>> transform(gg.ones(3, 4, 4)).shape
    (3, 2, 2)
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(repr, self.transforms))})"


class Transform:
    """The base of transforms of images. Subclasses define `apply` on raw arrays (N, C, H, W).

    >>> class Negative(gg.data.transforms.Transform):
    ...     def apply(self, images, device):
    ...         return 1 - images
    >>> Negative()(gg.ones(1, 1, 2))
    tensor([[[0., 0.]]])
    """

    generator: Generator | None = None

    def __call__(self, img: Any) -> Tensor:
        images = as_tensor(img)
        if images.ndim not in (3, 4):
            raise ShapeError(f"{type(self).__name__}: expected images (C, H, W) or (N, C, H, W), got {images.shape}")
        array, device = images._array, images.device
        with device.selected():
            out = self.apply(array if images.ndim == 4 else array[None], device)
            return wrap(device.xp.ascontiguousarray(out if images.ndim == 4 else out[0]), device, None)

    def apply(self, images: Any, device: Device) -> Any:
        """Return the transformed array of images (N, C, H, W) on `device`."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply()")

    def __repr__(self) -> str:
        given = {name: value for name, value in vars(self).items() if not name.startswith("_") and value is not None}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    @property
    def random(self) -> np.random.Generator:
        """The generator that random numbers come from."""
        return (default_generator() if self.generator is None else self.generator).numpy


class ToTensor:
    """Turns a picture or an array (H, W) or (H, W, C) into a Tensor (C, H, W); uint8 becomes float in [0, 1].

    A Tensor keeps its axes, so that it may also be a batch.

    >>> gg.data.transforms.ToTensor()(np.full((1, 2), 255, np.uint8))
    tensor([[[1., 1.]]])
    """

    def __call__(self, pic: Any) -> Tensor:
        images = as_tensor(pic)
        if images.dtype != uint8:
            return images.astype(default_dtype()) if images.dtype.kind == "b" else images
        return wrap(images._array.astype(default_dtype()) / 255, images.device, None)

    def __repr__(self) -> str:
        return "ToTensor()"


def as_tensor(picture: Any) -> Tensor:
    """Return a Tensor outside the graph; a picture or an array (H, W[, C]) becomes one of (C, H, W)."""
    if isinstance(picture, Tensor):
        return picture.detach()
    if not isinstance(picture, np.ndarray) and not hasattr(picture, "getbands"):
        raise DTypeError(f"expected a Tensor, a NumPy array or a picture of Pillow's, got {type(picture).__name__}")
    array = np.array(picture)
    if array.ndim not in (2, 3):
        raise ShapeError(f"a picture has the axes (H, W) or (H, W, C), got an array {array.shape}")
    return asarray(np.ascontiguousarray(np.atleast_3d(array).transpose(2, 0, 1)), device="cpu")


def in_floats(change: Callable[[Any], Any], images: Any, device: Device) -> Any:
    """Apply `change` to images as floats; uint8 is scaled to [0, 1] for it, and rounded afterwards."""
    if images.dtype != uint8:
        return change(images)
    changed = change(images.astype(float32) / np.float32(255))
    return device.xp.rint(device.xp.clip(changed, 0, 1) * np.float32(255)).astype(uint8)
