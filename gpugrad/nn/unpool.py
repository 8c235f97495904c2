"""Layers that undo max-pooling by saved indices."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .functional.conv import per_axis
from .module import Module


class _MaxUnpool(Module):
    """Is the base of max-unpooling over one to three spatial axes."""

    ndim: int
    function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        name = type(self).__name__
        self.kernel_size = per_axis(kernel_size, self.ndim, f"{name}: kernel_size")
        self.stride = self.kernel_size if stride is None else per_axis(stride, self.ndim, f"{name}: stride")
        self.padding = per_axis(padding, self.ndim, f"{name}: padding", 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Puts values back where `MaxPool1d` took them from, and zeros elsewhere: maps (N, C, L') to (N, C, L).

    >>> values, indices = nn.MaxPool1d(2, return_indices=True)(gg.tensor([[1.0, 2.0, 4.0, 3.0]]))
    >>> nn.MaxUnpool1d(2)(values, indices)
    tensor([[0., 2., 4., 0.]])
    """

    ndim, function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Puts values back where `MaxPool2d` took them from, and zeros elsewhere: maps (N, C, H', W') to (N, C, H, W).

    >>> values, indices = nn.MaxPool2d(2, return_indices=True)(gg.ones((1, 3, 4, 4)))
    >>> nn.MaxUnpool2d(2)(values, indices).shape
    (1, 3, 4, 4)
    """

    ndim, function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Puts values back where `MaxPool3d` took them from, and zeros elsewhere: maps (N, C, D', H', W') to (N, C, D, H,
    W).

    >>> values, indices = nn.MaxPool3d(2, return_indices=True)(gg.ones((1, 3, 4, 4, 4)))
    >>> nn.MaxUnpool3d(2)(values, indices).shape
    (1, 3, 4, 4, 4)
    """

    ndim, function = 3, staticmethod(F.max_unpool3d)
