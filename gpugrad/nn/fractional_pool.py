"""Layers that pool over windows at random places (fractional max-pooling)."""

from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import functional as F
from .functional.conv import per_axis
from .module import Module


class _FractionalMaxPool(Module):
    """Is the base of fractional max-pooling over two or three spatial axes."""

    ndim: int
    function: Any
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ):
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            raise OptionError(f"{type(self).__name__}: give either output_size or output_ratio")
        name, self.return_indices = type(self).__name__, return_indices
        self.kernel_size = per_axis(kernel_size, self.ndim, f"{name}: kernel_size")
        self.output_size = None if output_size is None else per_axis(output_size, self.ndim, f"{name}: output_size")
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * self.ndim
        self.output_ratio = None if output_ratio is None else tuple(ratios)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise OptionError(f"{type(self).__name__}: output_ratio must be between 0 and 1, got {output_ratio}")
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        return self.function(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """Takes the largest values of windows at random places: maps (N, C, H, W) to (N, C, H', W').

    See B. Graham 2014, section 2.

    >>> nn.FractionalMaxPool2d(2, output_ratio=0.5)(gg.ones((1, 3, 9, 9))).shape
    (1, 3, 4, 4)
    """

    ndim, function = 2, staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """Takes the largest values of windows at random places: maps (N, C, D, H, W) to (N, C, D', H', W').

    See B. Graham 2014, section 2.

    >>> nn.FractionalMaxPool3d(2, output_size=3)(gg.ones((1, 3, 6, 6, 6))).shape
    (1, 3, 3, 3, 3)
    """

    ndim, function = 3, staticmethod(F.fractional_max_pool3d)
