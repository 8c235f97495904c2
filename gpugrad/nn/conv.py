"""Convolution layers of one to three dimensions, and their transposes."""

from typing import Any

from ..arguments import one_of
from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import functional as F
from . import init
from .functional.spatial import per_axis
from .module import Module
from .parameter import empty

Size = int | tuple[int, ...]


class _Convolution(Module):
    """Holds what all convolutions share: the checked arguments and the parameters; `ndim` is the number of spatial
    axes."""

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
            raise OptionError(
                f"{type(self).__name__}: {in_channels} input and {out_channels} output channels cannot be divided into "
                f"{groups} groups"
            )
        modes = ("zeros",) if self.transposed else ("zeros", "reflect", "replicate", "circular")
        one_of(type(self).__name__, "padding_mode", padding_mode, modes)
        self.in_channels, self.out_channels, self.groups, self.padding_mode = (
            in_channels,
            out_channels,
            groups,
            padding_mode,
        )
        self.kernel_size = self._per_axis("kernel_size", kernel_size)
        self.stride, self.dilation = self._per_axis("stride", stride), self._per_axis("dilation", dilation)
        text = isinstance(padding, str) and not self.transposed
        self.padding: Any = (
            one_of(type(self).__name__, "padding", padding, ("same", "valid"))
            if text
            else self._per_axis("padding", padding, 0)
        )
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = empty((outer, inner // groups, *self.kernel_size), device, dtype)
        self.register_parameter("bias", empty((out_channels,), device, dtype) if bias else None)
        self.reset_parameters()

    def _per_axis(self, name: str, value: Any, least: int = 1) -> tuple[int, ...]:
        return per_axis(value, self.ndim, f"{type(self).__name__}: {name}", least)

    def reset_parameters(self) -> None:
        """Draw new start values, uniform within 1 / sqrt(fan_in)."""
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
    """Calls `function`, after padding the input itself where padding_mode is not "zeros"."""

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
            input, padding = F.pad(input, self._pad_amounts(), self.padding_mode), 0
        return self.function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _pad_amounts(self) -> list[int]:
        """Return the padding in the form that F.pad takes: (before, after) from the last axis to the first."""
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
    """Convolves (N, C, L) to (N, out_channels, L'), L' = (L + 2 padding - dilation (k - 1) - 1) // stride + 1.

    Its parameters are weight (out_channels, in_channels / groups, k) and bias (out_channels,) or None.

    >>> nn.Conv1d(2, 4, kernel_size=3, padding=1)(gg.ones((1, 2, 8))).shape
    (1, 4, 8)
    """

    ndim = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolves (N, C, H, W) to (N, out_channels, H', W'), H' = (H + 2 padding - dilation (k - 1) - 1) // stride + 1.

    Its parameters are weight (out_channels, in_channels / groups, k, k) and bias (out_channels,) or None.

    >>> nn.Conv2d(3, 8, kernel_size=3, stride=2)(gg.ones((1, 3, 9, 9))).shape
    (1, 8, 4, 4)
    """

    ndim = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolves (N, C, D, H, W) to (N, out_channels, D', H', W'), with sizes as for `Conv2d`.

    Its parameters are weight (out_channels, in_channels / groups, k, k, k) and bias (out_channels,) or None.

    >>> nn.Conv3d(1, 2, kernel_size=3)(gg.ones((1, 1, 5, 5, 5))).shape
    (1, 2, 3, 3, 3)
    """

    ndim = 3
    function = staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    """Calls `function`, with the output padding that gives the size asked for."""

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
        self.output_padding = self._per_axis("output_padding", output_padding, 0)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        extra = self.output_padding if output_size is None else self._output_padding_for(input, tuple(output_size))
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding_for(self, input: Tensor, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output padding that gives the wanted size. Raises OptionError if none does."""
        wanted = wanted[-self.ndim :]
        shortest = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[-self.ndim :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        extra = tuple(w - n for w, n in zip(wanted, shortest, strict=True))
        if any(e < 0 or e >= max(s, d) for e, s, d in zip(extra, self.stride, self.dilation, strict=True)):
            raise OptionError(
                f"{type(self).__name__}: output_size {wanted} cannot be reached: the smallest is {tuple(shortest)}"
            )
        return extra

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return f"{text}, output_padding={self.output_padding}" if any(self.output_padding) else text


class ConvTranspose1d(_ConvTranspose):
    """Applies the transpose of `Conv1d`: maps (N, C, L) to (N, out_channels, L').

    Its parameters are weight (in_channels, out_channels / groups, k) and bias (out_channels,) or None.

    >>> nn.ConvTranspose1d(4, 2, kernel_size=2, stride=2)(gg.ones((1, 4, 5))).shape
    (1, 2, 10)
    """

    ndim = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Applies the transpose of `Conv2d`: maps (N, C, H, W) to (N, out_channels, H', W').

    H' is the smallest size of which Conv2d with these arguments makes H, plus output_padding.

    Its parameters are weight (in_channels, out_channels / groups, k, k) and bias (out_channels,) or None. See M. Zeiler
    et al., "Deconvolutional networks", 2010.

    >>> nn.ConvTranspose2d(8, 3, kernel_size=2, stride=2)(gg.ones((1, 8, 4, 4))).shape
    (1, 3, 8, 8)
    """

    ndim = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Applies the transpose of `Conv3d`: maps (N, C, D, H, W) to (N, out_channels, D', H', W').

    Its parameters are weight (in_channels, out_channels / groups, k, k, k) and bias (out_channels,) or None.

    >>> nn.ConvTranspose3d(2, 1, kernel_size=2, stride=2)(gg.ones((1, 2, 3, 3, 3))).shape
    (1, 1, 6, 6, 6)
    """

    ndim = 3
    function = staticmethod(F.conv_transpose3d)
