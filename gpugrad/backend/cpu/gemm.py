"""Matrix products, cut over gpugrad's threads with BLAS on one thread each (see `threads` for why)."""

import numpy as np

from . import memory, threads

ALONE = 1 << 18  # multiply-adds up to which a BLAS uses one thread anyway
SHARE = 1 << 22  # multiply-adds that are worth a thread


def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x (M, K) @ w (K, N): the longer side of the result is cut."""
    rows, columns = x.shape[0], w.shape[1]
    work = rows * columns * x.shape[1]
    if work <= ALONE:
        return x @ w
    out = memory.empty((rows, columns), x.dtype)
    with threads.one_blas_thread:
        if rows >= columns:
            parts = threads.chunks(rows, 1 + SHARE * rows // work)
            threads.parallel(lambda part: np.matmul(x[part], w, out=out[part]), parts)
        else:
            parts = threads.chunks(columns, 1 + SHARE * columns // work)
            threads.parallel(lambda part: np.matmul(x, w[:, part], out=out[:, part]), parts)
    return out
