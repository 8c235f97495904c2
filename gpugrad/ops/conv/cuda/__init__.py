"""Convolutions on cuda devices: kernels/conv.cu for every shape, kernels/conv_depthwise.cu if groups are one wide.

All of them read and write channels-first and channels-last memory directly; results have their input's layout. 16-bit
floats go to tensor cores (tensor_cores.py). A 1 x 1 convolution of dense arrays is a plain matrix product, for which
cuBLAS has kernels tuned to each GPU.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....backend.cuda.launch import FLOATS, Block, Kernels, Strided, ctype, dense
from ....backend.devices import device_of
from ....backend.namespace import xp
from ...linear import linear
from ...matmul import matmul
from .. import check_shapes, convolution, convolution_input_gradient, convolution_weight_gradient, output_size
from . import tensor_cores
from .geometry import Convolution, empty, geometry, is_channels_last, with_weight
from .partial_sums import add_parts, empty_parts, split_sum

_THREADS, _SLICE, _TABLE, _COLUMNS, _TAPS = 256, 16, 128, 64, 9  # constants of kernels/conv.cu and conv_depthwise.cu
_ASIDE, _STATIC = 32 << 10, 38 << 10  # bytes of shared memory: for sums set aside, and beside them

_linear, _matmul = linear.raw("cuda"), matmul.raw("cuda")

_general = Kernels(
    "conv.cu",
    lambda: [f"{k}<{T}>" for k in ("convolution_gather", "convolution_weight_gradient") for T in FLOATS],
    typical=lambda: {
        f"{k}<float>": Block(_THREADS, _ASIDE) for k in ("convolution_gather", "convolution_weight_gradient")
    },
)
_depthwise = Kernels(
    "conv_depthwise.cu",
    lambda: [f"{k}<{T}>" for k in ("depthwise_gather", "depthwise_weight_gradient") for T in FLOATS],
    typical=lambda: {
        f"depthwise_{k}>": Block(_THREADS) for k in ("gather<float", "gather<__nv_bfloat16", "weight_gradient<float")
    },
)


@convolution.path("cuda")
def convolution_cuda(x, weight, bias, *, stride, padding, dilation, groups):
    check_shapes(x.shape, weight.shape, groups)
    size = output_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    if not weight.size or not _is_supported(x, weight, bias):
        return NotImplemented
    if _is_pointwise(x, weight, stride, padding, groups):
        return _pointwise(x, weight.reshape(weight.shape[:2]), bias), {}
    gather = tensor_cores.gather if tensor_cores.supports(x, x.shape[1], weight.shape[0], groups) else _gather
    window = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    return gather(x, (x.shape[0], weight.shape[0], *size), weight, bias, adjoint=False, **window)


@convolution_input_gradient.path("cuda")
def convolution_input_gradient_cuda(y, weight, *, shape, stride, padding, dilation, groups):
    if not _is_supported(y, weight):
        return NotImplemented
    if _is_pointwise(y, weight, stride, padding, groups):
        return _pointwise(y, weight.reshape(weight.shape[:2]).T, None), {}
    gather = tensor_cores.gather if tensor_cores.supports(y, y.shape[1], shape[1], groups) else _gather
    window = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    return gather(y, shape, weight, None, adjoint=True, **window)


@convolution_weight_gradient.path("cuda")
def convolution_weight_gradient_cuda(y, x, *, shape, stride, padding, dilation, groups):
    if not math.prod(shape) or not _is_supported(y, x):
        return NotImplemented
    window = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    if tensor_cores.supports(x, x.shape[1], y.shape[1], groups):
        return tensor_cores.weight_gradient(y, x, shape, **window)
    c = geometry(x, y, shape[2:], adjoint=False, **window)
    if c is None:
        return NotImplemented
    out = xp(x).empty(shape, x.dtype)
    with_weight(c, out, adjoint=False)
    launch = _depthwise_weight_gradient if shape[1] == 1 and groups > 1 else _weight_gradient
    return launch(c, out, y, x), {}


def _is_supported(*arrays: Any) -> bool:
    """Return whether the arrays have one dtype, which the kernels have, and no empty axis after the first.

    A batch of no samples launches nothing, or sums over nothing.
    """
    dtypes = {a.dtype for a in arrays if a is not None}
    filled = all(math.prod(a.shape[1:]) for a in arrays if a is not None)
    return filled and len(dtypes) == 1 and dtypes.pop().name in ("float16", "bfloat16", "float32", "float64")


# ---- forward and input gradient


def _gather(source: Any, shape: tuple, weight: Any, bias: Any, *, adjoint: bool, groups: int, **window: Any) -> Any:
    """Compute the result of `shape`, y from x or (adjoint) x from y, and return the results of a device path."""
    to = empty(shape, source, channels_last=is_channels_last(source))
    c = geometry(source, to, weight.shape[2:], adjoint=adjoint, groups=groups, **window)
    if c is None:
        return NotImplemented
    with_weight(c, weight, adjoint=adjoint)
    arrays = (c, Strided(to), Strided(source), Strided(weight), None if bias is None else dense(bias))
    if groups > 1 and 1 in (c.depth, c.width):
        lanes = 32 if c.channels_last else 1
        threads = min(-(-c.positions * lanes // 32) * 32, _THREADS)
        tiles = -(-c.positions * lanes // threads), -(-groups * c.width // lanes)
        _depthwise.launch(
            f"depthwise_gather<{ctype(source)}>", grid=(math.prod(tiles) * c.batch * c.phases,), block=(threads,),
            args=(*arrays, np.int32(lanes), np.int64(tiles[0]), np.int32(tiles[1])),
        )  # fmt: skip
    else:
        tiles = -(-c.batch * c.positions // _tile_rows(source)), -(-c.width // _COLUMNS)
        aside = _set_aside_bytes(source, c.depth * c.taps)
        _general.launch(
            f"convolution_gather<{ctype(source)}>", grid=(math.prod(tiles) * groups * c.phases,), block=(_THREADS,),
            args=(*arrays, np.int64(tiles[0]), np.int32(tiles[1]), np.int32(aside > 0)), shared=aside,
        )  # fmt: skip
    return to, {}


def _set_aside_bytes(array: Any, length: int) -> int:
    """Return the bytes of shared memory in which sums over `length` numbers are set aside: 0 if they need not be, or
    the array's device has no room."""
    return _ASIDE if length > _TABLE and _STATIC + _ASIDE <= device_of(array).shared_bytes else 0


