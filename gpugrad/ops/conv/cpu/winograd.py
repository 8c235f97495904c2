"""Convolution with 3x3 kernels by Winograd's minimal filtering F(2x2, 3x3): 16 products replace 36.

A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2015). An output tile of 2x2 pixels looks at
4x4 inputs. With x such a tile of inputs, w the kernel and y the outputs, in one dimension (in two, along either axis):

    y = A^T [(G w) * (B^T x)]

    B^T = 1  0 -1  0      G =  1    0    0     A^T = 1  1  1  0
          0  1  1  0          1/2  1/2  1/2          0  1 -1  1
          0 -1  1  0          1/2 -1/2  1/2
          0  1  0 -1           0    0   -1

with the sign of the last kernel turned, so that A only adds. Over channels each of the 16 products is one of matrices,
(tiles, C) times (C, K). The weight gradient is G^T [(B^T x) * (A g)], summed over tiles, again products of matrices.

The transforms are additions of whole arrays, channels last, in blocks that stay in the cache. In NumPy they take as
long as the products of some 50 channels, so for fewer (and for few pixels) columns are as fast; compiled loops go over
a block once and take a fifth of that. Rounding errors are those of columns, give or take a third.
"""

import math

import numpy as np

from ....backend.cpu import gemm, memory
from ....backend.cpu.windows import Block, Windows, multiply_each, split
from .. import loops
from .columns import Columns

BLOCK = 1 << 18  # elements of the transformed tiles of a block
CHANNELS = 48  # of input and output, from which this is faster
COMPILED_CHANNELS = 16  # the same with compiled loops
PIXELS = 1024  # the same for pixels of the output

_KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, -1]])
_KERNELS = np.einsum("ia,jb->ijab", _KERNEL, _KERNEL).reshape(16, 9)


def is_faster(samples: int, channels: int, features: int, windows: Windows, dtype) -> bool:
    """Return whether this module can do a convolution without groups over `windows`, and is faster than columns."""
    if windows.kernel != (3, 3) or max(windows.stride) > 1 or max(windows.dilation) > 1 or dtype != np.float32:
        return False
    pixels = samples * windows.out[0] * windows.out[1]
    compiled = loops.transform_inputs.sized(4 * pixels * channels, dtype) is not None
    return min(channels, features) >= (COMPILED_CHANNELS if compiled else CHANNELS) and pixels >= PIXELS


def forward(x: np.ndarray, weight: np.ndarray, bias, windows: Windows) -> np.ndarray:
    """Convolve x (N, H, W, C) with weight (K, C, 3, 3) and bias (K,) or None: (N, *O, K)."""
    features, channels = weight.shape[:2]
    flat = np.ascontiguousarray(weight.transpose(2, 3, 1, 0)).reshape(9, -1)
    kernels = gemm.product(_KERNELS.astype(x.dtype), flat).reshape(16, channels, features)
    out = memory.empty((len(x), *windows.out, features), x.dtype)
    transform = loops.transform_back.sized(4 * out.size, x.dtype)

    def part(blocks: list[Block]) -> None:
        tiles, memory_of_products, spare = _Tiles(x, windows), _Buffer(x.dtype), _Buffer(x.dtype)
        for block in blocks:
            data = tiles(block)
            products = memory_of_products((4, 4, *data.shape[2:-1], features))
            gemm.multiply(_flat(data), kernels, _flat(products))
            if bias is not None:
                products[1, 1] += bias  # A adds this product to every output
            into = out[block.samples, block.rows]
            if transform is not None:
                transform(products, spare((8, features)), into)
            else:
                _transform_back(products, into, spare)

    multiply_each(part, _split(x, features, windows))
    return out


def weight_gradient(g: np.ndarray, x: np.ndarray, windows: Windows) -> np.ndarray:
    """Return the gradient (K, C, 3, 3) of the weight, from g (N, *O, K) and x (N, H, W, C)."""
    features, channels = g.shape[-1], x.shape[-1]
    pixels = Windows((1, 1), (1, 1), (1, 1), (0, 0), _even(windows.out))
    transform = loops.transform_gradient.sized(4 * g.size, x.dtype)

    def part(blocks: list[Block]) -> np.ndarray:
        tiles, grads, buffer, rows = _Tiles(x, windows), Columns(g, pixels, 1), _Buffer(x.dtype), _Buffer(x.dtype)
        total = np.zeros((16, channels, features), x.dtype)
        product = np.empty_like(total)
        for block in blocks:
            data = tiles(block)
            grad = buffer((4, 4, *data.shape[2:-1], features))
            pairs = grads.inputs(block)
            if transform is not None:
                transform(_lines(pairs), rows((4, math.prod(pairs.shape[2:]))), grad)
            else:
                _transform_gradient(pairs, grad)
            gemm.transposed(_flat(data), _flat(grad), product)
            total += product
        return total

    sums = multiply_each(part, _split(x, features, windows))
    for more in sums[1:]:
        sums[0] += more
    grad = gemm.product(_KERNELS.T.astype(x.dtype), sums[0].reshape(16, -1))
    return np.ascontiguousarray(grad.reshape(3, 3, channels, features).transpose(3, 2, 0, 1))


