"""What einops needs to know of Tensors: `rearrange`, `reduce`, `repeat`, `pack` and `einsum` then take them.

>>> import einops
>>> einops.rearrange(gg.arange(6), "(a b) -> b a", a=2)
tensor([[0, 3],
        [1, 4],
        [2, 5]])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from einops._backends import AbstractBackend

from ..autograd.convert import from_numpy
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..ops.arrange import tile
from ..ops.creation import arange


class GpugradBackend(AbstractBackend):
    """einops' operations on Tensors."""

    framework_name = "gpugrad"

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: Any) -> Tensor:
        return from_numpy(x)

    def to_numpy(self, x: Tensor) -> Any:
        return x.detach().cpu().numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        return arange(start, stop)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return OPS["transpose"](x, axes=tuple(axes))

    def reduce(self, x: Tensor, operation: str, axes: Sequence[int]) -> Tensor:
        return OPS[operation](x, axis=tuple(axes))

    def stack_on_zeroth_dimension(self, tensors: list) -> Tensor:
        return OPS["stack"](tensors)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        return OPS["expand_dims"](x, axis=new_position)

    def tile(self, x: Tensor, repeats: Sequence[int]) -> Tensor:
        return tile(x, tuple(repeats))

    def concat(self, tensors: list, axis: int) -> Tensor:
        return OPS["concatenate"](tensors, axis=axis)

    def is_float_type(self, x: Tensor) -> bool:
        return x.dtype.kind in "fVc"

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        return OPS["einsum"](pattern, *x)
