"""Names for annotations of arguments: `def loss(x: Tensor, weights: TensorLike) -> Tensor`."""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any, Protocol

import numpy as np

from .autograd.tensor import Tensor
from .backend.devices import Device

__all__ = ["Axes", "Axis", "DTypeLike", "DeviceLike", "Index", "Shape", "SupportsArray", "TensorLike"]


class SupportsArray(Protocol):
    """An array of some library: NumPy's, and all that NumPy can convert to its own."""

    def __array__(self) -> np.ndarray: ...


# What `asarray` makes a Tensor of; nested sequences hold numbers or Tensors.
TensorLike = Tensor | SupportsArray | float | list[Any] | tuple[Any, ...]
DTypeLike = np.dtype[Any] | type | str
DeviceLike = Device | str | int
Shape = int | Sequence[int]
Axis = int | None  # None: the flattened array, or PyTorch's choice
Axes = int | Sequence[int] | None  # None: all of them
Index = int | slice | EllipsisType | SupportsArray | list[Any] | tuple[Any, ...] | None
