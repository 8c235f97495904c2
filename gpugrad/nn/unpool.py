"""Layers that undo max-pooling by saved indices."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .functional.conv import per_axis
from .module import Module


class _MaxUnpool(Module):
    ndim: int
    function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        self.kernel_size = per_axis(kernel_size, self.ndim, "kernel_size")
        self.stride = self.kernel_size if stride is None else per_axis(stride, self.ndim, "stride")
        self.padding = per_axis(padding, self.ndim, "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Values put back where MaxPool1d took them from, zeros elsewhere: (N, C, L') -> (N, C, L)."""

    ndim, function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Values put back where MaxPool2d took them from, zeros elsewhere: (N, C, H', W') -> (N, C, H, W)."""

    ndim, function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Values put back where MaxPool3d took them from, zeros elsewhere: (N, C, D', H', W') -> (N, C, D, H, W)."""

    ndim, function = 3, staticmethod(F.max_unpool3d)
