"""Convolutions and transposed convolutions with PyTorch's arguments."""

from typing import Any

from ...arguments import positive_int
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import DTypeError, ShapeError
from ...ops.conv import convolution, convolution_input_gradient
from .spatial import padding_pairs, per_axis

__all__ = ["conv1d", "conv2d", "conv3d", "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _checked_operands(name: str, dims: int, input: Any, weight: Any) -> tuple[Tensor, Tensor, bool]:
    """Return input with a batch axis, weight, and whether the batch axis was added. Raises DTypeError for integer
    tensors."""
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


def _checked_bias(name: str, bias: Any, channels: int) -> Tensor:
    """Return bias as a Tensor. Raises ShapeError unless it has one number for each output channel."""
    bias = bias if isinstance(bias, Tensor) else asarray(bias)
    if bias.shape != (channels,):
        raise ShapeError(f"{name}: bias must be ({channels},), one number for each output channel, got {bias.shape}")
    return bias


def _conv(dims, input, weight, bias, stride, padding, dilation, groups) -> Tensor:
    """Check the arguments of a convolution over `dims` axes, and compute it."""
    name = f"conv{dims}d"
    input, weight, single = _checked_operands(name, dims, input, weight)
    bias = None if bias is None else _checked_bias(name, bias, weight.shape[0])
    stride, dilation = per_axis(stride, dims, f"{name}: stride"), per_axis(dilation, dims, f"{name}: dilation")
    pairs = padding_pairs(padding, weight.shape[2:], stride, dilation, name)
    positive_int(name, "groups", groups)
    out = convolution(input, weight, bias, stride=stride, padding=pairs, dilation=dilation, groups=groups)
    return out.squeeze(0) if single else out


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """Apply `conv2d` to input (N, C, L) with weight (K, C/groups, F).

    >>> F.conv1d(gg.tensor([[1.0, 2.0, 3.0]]), gg.tensor([[[1.0, 1.0]]]))
    tensor([[3., 5.]])
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """Cross-correlate input (N, C, H, W) or (C, H, W) with weight (K, C/groups, FH, FW), and add bias (K,).

    The result is (N, K, OH, OW), OH = floor((H + pads - dilation * (FH - 1) - 1) / stride) + 1. padding is an int, one
    per axis, "same", "valid", or a (low, high) pair per axis. Raises ShapeError if the kernel does not fit or the
    channels do not agree.

    >>> F.conv2d(gg.ones((1, 3, 8, 8)), gg.ones((4, 3, 3, 3)), stride=2, padding=1).shape
    (1, 4, 4, 4)
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """Apply `conv2d` to input (N, C, D, H, W) with weight (K, C/groups, FD, FH, FW).

    >>> F.conv3d(gg.ones((1, 1, 4, 4, 4)), gg.ones((2, 1, 3, 3, 3))).shape
    (1, 2, 2, 2, 2)
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose(dims, input, weight, bias, stride, padding, output_padding, groups, dilation) -> Tensor:
    """Check the arguments of a transposed convolution over `dims` axes, and compute it."""
    name = f"conv_transpose{dims}d"
    input, weight, single = _checked_operands(name, dims, input, weight)
    stride, dilation = per_axis(stride, dims, f"{name}: stride"), per_axis(dilation, dims, f"{name}: dilation")
    output_pads = per_axis(output_padding, dims, f"{name}: output_padding", 0)
    pairs = padding_pairs(padding, weight.shape[2:], stride, dilation, name)
    if any(e >= max(s, d) for e, s, d in zip(output_pads, stride, dilation, strict=True)):
        raise ShapeError(
            f"{name}: output_padding {output_pads} must be smaller than stride {stride} or dilation {dilation}"
        )
    beyond = [0] * dims
    if any(e >= s for e, s in zip(output_pads, stride, strict=True)):  # less padding, and then zeros, mean the same
        beyond = [max(e - high, 0) for e, (_, high) in zip(output_pads, pairs, strict=True)]
        pairs = tuple((low, max(high - e, 0)) for e, (low, high) in zip(output_pads, pairs, strict=True))
        output_pads = (0,) * dims
    positive_int(name, "groups", groups)
    if input.shape[1] != weight.shape[0] or input.shape[1] % groups:
        given, taken = input.shape[1], weight.shape[0]
        raise ShapeError(f"{name}: input has {given} channels, weight {weight.shape} takes {taken}, groups={groups}")
    axes = zip(input.shape[2:], stride, pairs, dilation, weight.shape[2:], output_pads, strict=True)
    size = tuple((n - 1) * s - low - high + d * (f - 1) + e + 1 for n, s, (low, high), d, f, e in axes)
    if any(n < 1 for n in size):
        raise ShapeError(
            f"{name}: the output would have size {size}; input {input.shape}, weight {weight.shape}, padding {padding}"
        )
    bias = None if bias is None else _checked_bias(name, bias, weight.shape[1] * groups)
    shape = (input.shape[0], weight.shape[1] * groups, *size)
    arguments = dict(shape=shape, stride=stride, padding=pairs, dilation=dilation, groups=groups)
    out = convolution_input_gradient(input, weight, **arguments)
    if any(beyond):
        out = OPS["pad"](out, pad_width=((0, 0), (0, 0), *((0, n) for n in beyond)))
    if bias is not None:
        out = out + bias.reshape((-1, *(1,) * dims))
    return out.squeeze(0) if single else out


def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """Apply `conv_transpose2d` to input (N, C, L) with weight (C, K/groups, F).

    >>> F.conv_transpose1d(gg.tensor([[1.0, 2.0]]), gg.tensor([[[1.0, 1.0]]]), stride=2)
    tensor([[1., 1., 2., 2.]])
    """
    return _conv_transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """Apply the adjoint of `conv2d`: input (N, C, H, W), weight (C, K/groups, FH, FW) and bias (K,) give (N, K, OH,
    OW).

    OH is (H - 1) * stride - pads + dilation * (FH - 1) + output_padding + 1.

    >>> F.conv_transpose2d(gg.ones((1, 4, 4, 4)), gg.ones((4, 3, 2, 2)), stride=2).shape
    (1, 3, 8, 8)
    """
    return _conv_transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1) -> Tensor:
    """Apply `conv_transpose2d` to input (N, C, D, H, W) with weight (C, K/groups, FD, FH, FW).

    >>> F.conv_transpose3d(gg.ones((1, 2, 2, 2, 2)), gg.ones((2, 1, 2, 2, 2)), stride=2).shape
    (1, 1, 4, 4, 4)
    """
    return _conv_transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Tensor:
    """Apply `conv1d` with time first: input (T, N, C), weight (F, C, K) and bias (K,) give (T', N, K).

    >>> F.conv_tbc(gg.ones((5, 1, 2)), gg.ones((3, 2, 4)), gg.zeros(4)).shape
    (3, 1, 4)
    """
    x, w = asarray(input).transpose((1, 2, 0)), asarray(weight).transpose((2, 1, 0))
    return conv1d(x, w, bias, padding=pad).transpose((2, 0, 1))