def _tile_rows(array: Any) -> int:
    """Return the rows of a tile of kernels/conv.cu."""
    return 64 if array.dtype == np.float64 else 128


def _is_pointwise(array: Any, weight: Any, stride: tuple, padding: tuple, groups: int) -> bool:
    """Return whether the convolution is a product of dense matrices, and the device has a library for these."""
    plain = set(weight.shape[2:]) == {1} == set(stride) and groups == 1 and not any(map(any, padding))
    whole = xp(array).moveaxis(array, 1, -1) if is_channels_last(array) else array
    has_library = array.dtype.itemsize > 2 or device_of(array).has_products
    return plain and has_library and whole.flags.c_contiguous and array.size > 0 and weight.size > 0


def _pointwise(array: Any, matrix: Any, bias: Any) -> Any:
    """Multiply every position's channels (N, C, *S) by `matrix` (K, C), add `bias` (K,)."""
    ns, spatial = xp(array), array.shape[2:]
    if is_channels_last(array):
        rows = ns.moveaxis(array, 1, -1).reshape(-1, array.shape[1])
        return ns.moveaxis(_linear(rows, matrix, bias).reshape(len(array), *spatial, len(matrix)), -1, 1)
    out = _matmul(matrix, array.reshape(*array.shape[:2], -1)).reshape(len(array), len(matrix), *spatial)
    return out if bias is None else ns.add(out, bias.reshape(-1, *(1,) * len(spatial)), out=out)


# ---- weight gradient


def _weight_gradient(c: Convolution, out: Any, y: Any, x: Any) -> Any:
    c.columns_fast = is_channels_last(y)
    tiles = -(-c.depth * c.taps // _tile_rows(x)), -(-c.width // _COLUMNS)
    blocks = math.prod(tiles) * c.groups
    parts, length = split_sum(c.batch * c.positions, blocks, out.size, _SLICE)
    sums, aside = empty_parts(out, parts), _set_aside_bytes(x, length)
    _general.launch(
        f"convolution_weight_gradient<{ctype(x)}>", grid=(blocks, parts), block=(_THREADS,),
        args=(
            c, sums, Strided(y), Strided(x), np.int64(out.size), np.int64(length), *map(np.int32, (*tiles, aside > 0)),
        ),
        shared=aside,
    )  # fmt: skip
    return add_parts(out, sums, parts)


def _depthwise_weight_gradient(c: Convolution, out: Any, y: Any, x: Any) -> Any:
    lanes = 32 if c.channels_last else 1
    tiles = -(-c.groups * c.width // lanes)
    blocks = tiles * -(-c.taps // _TAPS)
    # A block sums up several positions at once, so it takes more of them than a block of products.
    parts, length = split_sum(c.batch * c.positions, blocks, out.size, _THREADS)
    sums = empty_parts(out, parts)
    _depthwise.launch(
        f"depthwise_weight_gradient<{ctype(x)}>", grid=(blocks, parts), block=(_THREADS,),
        args=(c, sums, Strided(y), Strided(x), np.int64(out.size), np.int64(length), np.int32(lanes), np.int32(tiles)),
    )  # fmt: skip
    return add_parts(out, sums, parts)
