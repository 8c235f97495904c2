"""Convolutions and transposed convolutions with PyTorch's arguments."""

from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import DTypeError, ShapeError
from ...ops.conv import convolution, convolution_input_gradient
from .spatial import padding_pairs, per_axis

__all__ = ["conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _checked_operands(name: str, dims: int, input: Any, weight: Any) -> tuple[Tensor, Tensor, bool]:
    """Input with a batch axis, weight, and whether the batch axis was added. Raises DTypeError for integer tensors."""
    input = asarray(input)
    weight = weight if isinstance(weight, Tensor) else asarray(weight, device=input.device)
    if input.dtype.kind in "iub" or weight.dtype.kind in "iub":
        raise DTypeError(f"{name}: expected floating-point tensors, got input {input.dtype} and weight {weight.dtype}")
    single = input.ndim == dims + 1
    if not single and input.ndim != dims + 2 or weight.ndim != dims + 2:
        raise ShapeError(
            f"{name}: expected input (N, C{', size' * dims}) or without N, and weight with {dims + 2} axes; "
            f"got input {input.shape}, weight {weight.shape}"
        )
    return (input.reshape((1, *input.shape)) if single else input), weight, single


def _conv(dims, input, weight, bias, stride, padding, dilation, groups) -> Tensor:
    name = f"conv{dims}d"
    input, weight, single = _checked_operands(name, dims, input, weight)
    stride, dilation = per_axis(stride, dims, f"{name}: stride"), per_axis(dilation, dims, f"{name}: dilation")
    pairs = padding_pairs(padding, weight.shape[2:], stride, dilation, name)
    out = convolution(input, weight, bias, stride=stride, padding=pairs, dilation=dilation, groups=groups)
    return out.squeeze(0) if single else out


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """`conv2d` for input (N, C, L)."""
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """Cross-correlation of input (N, C, H, W) or (C, H, W) with weight (K, C/groups, FH, FW), plus bias (K,).

    Gives (N, K, OH, OW) with OH = floor((H + pads - dilation * (FH - 1) - 1) / stride) + 1. padding: an int, one per
    axis, "same", "valid", or a (low, high) pair per axis. Raises ShapeError if the kernel does not fit or the channels
    do not agree.
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """`conv2d` for input (N, C, D, H, W)."""
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(dims, input, weight, bias, stride, padding, output_padding, groups, dilation) -> Tensor:
    name = f"conv_transpose{dims}d"
    input, weight, single = _checked_operands(name, dims, input, weight)
    stride, dilation = per_axis(stride, dims, f"{name}: stride"), per_axis(dilation, dims, f"{name}: dilation")
    output_pads = per_axis(output_padding, dims, f"{name}: output_padding")
    pairs = padding_pairs(padding, weight.shape[2:], stride, dilation, name)
    if any(e >= max(s, d) or e < 0 for e, s, d in zip(output_pads, stride, dilation, strict=True)):
        raise ShapeError(
            f"{name}: output_padding {output_pads} must be smaller than stride {stride} or dilation {dilation}"
        )
    if input.shape[1] != weight.shape[0] or input.shape[1] % groups:
        given, taken = input.shape[1], weight.shape[0]
        raise ShapeError(f"{name}: input has {given} channels, weight {weight.shape} takes {taken}, groups={groups}")
    axes = zip(input.shape[2:], stride, pairs, dilation, weight.shape[2:], output_pads, strict=True)
    size = tuple((n - 1) * s - low - high + d * (f - 1) + e + 1 for n, s, (low, high), d, f, e in axes)
    if any(n < 1 for n in size):
        raise ShapeError(
            f"{name}: the output would have size {size}; input {input.shape}, weight {weight.shape}, padding {padding}"
        )
    shape = (input.shape[0], weight.shape[1] * groups, *size)
    arguments = dict(shape=shape, stride=stride, padding=pairs, dilation=dilation, groups=groups)
    out = convolution_input_gradient(input, weight, **arguments)
    if bias is not None:
        out = out + asarray(bias).reshape((-1, *(1,) * dims))
    return out.squeeze(0) if single else out


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """`conv_transpose2d` for input (N, C, L)."""
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """The adjoint of `conv2d`: input (N, C, H, W), weight (C, K/groups, FH, FW), bias (K,) -> (N, K, OH, OW).

    OH = (H - 1) * stride - pads + dilation * (FH - 1) + output_padding + 1.
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """`conv_transpose2d` for input (N, C, D, H, W)."""
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Tensor:
    """`conv1d` with time first: input (T, N, C), weight (F, C, K), bias (K,) -> (T', N, K)."""
    x, w = asarray(input).transpose((1, 2, 0)), asarray(weight).transpose((2, 1, 0))
    return conv1d(x, w, bias, padding=pad).transpose((2, 0, 1))
