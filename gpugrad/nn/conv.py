"""Convolution layers of one to three dimensions, and their transposes."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import empty

Size = int | tuple[int, ...]


def _tuple(size: Size, ndim: int) -> tuple[int, ...]:
    return (size,) * ndim if isinstance(size, int) else tuple(size)


class _Convolution(Module):
    """What all convolutions share; `ndim` is the number of spatial dimensions."""

    ndim: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size | str,
        dilation: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ):
        super().__init__()
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{in_channels} input and {out_channels} output channels cannot be divided into {groups} groups"
            )
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        if padding_mode not in modes:
            raise ValueError(f"padding_mode must be one of {', '.join(modes)}; got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size = _tuple(kernel_size, self.ndim)
        self.stride, self.dilation = _tuple(stride, self.ndim), _tuple(dilation, self.ndim)
        self.padding: Any = padding if isinstance(padding, str) else _tuple(padding, self.ndim)
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = empty((outer, inner // groups, *self.kernel_size), device, dtype)
        self.register_parameter("bias", empty((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new start values: uniform within 1 / sqrt(fan_in)."""
        init.uniform_fan_in_(self.weight, self.bias)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if isinstance(self.padding, str) or any(self.padding):
            text += f", padding={self.padding}"
        if any(d != 1 for d in self.dilation):
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class _Conv(_Convolution):
    function: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._both_sides(), self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _both_sides(self) -> list[int]:
        """The padding as F.pad takes it: (before, after) from the last dimension to the first."""
        if self.padding == "valid":
            return [0] * (2 * self.ndim)
        sides = []
        for i in reversed(range(self.ndim)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                sides += [total // 2, total - total // 2]
            else:
                sides += [self.padding[i]] * 2
        return sides


class Conv1d(_Conv):
    """(N, C, L) -> (N, out_channels, L'). Parameters: weight (out, in / groups, k), bias (out,) or None."""

    ndim = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """(N, C, H, W) -> (N, out_channels, H', W'), H' = (H + 2 padding - dilation (k - 1) - 1) // stride + 1.

    Parameters: weight (out, in / groups, k, k), bias (out,) or None.
    """

    ndim = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """(N, C, D, H, W) -> (N, out_channels, D', H', W'). Parameters: weight (out, in / groups, k, k, k), bias."""

    ndim = 3
    function = staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    transposed = True
    function: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        )
        self.output_padding = _tuple(output_padding, self.ndim)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._extra(input, tuple(output_size))
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _extra(self, input: Tensor, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding that gives the wanted size."""
        wanted = wanted[-self.ndim :]
        shortest = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-self.ndim :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        extra = tuple(w - n for w, n in zip(wanted, shortest, strict=True))
        if any(e < 0 or e >= max(s, d) for e, s, d in zip(extra, self.stride, self.dilation, strict=True)):
            raise ValueError(f"output_size {wanted} cannot be reached: the smallest is {tuple(shortest)}")
        return extra

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return f"{text}, output_padding={self.output_padding}" if any(self.output_padding) else text


class ConvTranspose1d(_ConvTranspose):
    """(N, C, L) -> (N, out_channels, L'). Parameters: weight (in, out / groups, k), bias (out,) or None."""

    ndim = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """(N, C, H, W) -> (N, out_channels, H', W'), of the size H' that Conv2d makes H of, plus output_padding.

    Parameters: weight (in, out / groups, k, k), bias (out,) or None.
    """

    ndim = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """(N, C, D, H, W) -> (N, out_channels, D', H', W'). Parameters: weight (in, out / groups, k, k, k), bias."""

    ndim = 3
    function = staticmethod(F.conv_transpose3d)
