"""The sizes of a launch: which grids, blocks and amounts of shared memory CUDA allows."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from ...errors import KernelError

Size = tuple[int, int, int]

_MAX_GRID = (2**31 - 1, 65_535, 65_535)  # blocks along x, y, z
_MAX_THREADS, _MAX_BLOCK_Z = 1024, 64


def launch_sizes(instance: str, grid: Sequence, block: Sequence, shared: int) -> tuple[Size, Size, int]:
    """Grid and block as three numbers each, and the bytes of dynamic shared memory. Some size of the grid may be 0.

    Raises KernelError for anything but one to three integers, and for what no device allows.
    """
    blocks, threads = _three(instance, "grid", grid), _three(instance, "block", block)
    if any(not 0 <= n <= limit for n, limit in zip(blocks, _MAX_GRID, strict=True)):
        x, y, _ = _MAX_GRID
        raise KernelError(f"{instance}: a grid of {blocks} blocks: x may be 0 to {x}, y and z at most {y}")
    if min(threads) < 1 or threads[0] * threads[1] * threads[2] > _MAX_THREADS or threads[2] > _MAX_BLOCK_Z:
        raise KernelError(
            f"{instance}: a block of {threads} threads: 1 to {_MAX_THREADS} threads, z at most {_MAX_BLOCK_Z}"
        )
    try:
        shared = index(shared)
    except TypeError:
        raise KernelError(f"{instance}: shared={shared!r}: expected a number of bytes, an integer") from None
    if shared < 0:
        raise KernelError(f"{instance}: shared={shared}: expected 0 or more bytes of dynamic shared memory")
    return blocks, threads, shared


def _three(instance: str, what: str, given: Sequence) -> Size:
    try:
        sizes = list(map(index, given))
    except TypeError:
        sizes = []
    if not 1 <= len(sizes) <= 3:
        raise KernelError(f"{instance}: a {what} of {given!r}: expected one to three integers")
    x, y, z = (sizes + [1, 1])[:3]
    return x, y, z
