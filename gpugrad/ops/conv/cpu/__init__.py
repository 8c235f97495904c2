"""Convolution on the CPU in 1 to 3 spatial dimensions: forward, input gradient, weight gradient.

Shapes are (N, C, *S), memory is channels-last: results are views of C-contiguous (N, *O, K) arrays, and inputs in
this layout are not copied. Work goes block by block (see `columns`), and threads share the blocks:

* forward: columns of x times the weights;
* weight gradient: the transposed gradient of the output times columns of x, summed over blocks in a fixed order;
* input gradient: with stride 1 a convolution of g with the flipped kernel. With other strides, and if it is less
  work, the gradient of the columns is computed and added back to the inputs, one kernel offset after the other.

Depthwise convolutions, whose products would be a single row wide, are in `depthwise`. 3x3 kernels with many channels,
which need fewer products, are in `winograd`.
"""

import math

import numpy as np

from ....backend.cpu import gemm, memory
from ....backend.cpu.windows import Block, Windows, channels_first, channels_last, multiply_each, split
from .. import (
    check_shapes,
    convolution,
    convolution_input_gradient,
    convolution_weight_gradient,
    output_size,
)
from . import depthwise, winograd
from .columns import Columns

BLOCK = 3 << 20  # bytes of columns in a block
LONG_BLOCK = 12 << 20  # the same where each kernel offset is a call, which should be long enough for threads to overlap
LEAST_PIXELS = 256  # of a block: with fewer, a product spends its time loading the weights


@convolution.path("cpu")
def convolution_cpu(x, weight, bias, *, stride, padding, dilation, groups):
    if not (x.size and weight.size):
        return NotImplemented
    check_shapes(x.shape, weight.shape, groups)
    kernel = weight.shape[2:]
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    windows = Windows.of(kernel, stride, dilation, (low for low, _ in padding), out)
    return channels_first(_convolve(channels_last(x), weight, bias, windows, groups)), {}


@convolution_input_gradient.path("cpu")
def convolution_input_gradient_cpu(y, weight, *, shape, stride, padding, dilation, groups):
    if not (y.size and weight.size):
        return NotImplemented
    kernel = weight.shape[2:]
    if max(stride) == 1 and _flipping_is_faster(weight.shape, groups, shape[2:], y.shape[2:]):
        reach = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        low = (r - pad[0] for r, pad in zip(reach, padding, strict=True))
        windows = Windows.of(kernel, stride, dilation, low, shape[2:])
        return channels_first(_convolve(channels_last(y), _flipped(weight, groups), None, windows, groups)), {}
    windows = Windows.of(kernel, stride, dilation, (low for low, _ in padding), y.shape[2:])
    shape = (shape[0], *shape[2:], shape[1])
    if _is_depthwise(weight, groups):
        return channels_first(depthwise.input_gradient(channels_last(y), weight, shape, windows)), {}
    return channels_first(_add_columns_back(channels_last(y), weight, shape, windows, groups)), {}


@convolution_weight_gradient.path("cpu")
def convolution_weight_gradient_cpu(y, x, *, shape, stride, padding, dilation, groups):
    if not (y.size and x.size):
        return NotImplemented
    windows = Windows.of(shape[2:], stride, dilation, (low for low, _ in padding), y.shape[2:])
    y, x = channels_last(y), channels_last(x)
    if groups > 1 and shape[1] == 1:
        return depthwise.weight_gradient(y, x, shape, windows), {}
    if groups == 1 and winograd.is_faster(len(x), shape[1], shape[0], windows, x.dtype):
        return winograd.weight_gradient(y, x, windows), {}
    return _multiply_columns(y, x, shape, windows, groups), {}


