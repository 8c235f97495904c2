"""Convolution in 1 to 3 spatial dimensions: forward, input gradient, weight gradient.

Shapes are (N, C, *S), memory is channels-last: results are views of C-contiguous (N, *O, K) arrays, and inputs that are
laid out like that are used as they are. Work goes block by block (see `conv_columns`), blocks are shared by threads:

* forward: columns of x times the weights;
* weight gradient: gradient of the output, transposed, times columns of x, summed over blocks in a fixed order;
* input gradient: with stride 1 a convolution of g with the flipped kernel, or else (and where it is less work) the
  gradient of the columns, of which each kernel offset is added to the inputs that it was read from.

Depthwise convolutions, whose products would be a single row wide, are in `conv_depthwise`, and 3x3 kernels with many
channels, which need fewer products, in `conv_winograd`.
"""

import math

import numpy as np

from . import conv_depthwise, conv_winograd, gemm, memory
from .conv_columns import Columns
from .windows import Block, Windows, each, first, last, output_shape, split

BLOCK = 3 << 20  # bytes of columns in a block
SCATTER = 12 << 20  # the same where each kernel offset is a call, which should be long enough for threads to overlap
ROWS = 256  # least pixels of a block: with fewer, a product spends its time loading the weights


def conv_forward(x, weight, bias, *, stride, padding, dilation, groups) -> np.ndarray:
    """x (N, C, *S) with weight (K, C/groups, *F) and bias (K,) or None -> (N, K, *O)."""
    kernel = weight.shape[2:]
    out = output_shape(x.shape[2:], kernel, stride, padding, dilation)
    windows = Windows.of(kernel, stride, dilation, (low for low, _ in padding), out)
    return first(_convolve(last(x), weight, bias, windows, groups))


def conv_input_grad(g, weight, *, shape, stride, padding, dilation, groups) -> np.ndarray:
    """Gradient (N, C, *S) = shape of the input, from g (N, K, *O) and weight (K, C/groups, *F).

    This is also the forward pass of a transposed convolution with input g.
    """
    kernel = weight.shape[2:]
    if max(stride) == 1 and _correlation_is_less(weight.shape, groups, shape[2:], g.shape[2:]):
        reach = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
        low = (r - pad[0] for r, pad in zip(reach, padding, strict=True))
        windows = Windows.of(kernel, stride, dilation, low, shape[2:])
        return first(_convolve(last(g), _flipped(weight, groups), None, windows, groups))
    windows = Windows.of(kernel, stride, dilation, (low for low, _ in padding), g.shape[2:])
    shape = (shape[0], *shape[2:], shape[1])
    if _is_depthwise(weight, groups):
        return first(conv_depthwise.scatter(last(g), weight, shape, windows))
    return first(_scatter(last(g), weight, shape, windows, groups))


def conv_weight_grad(g, x, *, shape, stride, padding, dilation, groups) -> np.ndarray:
    """Gradient (K, C/groups, *F) = shape of the weight, C-contiguous, from g (N, K, *O) and x (N, C, *S)."""
    windows = Windows.of(shape[2:], stride, dilation, (low for low, _ in padding), g.shape[2:])
    g, x = last(g), last(x)
    if groups > 1 and shape[1] == 1:
        return conv_depthwise.weight_grad(g, x, shape, windows)
    if groups == 1 and conv_winograd.pays(len(x), shape[1], shape[0], windows, x.dtype):
        return conv_winograd.weight_grad(g, x, windows)
    depth = math.prod(shape[1:])

    def part(blocks: list[Block]) -> np.ndarray:
        columns = Columns(x, windows, groups)
        total = np.zeros((groups, depth, shape[0] // groups), x.dtype)
        product = np.empty_like(total)
        for block in blocks:
            gemm.transposed(columns(block), _pixels(g, block, groups), product)
            total += product
        return total

    sums = each(part, _split(x, windows, depth * groups, depth * shape[0]))
    if not sums:
        return np.zeros(shape, x.dtype)
    for more in sums[1:]:
        sums[0] += more
    grad = sums[0].swapaxes(1, 2).reshape(shape[0], *windows.kernel, shape[1])
    return np.ascontiguousarray(first(grad))


def _convolve(x: np.ndarray, weight: np.ndarray, bias, windows: Windows, groups: int) -> np.ndarray:
    """x (N, *S, C) -> (N, *O, K)."""
    if _is_depthwise(weight, groups):
        return conv_depthwise.forward(x, weight, bias, windows)
    features, *inner = weight.shape
    if groups == 1 and conv_winograd.pays(len(x), inner[0], features, windows, x.dtype):
        return conv_winograd.forward(x, weight, bias, windows)
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

    each(part, _split(x, windows, depth * groups, depth * features))
    return out


def _scatter(g: np.ndarray, weight: np.ndarray, shape: tuple, windows: Windows, groups: int) -> np.ndarray:
    """g (N, *O, K) -> gradient (N, *S, C) = shape of the input, by adding up the gradient of the columns.

    A product for each kernel offset, (pixels, K) times (K, C), is what that offset adds to the inputs: both have runs
    of a whole line of pixels. The products of a block are one call.
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

    each(part, _split(g, windows, depth * groups, depth * features, size=SCATTER, whole=True))
    return out


def _split(x: np.ndarray, windows: Windows, columns: int, work: int, *, size: int = BLOCK, whole: bool = False) -> list:
    """Blocks, of `size` bytes, for pixels that have so many columns and multiply-adds each."""
    pixels = max(size // (columns * x.itemsize), ROWS)
    return split(len(x), windows.out, pixels=pixels, work=work, whole=whole)


def _pixels(array: np.ndarray, block: Block, groups: int) -> np.ndarray:
    """A block of (N, *O, K) as (G, pixels, K/G); a view if the array is C-contiguous."""
    features = array.shape[-1]
    return array[block.samples, block.rows].reshape(-1, groups, features // groups).swapaxes(0, 1)


def _matrix(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weight (K, C/G, *F) as (G, K/G, prod(F) * C/G), in the order of the columns."""
    return np.ascontiguousarray(last(weight)).reshape(groups, weight.shape[0] // groups, -1)


def _flipped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Weight (K, C/G, *F) as the weight (C, K/G, *F) of the convolution that takes g to the input gradient."""
    features, channels, *kernel = weight.shape
    flipped = np.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, features // groups, channels, *kernel)
    return flipped.swapaxes(1, 2).reshape(groups * channels, features // groups, *kernel)


def _is_depthwise(weight: np.ndarray, groups: int) -> bool:
    return groups > 1 and weight.shape[1] == 1


def _correlation_is_less(weight_shape: tuple, groups: int, size: tuple, out: tuple) -> bool:
    """Whether a flipped convolution takes less time than scattered columns, in multiply-adds per kernel offset.

    Gathering a number costs about 4 multiply-adds, adding one to where it belongs 25. A product less than 8 wide takes
    as long as one 8 wide. Depthwise gathers nothing and always gains.
    """
    features, channels = weight_shape[0] // groups, weight_shape[1]
    if groups > 1 and channels == 1:
        return features == 1
    correlation = math.prod(size) * features * (max(channels, 8) + 4)
    return correlation <= math.prod(out) * channels * (features + 25)
