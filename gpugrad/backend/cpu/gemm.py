"""Matrix products, cut over gpugrad's threads with BLAS on one thread each (see `threads` for why).

With AVX-512 a product is also cut into tiles. OpenBLAS's kernels for it multiply up to a million multiply-adds straight
from the caller's memory; a larger product has both operands copied first, into an order of its own. On one core that is
110 against 80 to 100 GFLOP/s, and NumPy's matmul walks over a grid of tiles by itself. OpenBLAS's kernels for AVX2 copy
always, so there each tile would be copied once more.
"""

import sys
from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from . import blas, memory, threads

ONE_THREAD = 1 << 18  # multiply-adds up to which a BLAS uses one thread anyway
SHARE = 3 << 20  # multiply-adds that are worth a thread
TILE = 10**6  # multiply-adds of a tile, up to which OpenBLAS copies no operand, where it can multiply without a copy
UNIT = 12  # rows that OpenBLAS multiplies at a time, so a tile has a multiple of them
# (Rows, columns) of a tile that is narrower than the product, by whether both operands are contiguous along their rows.
SIDES = {True: (16, 64), False: (32, 32)}
# Such a tile is faster if each element is a sum of at least LONG products, or if the product has at most FEW rows.
LONG, FEW = 256, 64
CACHED = 1 << 19  # elements of w that stay in the cache; w is read once for each row of tiles
DEEP = 64  # rows of a piece of `transposed`; with fewer, adding up the pieces costs more than they gain


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return NumPy's x @ y, computed by `product` if both are matrices (or batches of them) of one dtype."""
    if x.ndim > 1 < y.ndim and x.dtype == y.dtype and x.shape[-1] == y.shape[-2]:
        return product(x, y)
    if x.size + y.size <= ONE_THREAD:
        return x @ y
    with threads.blas_turn:
        return x @ y


