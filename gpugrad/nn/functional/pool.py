"""Pooling over given windows with PyTorch's arguments: max, average and Lp.

`ceil_mode` lets the last window hang over the end: it becomes extra padding at the high side, except that a window may
not start in it.
"""

import functools
import math
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np

from ...arguments import not_zero
from ...autograd.autocast import governed, in_float32
from ...autograd.tensor import Tensor, wrap
from ...backend.capture import constant_array
from ...errors import ShapeError
from ...ops.pool import max_pool, max_pool_indices, sum_pool
from .spatial import batched, per_axis

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool1d_with_indices", "max_pool2d", "max_pool2d_with_indices", "max_pool3d", "max_pool3d_with_indices",
]  # fmt: skip


def window_attributes(name: str, dims: int, kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> dict:
    """Return the attributes of the pooling ops. Raises ShapeError for numbers that make no windows."""
    kernel = per_axis(kernel, dims, f"{name}: kernel_size")
    stride = kernel if stride is None or stride in ((), []) else per_axis(stride, dims, f"{name}: stride")
    pads = per_axis(padding, dims, f"{name}: padding", 0)
    dilation = per_axis(dilation, dims, f"{name}: dilation")
    if any(p < 0 or 2 * p > (f - 1) * d + 1 for p, f, d in zip(pads, kernel, dilation, strict=True)):
        raise ShapeError(f"{name}: padding {pads} must be between 0 and half of kernel_size {kernel}")
    return dict(kernel=kernel, stride=stride, padding=tuple((p, p) for p in pads), dilation=dilation)


def _ceil_mode_padding(size: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple:
    """Return `padding` with the extra padding at the high side that `ceil_mode` adds."""
    pairs = []
    for n, f, s, (low, high), d in zip(size, kernel, stride, padding, dilation, strict=True):
        out = -(-(n + low + high - d * (f - 1) - 1) // s) + 1
        if (out - 1) * s >= n + low:
            out -= 1
        pairs.append((low, max(high, (out - 1) * s + d * (f - 1) + 1 - n - low)))
    return tuple(pairs)


def _max_pool(dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices) -> Any:
    """Check the arguments of max-pooling over `dims` axes, and compute it."""
    name = f"max_pool{dims}d"
    x, single = batched(name, dims, input)
    window = window_attributes(name, dims, kernel_size, stride, padding, dilation)
    if ceil_mode:
        window["padding"] = _ceil_mode_padding(x.shape[2:], **window)
    outs = [max_pool(x, **window)] + ([max_pool_indices(x.detach(), **window)] if return_indices else [])
    outs = [out.squeeze(0) for out in outs] if single else outs
    return tuple(outs) if return_indices else outs[0]


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """Apply `max_pool2d` to input (N, C, L).

    >>> F.max_pool1d(gg.tensor([[1.0, 2.0, 4.0, 3.0]]), 2)
    tensor([[2., 4.]])
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """Take the maximum of each window of input (N, C, H, W) or (C, H, W): (N, C, OH, OW).

    With return_indices it also returns int64 positions, flat in the plane. stride is kernel_size unless given. The
    first of equal maxima gets the gradient; NaN counts as the largest.

    >>> F.max_pool2d(gg.ones((1, 3, 8, 8)), 2).shape
    (1, 3, 4, 4)
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False) -> Any:
    """Apply `max_pool2d` to input (N, C, D, H, W).

    >>> F.max_pool3d(gg.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _window_sums(
    name: str, dims: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> tuple[Tensor, dict]:
    """Return the sum of each window, and the attributes of the windows."""
    window = window_attributes(name, dims, kernel_size, stride, padding)
    if ceil_mode:
        window["padding"] = _ceil_mode_padding(x.shape[2:], **window)
    del window["dilation"]
    return sum_pool(x, **window), window


@in_float32
def _avg_pool(dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None) -> Tensor:
    """Check the arguments of average pooling over `dims` axes, and compute it."""
    name = f"avg_pool{dims}d"
    x, single = batched(name, dims, input)
    sums, window = _window_sums(name, dims, x, kernel_size, stride, padding, ceil_mode)
    if divisor_override is not None:
        out = sums * (1 / not_zero(name, "divisor_override", divisor_override))
    else:
        pads = per_axis(padding, dims, f"{name}: padding", 0) if count_include_pad else (0,) * dims
        out = sums * _reciprocal_counts(x, window, pads, sums.shape[2:])
    return out.squeeze(0) if single else out


def _reciprocal_counts(x: Tensor, window: dict, counted: tuple, out: tuple) -> Any:
    """Return one over the number of elements that count in each window, (*O), as a plain number if all windows are
    alike."""
    counts = []
    axes = zip(x.shape[2:], window["kernel"], window["stride"], window["padding"], counted, out, strict=True)
    for n, f, s, (low, _), c, o in axes:
        start = np.arange(o) * s - low
        counts.append(np.minimum(start + f, n + c) - np.maximum(start, -c))
    total = functools.reduce(np.multiply.outer, counts)
    if total.size and (total == total.flat[0]).all():
        return 1 / float(total.flat[0])
    return wrap(constant_array(x.device, (1 / total).astype(x.dtype)), x.device, None)


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> Tensor:
    """Apply `avg_pool2d` to input (N, C, L).

    >>> F.avg_pool1d(gg.tensor([[1.0, 2.0, 4.0, 3.0]]), 2)
    tensor([[1.5, 3.5]])
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> Tensor:
    """Take the mean of each window of input (N, C, H, W) or (C, H, W): (N, C, OH, OW).

    stride is kernel_size unless given. With count_include_pad, zeros of the padding count as elements. divisor_override
    is a number to divide by instead.

    >>> F.avg_pool2d(gg.ones((1, 3, 8, 8)), 2).shape
    (1, 3, 4, 4)
    """
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@governed({"cpu": "float32"})
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
) -> Tensor:
    """Apply `avg_pool2d` to input (N, C, D, H, W).

    >>> F.avg_pool3d(gg.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


@in_float32
def _lp_pool(dims, input, norm_type, kernel_size, stride, ceil_mode) -> Tensor:
    """Check the arguments of Lp pooling over `dims` axes, and compute it."""
    name = f"lp_pool{dims}d"
    x, single = batched(name, dims, input)
    if norm_type in (math.inf, -math.inf):  # the largest or the least absolute value
        sign = math.copysign(1, norm_type)
        out = sign * _max_pool(dims, sign * abs(x), kernel_size, stride, 0, 1, ceil_mode, False)
        return out.squeeze(0) if single else out
    not_zero(name, "norm_type", norm_type)
    means = _avg_pool(dims, x**norm_type, kernel_size, stride, 0, ceil_mode, True)
    sums = means * math.prod(per_axis(kernel_size, dims, f"{name}: kernel_size"))
    some = (sums != 0).to(dtype=sums.dtype)
    out = (sums * some + (1 - some)) ** (1 / norm_type) * some
    return out.squeeze(0) if single else out


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor:
    """Apply `lp_pool2d` to input (N, C, L).

    >>> F.lp_pool1d(gg.tensor([[3.0, 4.0, 0.0, 2.0]]), 2, 2)
    tensor([[5., 2.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor:
    """Compute (sum of x**p over each window)**(1/p), p = norm_type, of input (N, C, H, W) or (C, H, W): (N, C, OH, OW).

    norm_type may be infinite: the largest absolute value, or the least. The gradient is 0 where the sum is. With
    ceil_mode, a window that hangs over the end counts its mean for the rest.

    >>> F.lp_pool2d(gg.ones((1, 3, 8, 8)), 2, 2).shape
    (1, 3, 4, 4)
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False) -> Tensor:
    """Apply `lp_pool2d` to input (N, C, D, H, W).

    >>> F.lp_pool3d(gg.ones((1, 3, 4, 4, 4)), 2, 2).shape
    (1, 3, 2, 2, 2)
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def with_indices(function: Callable, arguments: str = "2") -> Callable[..., tuple[Tensor, Tensor]]:
    """Return `function` with return_indices=True under its name with "_with_indices".

    The example calls it with `arguments` that make two windows of four elements along each axis.
    """

    parameters = tuple(signature(function).parameters)

    @wraps(function)
    def both(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        given = dict(zip(parameters, args, strict=False))
        return function(**{**given, **kwargs, "return_indices": True})

    name = both.__name__ = f"{function.__name__}_with_indices"
    dims = int(function.__name__[-2])
    both.__doc__ = (
        f"Return what `{function.__name__}` returns, and the flat positions of the maxima.\n\n"
        f">>> values, indices = F.{name}(gg.ones({(1, 1, *(4,) * dims)}), {arguments})\n"
        f">>> values.shape == indices.shape == {(1, 1, *(2,) * dims)}\nTrue"
    )
    return both


max_pool1d_with_indices = with_indices(max_pool1d)
max_pool2d_with_indices = with_indices(max_pool2d)
max_pool3d_with_indices = with_indices(max_pool3d)