class _Buffer:
    """Memory that one array after another uses."""

    def __init__(self, dtype):
        self.flat = np.empty(0, dtype)

    def __call__(self, shape: tuple[int, ...]) -> np.ndarray:
        size = math.prod(shape)
        if self.flat.size < size:
            self.flat = np.empty(size, self.flat.dtype)
        return self.flat[:size].reshape(shape)


class _Tiles:
    """Makes the transformed inputs B^T x B of one block after another. One object per thread."""

    def __init__(self, x: np.ndarray, windows: Windows):
        self.inputs = Columns(x, windows._replace(out=_even(windows.out)), 1).inputs
        self.rows, self.tiles = _Buffer(x.dtype), _Buffer(x.dtype)
        self.transform = loops.transform_inputs.sized(4 * len(x) * math.prod(windows.out) * x.shape[-1], x.dtype)

    def __call__(self, block: Block) -> np.ndarray:
        """Return (4, 4, samples, tiles down, tiles across, C) of a block with an even number of rows."""
        x = self.inputs(block)
        n, height, width, channels = x.shape
        tiles = self.tiles((4, 4, n, height // 2 - 1, width // 2 - 1, channels))
        if self.transform is not None:
            self.transform(_lines(x), self.rows((4, width * channels)), tiles)
            return tiles
        rows = self.rows((4, n, height // 2 - 1, width, channels))
        _transform_inputs(x, rows, axis=1)
        _transform_inputs(rows, tiles.swapaxes(0, 1), axis=3)
        return tiles


def _transform_inputs(x: np.ndarray, out: np.ndarray, axis: int) -> None:
    """Set out (4, *, tiles, *) to B^T times the tiles along `axis` of x, which are 4 long and 2 apart."""
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    pairs = pairs.transpose(axis + 1, *range(axis + 1), *range(axis + 2, pairs.ndim))
    before = (slice(None),) * (axis + 1)
    now, following = pairs[(*before, slice(None, -1))], pairs[(*before, slice(1, None))]
    np.subtract(now, following, out=out[::3])
    np.add(now[1], following[0], out=out[1])
    np.subtract(following[0], now[1], out=out[2])


def _transform_back(products: np.ndarray, out: np.ndarray, spare: _Buffer) -> None:
    """Set out (n, *O, K) to A^T products A; overwrites products (4, 4, n, tiles down, tiles across, K)."""
    _, _, n, down, across, features = products.shape
    even = (n, 2 * down, 2 * across, features)
    target = out if out.shape == even else spare(even)
    products[0] += products[1]
    products[0] += products[2]
    products[3] += products[1]
    products[3] -= products[2]
    a, b, c, d = products[::3].swapaxes(0, 1)
    a += b
    d += b
    pixels = _pixels(target)
    np.add(a, c, out=pixels[:, 0])
    np.subtract(d, c, out=pixels[:, 1])
    if target is not out:
        out[...] = target[:, : out.shape[1], : out.shape[2]]


def _transform_gradient(g: np.ndarray, out: np.ndarray) -> None:
    """Set out (4, 4, n, tiles down, tiles across, K) to A g A^T for g (n, 2 tiles down, 2 tiles across, K)."""
    pixels = _pixels(g)
    left, right, rows = pixels[:, 0], pixels[:, 1], out[::3]
    rows[:, ::3] = pixels
    np.add(left, right, out=rows[:, 1])
    np.subtract(left, right, out=rows[:, 2])
    np.add(out[0], out[3], out=out[1])
    np.subtract(out[0], out[3], out=out[2])


def _lines(image: np.ndarray) -> np.ndarray:
    """Return (n, height, width, C) as a C-contiguous (n, height, width * C)."""
    return np.ascontiguousarray(image).reshape(*image.shape[:2], -1)


def _pixels(image: np.ndarray) -> np.ndarray:
    """View (n, 2 tiles down, 2 tiles across, K) as (2, 2, n, tiles down, tiles across, K)."""
    n, height, width, features = image.shape
    return image.reshape(n, height // 2, 2, width // 2, 2, features).transpose(2, 4, 0, 1, 3, 5)


def _even(size: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n + n % 2 for n in size)


def _flat(tiles: np.ndarray) -> np.ndarray:
    return tiles.reshape(16, -1, tiles.shape[-1])


def _split(x: np.ndarray, features: int, windows: Windows) -> list[list[Block]]:
    """Cut the output into blocks of whole tiles, in one list for each thread."""
    channels = x.shape[-1]
    tiles = max(1, BLOCK // (16 * max(channels, features)))
    down, across = (n // 2 for n in _even(windows.out))
    parts = split(len(x), (down, across), pixels=tiles, work=16 * channels * features)
    return [[Block(samples, slice(2 * rows.start, 2 * rows.stop)) for samples, rows in part] for part in parts]
