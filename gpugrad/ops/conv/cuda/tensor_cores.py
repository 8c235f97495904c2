"""Convolutions on tensor cores: kernels/conv_mma.cu, for 16-bit floats and, on request, float32 as TF32.

The kernels read channels-last memory in chunks of 16 bytes. Other arrays are copied to that order, with zeros after the
channels of each group up to a whole chunk. Results are channels-last.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from ....backend.cuda.launch import Block, Kernels, Strided, aligned, ctype, dense
from ....backend.devices import device_of
from ....backend.namespace import xp
from ....backend.precision import get_float32_matmul_precision
from .geometry import Convolution, empty, geometry, strides, with_weight
from .partial_sums import add_parts, empty_parts, split_sum

# Constants of kernels/conv_mma.cu; the last three in bytes: static shared memory, a row of a slice, a chunk.
_THREADS, _ROWS, _TILE, _STATIC, _SLICE, _CHUNK = 128, 128, 32, 13 << 10, 128, 16
_CAPABILITY = 80  # cp.async, mma.sync of bfloat16
_TYPES = ("__half", "__nv_bfloat16", "float")

_kernels = Kernels(
    "conv_mma.cu",
    lambda: [
        *(f"convolution_gather_mma<{T}, {n}>" for T in _TYPES for n in (64, 128)),
        *(f"{name}<{T}>" for name in ("convolution_weight_gradient_mma", "channels_last") for T in _TYPES),
    ],
    capability=_CAPABILITY,
    typical=lambda: {
        **{f"convolution_gather_mma<{T}, {n}>": Block(_THREADS, _slices(3, n)) for T in _TYPES[1:] for n in (64, 128)},
        **{f"convolution_weight_gradient_mma<{T}>": Block(_THREADS, _slices(3, _ROWS)) for T in _TYPES[1:]},
        "channels_last<__nv_bfloat16>": Block(_THREADS),
    },
)


class _Source(ctypes.Structure):
    """The array that the kernel `channels_last` reads."""

    _fields_ = [
        ("stride", ctypes.c_longlong * 5), ("positions", ctypes.c_longlong), ("size", ctypes.c_int * 3),
        ("groups", ctypes.c_int), ("depth", ctypes.c_int), ("padded", ctypes.c_int),
    ]  # fmt: skip


def _slices(stages: int, columns: int) -> int:
    """Return the bytes of shared memory for slices of both factors."""
    return stages * (_ROWS + columns) * _SLICE


def supports(array: Any, channels: int, outputs: int, groups: int) -> bool:
    """Return whether a convolution from `channels` to `outputs` channels can run on tensor cores."""
    if device_of(array).capability < _CAPABILITY:
        return False
    has_type = array.dtype.itemsize == 2 or (array.dtype == np.float32 and get_float32_matmul_precision() != "highest")
    # Narrower groups would be zeros for the most part.
    return has_type and (groups == 1 or min(channels, outputs) // groups >= _chunk_elements(array))


def gather(source: Any, shape: tuple, weight: Any, bias: Any, *, adjoint: bool, groups: int, **window: Any) -> Any:
    """Compute the result of `shape`, y from x or (adjoint) x from y, and return the results of a device path."""
    kernel = weight.shape[2:]
    to = empty(shape, source, channels_last=True)
    if adjoint:
        depth = weight.shape[0] // groups
        weight = weight.reshape(groups, depth, *weight.shape[1:]).swapaxes(1, 2).reshape(shape[1], depth, *kernel)
    source, weight = _channels_last(source, groups), _channels_last(weight, 1)
    c = geometry(source, to, kernel, adjoint=adjoint, groups=groups, **window)
    if c is None:
        return NotImplemented
    c.channels_last = 1
    with_weight(c, weight, adjoint=False)
    columns = 64 if c.width <= 64 else 128
    stages = _stages(source, columns)
    tiles = -(-c.batch * c.positions // _ROWS), -(-c.width // columns)
    _kernels.launch(
        f"convolution_gather_mma<{ctype(source)}, {columns}>",
        grid=(math.prod(tiles) * groups * c.phases,), block=(_THREADS,),
        args=(
            c, Strided(to), Strided(source), Strided(weight), None if bias is None else dense(bias),
            np.int64(tiles[0]), np.int32(tiles[1]), stages,
        ),
        shared=max(_slices(int(stages), columns), _ROWS * (columns * to.dtype.itemsize + _CHUNK)),
    )  # fmt: skip
    return to, {}


def weight_gradient(y: Any, x: Any, shape: tuple, *, groups: int, **window: Any) -> Any:
    """Compute the weight's gradient of `shape`, and return the results of a device path."""
    y, x = _channels_last(y, groups), _channels_last(x, groups)
    c = geometry(x, y, shape[2:], adjoint=False, groups=groups, **window)
    if c is None:
        return NotImplemented
    c.channels_last = 1
    out = xp(x).empty((groups * c.width, c.depth, *shape[2:]), x.dtype)
    _launch_weight_gradient(with_weight(c, out, adjoint=False), out, y, x)
    if out.shape == shape:
        return out, {}
    out = out.reshape(groups, c.width, *out.shape[1:])[:, : shape[0] // groups, : shape[1]]
    return dense(out.reshape(shape)), {}


def _launch_weight_gradient(c: Convolution, out: Any, y: Any, x: Any) -> None:
    tiles = -(-c.depth * c.taps // _ROWS), -(-c.width // _ROWS)
    blocks = math.prod(tiles) * c.groups
    parts, length = split_sum(c.batch * c.positions, blocks, out.size, _SLICE // x.dtype.itemsize)
    sums, stages = empty_parts(out, parts), _stages(x, _ROWS)
    _kernels.launch(
        f"convolution_weight_gradient_mma<{ctype(x)}>", grid=(blocks, parts), block=(_THREADS,),
        args=(c, sums, Strided(y), Strided(x), np.int64(out.size), np.int64(length), *map(np.int32, tiles), stages),
        shared=_slices(int(stages), _ROWS),
    )  # fmt: skip
    add_parts(out, sums, parts)


def _stages(array: Any, columns: int) -> np.int32:
    """Return the number of slices in shared memory at once: three if two such blocks fit, else two."""
    return np.int32(3 if 2 * (_slices(3, columns) + _STATIC) <= device_of(array).shared_bytes else 2)


def _chunk_elements(array: Any) -> int:
    """Return the number of elements in a chunk."""
    return _CHUNK // array.dtype.itemsize


def _channels_last(array: Any, groups: int) -> Any:
    """Return `array` (N, C, *S), or a copy of it, in the memory order (N, *S, C) with each group in whole chunks."""
    ns, per = xp(array), _chunk_elements(array)
    depth = array.shape[1] // groups
    padded = -(-depth // per) * per
    if padded == depth and ns.moveaxis(array, 1, -1).flags.c_contiguous and aligned(array):
        return array
    out = empty((array.shape[0], groups * padded, *array.shape[2:]), array, channels_last=True)
    spatial = (1, 1, 1, *array.shape[2:])[-3:]
    x = _Source(strides(array), math.prod(spatial), spatial, groups, depth, padded)
    tiles = -(-x.positions // _TILE), -(-groups * padded // _TILE)
    _kernels.launch(
        f"channels_last<{ctype(array)}>", grid=(math.prod(tiles) * array.shape[0],), block=(_THREADS,),
        args=(x, Strided(out), Strided(array), np.int64(tiles[0]), np.int32(tiles[1])),
    )  # fmt: skip
    return out
