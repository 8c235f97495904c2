"""Layers that pool over windows."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from .functional.spatial import per_axis
from .module import Module


class _MaxPool(Module):
    """Is the base of max-pooling over one to three spatial axes."""

    function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self.function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """Takes the largest value of each window: maps (N, C, L) to (N, C, L').

    >>> nn.MaxPool1d(2)(gg.tensor([[1.0, 2.0, 4.0, 3.0]]))
    tensor([[2., 4.]])
    """

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """Takes the largest value of each window: maps (N, C, H, W) to (N, C, H', W').

    >>> nn.MaxPool2d(2)(gg.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """Takes the largest value of each window: maps (N, C, D, H, W) to (N, C, D', H', W').

    >>> nn.MaxPool3d(2)(gg.ones((1, 3, 4, 4, 4))).shape
    (1, 3, 2, 2, 2)
    """

    function = staticmethod(F.max_pool3d)


class _AvgPool(Module):
    """Is the base of average pooling over one to three spatial axes."""

    def __init__(self, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """Takes the mean of each window: maps (N, C, L) to (N, C, L').

    >>> nn.AvgPool1d(2)(gg.tensor([[1.0, 2.0, 4.0, 3.0]]))
    tensor([[1.5, 3.5]])
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        stride = kernel_size if stride is None else stride
        kernel, step = per_axis(kernel_size, 1, "AvgPool1d: kernel_size"), per_axis(stride, 1, "AvgPool1d: stride")
        pad = per_axis(padding, 1, "AvgPool1d: padding", 0)
        super().__init__(kernel, step, pad, ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolDivided(_AvgPool):
    """Is the base of average pooling whose divisor can be given."""

    function: Any

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPoolDivided):
    """Takes the mean of each window: maps (N, C, H, W) to (N, C, H', W').

    >>> nn.AvgPool2d(2)(gg.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)
    """

    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolDivided):
    """Takes the mean of each window: maps (N, C, D, H, W) to (N, C, D', H', W').

    >>> nn.AvgPool3d(2)(gg.ones((1, 3, 4, 4, 4))).shape
    (1, 3, 2, 2, 2)
    """

    function = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    """Is the base of Lp pooling over one to three spatial axes."""

    function: Any

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False):
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """Computes (sum of x^p)^(1/p) of each window, p = norm_type: maps (N, C, L) to (N, C, L').

    >>> nn.LPPool1d(2, 2)(gg.tensor([[3.0, 4.0, 0.0, 2.0]]))
    tensor([[5., 2.]])
    """

    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """Computes (sum of x^p)^(1/p) of each window, p = norm_type: maps (N, C, H, W) to (N, C, H', W').

    >>> nn.LPPool2d(2, 2)(gg.ones((1, 3, 8, 8))).shape
    (1, 3, 4, 4)
    """

    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """Computes (sum of x^p)^(1/p) of each window, p = norm_type: maps (N, C, D, H, W) to (N, C, D', H', W').

    >>> nn.LPPool3d(2, 2)(gg.ones((1, 3, 4, 4, 4))).shape
    (1, 3, 2, 2, 2)
    """

    function = staticmethod(F.lp_pool3d)
