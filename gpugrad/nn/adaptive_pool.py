"""Layers that pool to a given output size."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .module import Module


class _AdaptiveAvgPool(Module):
    """Is the base of adaptive pooling over one to three spatial axes."""

    function: Any

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return self.function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Takes the means of output_size windows: maps (N, C, L) to (N, C, output_size).

    >>> nn.AdaptiveAvgPool1d(2)(gg.tensor([[1.0, 2.0, 4.0, 3.0]]))
    tensor([[1.5, 3.5]])
    """

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Takes the means of the windows that give output_size: an int or two, None for an axis that keeps its size.

    >>> nn.AdaptiveAvgPool2d((1, None))(gg.ones((1, 3, 5, 7))).shape
    (1, 3, 1, 7)
    """

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Takes the means of the windows that give output_size: an int or three, None for an axis that keeps its size.

    >>> nn.AdaptiveAvgPool3d(2)(gg.ones((1, 3, 5, 7, 4))).shape
    (1, 3, 2, 2, 2)
    """

    function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(_AdaptiveAvgPool):
    """Is the base of adaptive max-pooling, which can return the positions of the maxima."""

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Takes the largest values of output_size windows: maps (N, C, L) to (N, C, output_size).

    >>> nn.AdaptiveMaxPool1d(2)(gg.tensor([[1.0, 2.0, 4.0, 3.0]]))
    tensor([[2., 4.]])
    """

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Takes the largest values of the windows that give output_size: an int or two, None for an axis that keeps its
    size.

    >>> nn.AdaptiveMaxPool2d(2)(gg.ones((1, 3, 5, 7))).shape
    (1, 3, 2, 2)
    """

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Takes the largest values of the windows that give output_size: an int or three, None for an axis that keeps its
    size.

    >>> nn.AdaptiveMaxPool3d(2)(gg.ones((1, 3, 5, 7, 4))).shape
    (1, 3, 2, 2, 2)
    """

    function = staticmethod(F.adaptive_max_pool3d)
