"""How the threads of a block share the rows of a matrix: the host's side of kernels/rows.cuh."""

from typing import Any

import numpy as np

MOST_THREADS = 512  # the most threads that share a row
VECTORS = {"float": 4, "double": 2, "__half": 8, "__nv_bfloat16": 8}  # elements that one instruction moves: 16 bytes


def accumulator(x: Any) -> np.dtype:
    """Return the dtype in which kernels compute for elements of x: acc_t of kernels/common.cuh."""
    return np.dtype(np.float64 if x.dtype == np.float64 else np.float32)


def scalar(x: Any, number: float) -> Any:
    """Return `number` in the dtype in which kernels compute for elements of x."""
    return np.float64(number) if x.dtype == np.float64 else np.float32(number)


def power_of_two(n: int) -> int:
    """Return the least power of two that is not below n."""
    return 1 << max(n - 1, 0).bit_length()


def row_threads(n: int) -> int:
    """Return the number of threads that own a row if n are wanted: a power of two up to a warp, else whole warps."""
    return power_of_two(n) if n <= 32 else -(-n // 32) * 32


def rows_grid(rows: int, threads: int) -> tuple[tuple, tuple]:
    """Return (grid, block) for `rows` rows of `threads` threads each."""
    each = max(128 // threads, 1) if threads <= 32 else 1
    return (-(-rows // each),), (threads, each)
