"""Pooling to a given output size with PyTorch's arguments."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...arguments import sizes_or_none
from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.devices import Device
from ...errors import ShapeError
from .pool import with_indices
from .spatial import batched

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d", "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d", "adaptive_max_pool3d_with_indices",
]  # fmt: skip


def _window_bounds(n: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the starts and the ends of the adaptive windows of an axis."""
    i = np.arange(out)
    return i * n // out, -(-(i + 1) * n // out)


def _output_sizes(name: str, dims: int, x: Tensor, output_size: Any) -> tuple[int, ...]:
    """Return the output size of each axis. Raises ShapeError for sizes that cannot be made."""
    sizes_or_none(name, "output_size", output_size)
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * dims
    if len(given) != dims:
        raise ShapeError(f"{name}: output_size must be one number or {dims}, got {output_size}")
    sizes = tuple(n if o is None else o for n, o in zip(x.shape[2:], given, strict=True))
    if any(o < 1 for o in sizes) or 0 in x.shape[2:]:
        raise ShapeError(f"{name}: cannot pool {x.shape} to output_size {output_size}")
    return sizes


@lru_cache(maxsize=64)
def _mean_matrix(n: int, out: int, dtype: np.dtype, device: Device) -> Tensor:
    """Return the matrix (n, out) that takes the means of an axis; it is kept, because it comes from the host."""
    start, end = _window_bounds(n, out)
    inside = (np.arange(n)[:, None] >= start) & (np.arange(n)[:, None] < end)
    return asarray((inside / (end - start)).astype(dtype), device=device)


def _adaptive_avg_pool(dims, input, output_size) -> Tensor:
    """Take the means by one product with a matrix for each axis, or by one mean if the output is a single element."""
    name = f"adaptive_avg_pool{dims}d"
    x, single = batched(name, dims, input)
    sizes, out = _output_sizes(name, dims, x, output_size), x
    if math.prod(sizes) == 1:
        out = x.mean(axis=tuple(range(2, x.ndim)), keepdims=True)
        return out.squeeze(0) if single else out
    for axis, (n, o) in enumerate(zip(x.shape[2:], sizes, strict=True), 2):
        if n != o:
            out = OPS["matmul"](out.moveaxis(axis, -1), _mean_matrix(n, o, x.dtype, x.device)).moveaxis(-1, axis)
    return out.squeeze(0) if single else out


def adaptive_avg_pool1d(input, output_size) -> Tensor:
    """Apply `adaptive_avg_pool2d` to input (N, C, L).

    >>> F.adaptive_avg_pool1d(gg.tensor([[1.0, 2.0, 4.0, 3.0]]), 2)
    tensor([[1.5, 3.5]])
    """
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input, output_size) -> Tensor:
    """Take the means of windows that divide input (N, C, H, W) or (C, H, W) into `output_size`.

    output_size is an int, or one per axis, None for an axis that stays as it is.

    >>> F.adaptive_avg_pool2d(gg.ones((1, 3, 5, 7)), (1, None)).shape
    (1, 3, 1, 7)
    """
    return _adaptive_avg_pool(2, input, output_size)


@governed({"cpu": "float32"})
def adaptive_avg_pool3d(input, output_size) -> Tensor:
    """Apply `adaptive_avg_pool2d` to input (N, C, D, H, W).

    >>> F.adaptive_avg_pool3d(gg.ones((1, 3, 5, 7, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _adaptive_avg_pool(3, input, output_size)


@lru_cache(maxsize=64)
def _window_positions(spatial: tuple[int, ...], sizes: tuple[int, ...], device: Device) -> Tensor:
    """Return the flat positions (windows, elements) that each window holds; they are kept, because they come from the
    host."""
    places = np.zeros((1, 1), np.int64)
    for n, o in zip(spatial, sizes, strict=True):
        start, end = _window_bounds(n, o)
        inside = np.minimum(start[:, None] + np.arange((end - start).max()), end[:, None] - 1)  # the last one, repeated
        places = (places[:, None, :, None] * n + inside[None, :, None, :]).reshape(places.shape[0] * o, -1)
    return asarray(places, device=device)


def _adaptive_max_pool(dims, input, output_size, return_indices) -> Any:
    """Take the maxima by `max_pool` if all windows are alike, else from the gathered elements of each window."""
    name = f"adaptive_max_pool{dims}d"
    x, single = batched(name, dims, input)
    sizes = _output_sizes(name, dims, x, output_size)
    if math.prod(sizes) > 1 and all(n % o == 0 for n, o in zip(x.shape[2:], sizes, strict=True)):
        kernel = tuple(n // o for n, o in zip(x.shape[2:], sizes, strict=True))
        window = dict(kernel=kernel, stride=kernel, padding=((0, 0),) * dims, dilation=(1,) * dims)
        out = OPS["max_pool"](x, **window)
        indices = OPS["max_pool_indices"](x.detach(), **window) if return_indices else None
    else:
        places = _window_positions(x.shape[2:], sizes, x.device)
        windows = OPS["take"](x.reshape((*x.shape[:2], math.prod(x.shape[2:]))), places, axis=2)
        best = OPS["argmax"](windows.detach(), axis=-1, keepdims=True)
        shape = (*x.shape[:2], *sizes)
        out = OPS["take_along_axis"](windows, best, axis=-1).reshape(shape)
        positions = OPS["broadcast_to"](places, windows.shape)
        indices = OPS["take_along_axis"](positions, best, axis=-1).reshape(shape) if return_indices else None
    outs = [a.squeeze(0) if single else a for a in (out, indices) if a is not None]
    return tuple(outs) if return_indices else outs[0]


def adaptive_max_pool1d(input, output_size, return_indices=False) -> Any:
    """Apply `adaptive_max_pool2d` to input (N, C, L).

    >>> F.adaptive_max_pool1d(gg.tensor([[1.0, 2.0, 4.0, 3.0]]), 2)
    tensor([[2., 4.]])
    """
    return _adaptive_max_pool(1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False) -> Any:
    """Take the maxima of the windows of `adaptive_avg_pool2d`; with return_indices also return int64 positions in the
    plane.

    >>> F.adaptive_max_pool2d(gg.ones((1, 3, 5, 7)), 2).shape
    (1, 3, 2, 2)
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


@governed({"cpu": "float32"})
def adaptive_max_pool3d(input, output_size, return_indices=False) -> Any:
    """Apply `adaptive_max_pool2d` to input (N, C, D, H, W).

    >>> F.adaptive_max_pool3d(gg.ones((1, 3, 5, 7, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _adaptive_max_pool(3, input, output_size, return_indices)


adaptive_max_pool1d_with_indices = with_indices(adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = with_indices(adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = with_indices(adaptive_max_pool3d)
