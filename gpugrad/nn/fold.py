"""Layers that cut images into windows, and add windows up to images."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .module import Module


class Unfold(Module):
    """Lays the windows of (N, C, H, W) out as columns (N, C * prod(kernel_size), number of windows).

    >>> nn.Unfold(kernel_size=2)(gg.ones((1, 3, 4, 4))).shape
    (1, 12, 9)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Unfold):
    """Adds columns (N, C * prod(kernel_size), L) up where `Unfold` takes them from, giving (N, C, *output_size).

    >>> nn.Fold(output_size=(2, 3), kernel_size=(1, 2))(gg.ones((1, 2, 4)))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"
