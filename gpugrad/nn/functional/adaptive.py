"""Pooling to a given output size, and un-pooling by saved indices, with PyTorch's arguments."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.devices import Device
from ...errors import ShapeError
from .pooling import arguments, batched

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip


def _bounds(n: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the adaptive windows of an axis start and end."""
    i = np.arange(out)
    return i * n // out, -(-(i + 1) * n // out)


def _sizes(name: str, dims: int, x: Tensor, output_size: Any) -> tuple[int, ...]:
    given = (output_size,) * dims if isinstance(output_size, int) or output_size is None else tuple(output_size)
    sizes = tuple(n if o is None else o for n, o in zip(x.shape[2:], given, strict=True))
    if any(o < 1 for o in sizes) or 0 in x.shape[2:]:
        raise ShapeError(f"{name}: cannot pool {x.shape} to output_size {output_size}")
    return sizes


@lru_cache(maxsize=64)
def _means(n: int, out: int, dtype: np.dtype, device: Device) -> Tensor:
    """The matrix (n, out) that takes the means of an axis; kept, because it comes from the host."""
    start, end = _bounds(n, out)
    inside = (np.arange(n)[:, None] >= start) & (np.arange(n)[:, None] < end)
    return asarray((inside / (end - start)).astype(dtype), device=device)


def _avg(dims, input, output_size) -> Tensor:
    name = f"adaptive_avg_pool{dims}d"
    x, single = batched(name, dims, input)
    sizes, out = _sizes(name, dims, x, output_size), x
    if math.prod(sizes) == 1:
        out = x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)
        return out.squeeze(0) if single else out
    for axis, (n, o) in enumerate(zip(x.shape[2:], sizes, strict=True), 2):
        if n != o:
            out = OPS["matmul"](out.moveaxis(axis, -1), _means(n, o, x.dtype, x.device)).moveaxis(-1, axis)
    return out.squeeze(0) if single else out


def adaptive_avg_pool1d(input, output_size) -> Tensor:
    """`adaptive_avg_pool2d` for input (N, C, L)."""
    return _avg(1, input, output_size)


def adaptive_avg_pool2d(input, output_size) -> Tensor:
    """The means of windows that divide input (N, C, H, W) or (C, H, W) into `output_size`: an int or one per axis, None
    for an axis that stays as it is."""
    return _avg(2, input, output_size)


def adaptive_avg_pool3d(input, output_size) -> Tensor:
    """`adaptive_avg_pool2d` for input (N, C, D, H, W)."""
    return _avg(3, input, output_size)


@lru_cache(maxsize=64)
def _windows(spatial: tuple[int, ...], sizes: tuple[int, ...], device: Device) -> Tensor:
    """The flat positions (windows, elements) of what each window holds; kept, because it comes from the host."""
    places = np.zeros((1, 1), np.int64)
    for n, o in zip(spatial, sizes, strict=True):
        start, end = _bounds(n, o)
        inside = np.minimum(start[:, None] + np.arange((end - start).max()), end[:, None] - 1)  # the last one, repeated
        places = (places[:, None, :, None] * n + inside[None, :, None, :]).reshape(places.shape[0] * o, -1)
    return asarray(places, device=device)


def _max(dims, input, output_size, return_indices) -> Any:
    name = f"adaptive_max_pool{dims}d"
    x, single = batched(name, dims, input)
    sizes = _sizes(name, dims, x, output_size)
    if math.prod(sizes) > 1 and all(n % o == 0 for n, o in zip(x.shape[2:], sizes, strict=True)):
        kernel = tuple(n // o for n, o in zip(x.shape[2:], sizes, strict=True))
        window = dict(kernel=kernel, stride=kernel, padding=((0, 0),) * dims, dilation=(1,) * dims)
        out = OPS["max_pool"](x, **window)
        where = OPS["max_pool_indices"](x.detach(), **window) if return_indices else None
    else:
        places = _windows(x.shape[2:], sizes, x.device)
        windows = OPS["take"](x.reshape((*x.shape[:2], math.prod(x.shape[2:]))), places, axis=2)
        best = OPS["argmax"](windows.detach(), axis=-1, keepdims=True)
        shape = (*x.shape[:2], *sizes)
        out = OPS["take_along_axis"](windows, best, axis=-1).reshape(shape)
        numbers = OPS["broadcast_to"](places, windows.shape)
        where = OPS["take_along_axis"](numbers, best, axis=-1).reshape(shape) if return_indices else None
    outs = [a.squeeze(0) if single else a for a in (out, where) if a is not None]
    return tuple(outs) if return_indices else outs[0]


def adaptive_max_pool1d(input, output_size, return_indices=False) -> Any:
    """`adaptive_max_pool2d` for input (N, C, L)."""
    return _max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False) -> Any:
    """The maxima of the windows of `adaptive_avg_pool2d`; with return_indices also int64 positions in the plane."""
    return _max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False) -> Any:
    """`adaptive_max_pool2d` for input (N, C, D, H, W)."""
    return _max(3, input, output_size, return_indices)


def _unpool(dims, input, indices, kernel_size, stride, padding, output_size) -> Tensor:
    name = f"max_unpool{dims}d"
    x, single = batched(name, dims, input)
    window = arguments(name, dims, kernel_size, stride, padding)
    parts = zip(x.shape[2:], window["stride"], window["padding"], window["kernel"], strict=True)
    size = tuple((n - 1) * s - 2 * p + f for n, s, (p, _), f in parts)
    if output_size is not None:
        size = tuple(output_size)[-dims:]
    plane = math.prod(size)
    at = asarray(indices).reshape((*x.shape[:2], -1))
    checked = at.device.type == "cpu"  # to look at the indices would wait for a GPU, which leaves wrong ones out
    if checked and at._array.size and not (0 <= at._array.min() and at._array.max() < plane):
        most = int(at._array.max())
        raise ShapeError(f"{name}: indices up to {most} do not fit the output size {size}; pass output_size")
    out = OPS["put_along"](x.reshape((*x.shape[:2], -1)), at, axis=-1, shape=(*x.shape[:2], plane))
    return out.reshape((*x.shape[1 if single else 0 : 2], *size))


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """`max_unpool2d` for input (N, C, L)."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """The values of input (N, C, OH, OW) put back where max-pooling took them from (`indices`), zeros elsewhere:
    (N, C, H, W), the smallest that the windows fit unless output_size is given."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """`max_unpool2d` for input (N, C, D, H, W)."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
