"""A sparse matrix times rows of numbers, on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import memory
from .threads import chunks, parallel

BLOCK = 1 << 18  # numbers that are gathered at a time: they stay in the cache


class Sparse:
    """Holds a matrix (R, width): row r has the elements starts[r] to starts[r + 1] of `weights`, in these `columns`.

    >>> import numpy as np
    >>> from gpugrad.backend.cpu.sparse import Sparse
    >>> matrix = Sparse(np.array([0, 2, 2, 3]), np.array([0, 1, 1]), np.array([1.0, 2.0, 4.0]), 2)
    >>> matrix @ np.array([[1.0], [10.0]])
    array([[21.],
           [ 0.],
           [40.]])
    >>> (matrix.transposed() @ np.array([[1.0], [1.0], [1.0]])).tolist()
    [[1.0], [6.0]]
    """

    def __init__(self, starts: np.ndarray, columns: np.ndarray, weights: np.ndarray, width: int):
        self.starts, self.columns, self.weights, self.width = starts, columns, weights, width

    def transposed(self) -> Sparse:
        """Return the matrix (width, R), the elements of a row in the order of their columns."""
        rows = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        count = len(rows)
        order = np.sort(self.columns * np.int64(max(count, 1)) + np.arange(count)) % max(count, 1)  # quick: no ties
        starts = np.zeros(self.width + 1, np.int64)
        np.cumsum(np.bincount(self.columns, minlength=self.width), out=starts[1:])
        return Sparse(starts, rows[order], self.weights[order], len(self.starts) - 1)

    def __matmul__(self, dense: np.ndarray) -> np.ndarray:
        """Return the product with a C-contiguous matrix (width, C): (R, C).

        The rows of `dense` that a block of this matrix's rows needs are gathered, then added up as products of small
        matrices. Rows of about as many elements share a block; shorter ones are filled up with weights of 0.
        """
        out = memory.empty((len(self.starts) - 1, dense.shape[1]), dense.dtype)
        lengths = np.diff(self.starts)
        order = np.argsort(lengths.astype(np.min_scalar_type(int(lengths.max(initial=0)))), kind="stable")
        empty = int(np.searchsorted(lengths[order], 1))
        out[order[:empty]] = 0
        weights = self.weights.astype(dense.dtype, copy=False)

        def part(blocks: list) -> None:
            for rows in blocks:
                number = np.arange(int(lengths[rows[-1]]))
                place = self.starts[rows, None] + number
                inside = number < lengths[rows, None]
                np.minimum(place, len(weights) - 1, out=place)
                factors = weights[place] * inside
                out[rows] = (factors[:, None] @ dense[np.where(inside, self.columns[place], 0)])[:, 0]

        blocks = list(_blocks(order[empty:], lengths, dense.shape[1]))
        parallel(part, [blocks[chunk] for chunk in chunks(len(blocks), 2)])
        return out


def _blocks(order: np.ndarray, lengths: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Cut rows into blocks that need about `BLOCK` numbers each."""
    sizes = np.cumsum(lengths[order]) * width
    bounds = np.searchsorted(sizes, np.arange(BLOCK, sizes[-1:].sum(), BLOCK), side="right")
    bounds = np.unique(np.r_[0, bounds, len(order)])
    for start, stop in zip(bounds, bounds[1:], strict=False):
        yield order[start:stop]