def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return x (..., M, K) @ w (..., K, N), with leading axes broadcast."""
    lead = x.shape[:-2]
    lead = lead if lead == w.shape[:-2] else np.broadcast_shapes(lead, w.shape[:-2])
    shape = *lead, x.shape[-2], w.shape[-1]
    work = prod(shape) * x.shape[-1]
    if work <= ONE_THREAD:
        return x @ w
    if lead and lead[0] == 1:
        return product(*(operand[0] if operand.ndim == len(shape) else operand for operand in (x, w)))[None]
    out = memory.empty(shape, x.dtype)
    compute((x, w, out))
    return out


def compute(*products: tuple, then: Callable[[tuple[slice, slice]], Any] | None = None) -> None:
    """Compute out = x @ w for each of the `products` (x, w, out), as one task per thread.

    The first axis of out is cut into one part per thread; of a matrix, the longer axis. Each thread calls `then` with
    the index of its part of the last product.
    """
    work = sum([out.size * x.shape[-1] for x, _, out in products])
    if work <= ONE_THREAD:
        for x, w, out in products:
            np.matmul(x, w, out=out)
        if then is not None:
            then((slice(None), slice(None)))
        return
    length = max([_length(out) for *_, out in products])
    count = threads.thread_count(length, 1 + SHARE * length // work)

    def run(number: int) -> None:
        for x, w, out in products:
            index = _compute_part(x, w, out, number, count)
        if then is not None:
            then(index)

    if count > 1:
        threads.parallel(run, range(count))
        return
    with threads.one_blas_thread:
        run(0)


def _compute_part(x: np.ndarray, w: np.ndarray, out: np.ndarray, number: int, count: int) -> tuple[slice, slice]:
    """Compute part `number` of `count` of out = x @ w. Returns its index."""
    length = _length(out)
    cut = threads.nth_cut(length, number, count)
    if out.ndim > 2:
        multiply(_part_of(x, out, cut), _part_of(w, out, cut), out[cut])
    elif out.shape[0] < length:
        multiply(x, w[:, cut], out[:, cut])
        return slice(None), cut
    else:
        multiply(x[cut], w, out[cut])
    return cut, slice(None)


def _length(out: np.ndarray) -> int:
    return out.shape[0] if out.ndim > 2 else max(out.shape)


def _part_of(operand: np.ndarray, out: np.ndarray, part: slice) -> np.ndarray:
    """Return the part of an operand that `out[part]` is computed from; the operand broadcasts to `out`."""
    return operand[part] if operand.ndim == out.ndim and len(operand) > 1 else operand


def multiply(x: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    """Compute out = x (..., M, K) @ w (..., K, N), by tiles, on this thread."""
    rows, columns = out.shape[-2:]
    height, width = _tile(x, w)
    if height >= rows and width >= columns:
        np.matmul(x, w, out=out)
        return
    tiled_rows, tiled_columns = rows - rows % height, columns - columns % width
    if tiled_columns < columns:
        np.matmul(x[..., :tiled_rows, :], w[..., tiled_columns:], out=out[..., :tiled_rows, tiled_columns:])
    if tiled_rows < rows:
        np.matmul(x[..., tiled_rows:, :], w, out=out[..., tiled_rows:, :])
        x = x[..., :tiled_rows, :]
    rows_of_tiles, columns_of_tiles = tiled_rows // height, tiled_columns // width
    tiles = x.reshape(*x.shape[:-2], rows_of_tiles, 1, height, x.shape[-1])
    strips = w[..., :tiled_columns].reshape(*w.shape[:-1], columns_of_tiles, width).swapaxes(-3, -2)
    results = (
        out[..., :tiled_rows, :tiled_columns]
        .reshape(*out.shape[:-2], rows_of_tiles, height, columns_of_tiles, width)
        .swapaxes(-3, -2)
    )
    np.matmul(tiles, strips[..., None, :, :, :], out=results)


def transposed(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """Compute out = x^T y for x (..., M, K) and y (..., M, N), as a sum over pieces of rows if K and N are small."""
    rows, work = x.shape[-2], x.shape[-1] * y.shape[-1]
    size = _piece_size(rows, _most() // max(1, work))
    if not DEEP <= size < rows:
        multiply(x.swapaxes(-1, -2), y, out)
        return
    whole = rows - rows % size
    pieces = _cut(x[..., :whole, :], size).swapaxes(-1, -2) @ _cut(y[..., :whole, :], size)
    np.add.reduce(pieces, axis=-3, out=out)
    if whole < rows:
        out += x[..., whole:, :].swapaxes(-1, -2) @ y[..., whole:, :]


@cache
def _most() -> int:
    """Return how many multiply-adds are best computed at once."""
    return TILE if blas.multiplies_in_place() else sys.maxsize


def _tile(x: np.ndarray, w: np.ndarray) -> tuple[int, int]:
    """Return (rows, columns) of a tile of x @ w; those of the whole product if smaller tiles would not be faster."""
    (rows, inner), columns = x.shape[-2:], w.shape[-1]
    area = _most() // max(1, inner)
    if rows * columns > area:
        if columns * UNIT <= area and w.strides[-1] == w.itemsize:
            return min(rows, area // columns // UNIT * UNIT), columns
        height, width = SIDES[x.strides[-1] == w.strides[-1] == w.itemsize]
        height = height if height * width <= area else height // 2
        fits = height * width <= area and rows % height == 0 and columns >= width
        if fits and (inner >= LONG or rows <= FEW) and inner * columns <= CACHED:
            return height, width
    return max(1, rows), max(1, columns)


def _piece_size(count: int, most: int) -> int:
    """Return the size of the pieces if `count` is cut into equal pieces of at most `most`."""
    return -(-count // -(-count // most)) if 0 < most < count else max(1, count)


def _cut(matrix: np.ndarray, size: int) -> np.ndarray:
    """Return (..., M, K) as a view (..., M / size, size, K)."""
    *lead, rows, columns = matrix.shape
    return matrix.reshape(*lead, rows // size, size, columns)