def _multiply_columns(g: np.ndarray, x: np.ndarray, shape: tuple, windows: Windows, groups: int) -> np.ndarray:
    """Return the gradient of the weight, of `shape` (K, C/G, *F), from g (N, *O, K) and x (N, *S, C)."""
    depth = math.prod(shape[1:])

    def part(blocks: list[Block]) -> np.ndarray:
        columns = Columns(x, windows, groups)
        total = np.zeros((groups, depth, shape[0] // groups), x.dtype)
        product = np.empty_like(total)
        for block in blocks:
            gemm.transposed(columns(block), _pixels(g, block, groups), product)
            total += product
        return total

    sums = multiply_each(part, _split(x, windows, depth * groups, depth * shape[0]))
    if not sums:
        return np.zeros(shape, x.dtype)
    for more in sums[1:]:
        sums[0] += more
    grad = sums[0].swapaxes(1, 2).reshape(shape[0], *windows.kernel, shape[1])
    return np.ascontiguousarray(channels_first(grad))


def _convolve(x: np.ndarray, weight: np.ndarray, bias, windows: Windows, groups: int) -> np.ndarray:
    """Convolve x (N, *S, C): (N, *O, K)."""
    if _is_depthwise(weight, groups):
        return depthwise.forward(x, weight, bias, windows)
    features, *inner = weight.shape
    if groups == 1 and winograd.is_faster(len(x), inner[0], features, windows, x.dtype):
        return winograd.forward(x, weight, bias, windows)
    matrix, depth = np.ascontiguousarray(_matrix(weight, groups).swapaxes(1, 2)), math.prod(inner)
    out = memory.empty((len(x), *windows.out, features), x.dtype)
    # Repeated along the last spatial axis, the bias is added in long runs.
    line = None if bias is None else np.tile(bias, (windows.out[-1], 1))

    def part(blocks: list[Block]) -> None:
        columns = Columns(x, windows, groups)
        for block in blocks:
            gemm.multiply(columns(block), matrix, _pixels(out, block, groups))
            if line is not None:
                total = out[block.samples, block.rows]
                total += line[: total.shape[-2]]

    multiply_each(part, _split(x, windows, depth * groups, depth * features))
    return out


def _add_columns_back(g: np.ndarray, weight: np.ndarray, shape: tuple, windows: Windows, groups: int) -> np.ndarray:
    """Return the gradient (N, *S, C) of the input, from g (N, *O, K): compute that of the columns and add it back.

    For each kernel offset, the product (pixels, K) times (K, C) is the gradient of the inputs that the windows have at
    this offset. It is added to them line by line. The products of a block are one call.
    """
    out = memory.empty(shape, g.dtype)
    features, channels = weight.shape[0], weight.shape[1]
    depth = math.prod(weight.shape[1:])
    offsets, places = windows.offsets(), windows.places(shape[1:-1])
    matrices = _matrix(weight, groups).reshape(groups, features // groups, len(offsets), channels)
    matrices = np.ascontiguousarray(np.moveaxis(matrices, 2, 0))

    def part(blocks: list[Block]) -> None:
        out[blocks[0].samples.start : blocks[-1].samples.stop] = 0
        buffer = np.empty(0, g.dtype)
        for block in blocks:
            pixels = _pixels(g, block, groups)
            size = len(offsets) * pixels.shape[1] * groups * channels
            if buffer.size < size:
                buffer = np.empty(size, g.dtype)
            columns = buffer[:size].reshape(len(offsets), pixels.shape[1], groups, channels)
            gemm.multiply(pixels, matrices, columns.swapaxes(1, 2))
            into = out[block.samples]
            columns = columns.reshape(-1, len(into), block.rows.stop - block.rows.start, *windows.out[1:], shape[-1])
            for (outputs, inputs), column in zip(places(block.rows), columns, strict=True):
                target = into[inputs]
                target += column[outputs]

    multiply_each(part, _split(g, windows, depth * groups, depth * features, size=LONG_BLOCK, whole=True))
    return out


def _split(x: np.ndarray, windows: Windows, columns: int, work: int, *, size: int = BLOCK, whole: bool = False) -> list:
    """Cut the output into blocks with `size` bytes of columns. A pixel has `columns` of them and takes `work`
    multiply-adds."""
    pixels = max(size // (columns * x.itemsize), LEAST_PIXELS)
    return split(len(x), windows.out, pixels=pixels, work=work, whole=whole)


def _pixels(array: np.ndarray, block: Block, groups: int) -> np.ndarray:
    """Return a block of (N, *O, K) as (G, pixels, K/G); a view if the array is C-contiguous."""
    features = array.shape[-1]
    return array[block.samples, block.rows].reshape(-1, groups, features // groups).swapaxes(0, 1)


def _matrix(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weight (K, C/G, *F) as (G, K/G, prod(F) * C/G), in the order of the columns."""
    return np.ascontiguousarray(channels_last(weight)).reshape(groups, weight.shape[0] // groups, -1)


def _flipped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Turn weight (K, C/G, *F) into that of the convolution that takes g to the input gradient: (C, K/G, *F)."""
    features, channels, *kernel = weight.shape
    flipped = np.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, features // groups, channels, *kernel)
    return flipped.swapaxes(1, 2).reshape(groups * channels, features // groups, *kernel)


def _is_depthwise(weight: np.ndarray, groups: int) -> bool:
    return groups > 1 and weight.shape[1] == 1


def _flipping_is_faster(weight_shape: tuple, groups: int, size: tuple, out: tuple) -> bool:
    """Return whether a convolution with the flipped kernel takes less time than adding columns back.

    Both are counted in multiply-adds per kernel offset. Copying a number to the columns costs about as much as 4,
    adding one back as 25. A product less than 8 wide takes as long as one 8 wide. Depthwise convolutions copy nothing
    and always gain.
    """
    features, channels = weight_shape[0] // groups, weight_shape[1]
    if groups > 1 and channels == 1:
        return features == 1
    flipped = math.prod(size) * features * (max(channels, 8) + 4)
    return flipped <= math.prod(out) * channels * (features + 25)
