"""Weight gradients are long sums. They are cut into ranges, one partial sum each, which are added up in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....backend.cuda.launch import FLOATS, Block, Kernels, ctype
from ....backend.namespace import xp

_THREADS = 256
_BLOCKS = 512  # enough for a large GPU
_SHORT, _LONG = 256, 16384  # numbers in a range of a sum: at least, unless there are fewer, and at most
_WORKSPACE = 2**24  # numbers in all parts of a sum

_kernels = Kernels(
    "conv.cu",
    lambda: [f"sum_parts<{T}>" for T in FLOATS],
    typical=lambda: {"sum_parts<__nv_bfloat16>": Block(_THREADS)},
)


def split_sum(positions: int, tiles: int, size: int, step: int) -> tuple[int, int]:
    """Cut a sum over `positions` into ranges. Returns their number, and the positions in one, a multiple of `step`.

    tiles: the blocks that one range takes. size: the elements of its result. A long range costs accuracy: its numbers
    are added up one by one.
    """
    parts = max(min(_BLOCKS // tiles, positions // _SHORT), -(-positions // _LONG), 1)
    parts = max(min(parts, _WORKSPACE // max(size, 1)), 1)
    length = -(-positions // (parts * step)) * step or step
    return max(-(-positions // length), 1), length


def empty_parts(out: Any, parts: int) -> Any:
    """Make the array for `parts` partial sums, in the dtype in which they are computed; `out` itself if one will do."""
    if parts == 1 and out.dtype.itemsize > 2:
        return out
    return xp(out).empty((parts, *out.shape), out.dtype if out.dtype.itemsize > 2 else np.float32)


def add_parts(out: Any, sums: Any, parts: int) -> Any:
    """Set `out` to the sum of the parts, added up in order. Returns it."""
    if sums is not out:
        _kernels.launch(
            f"sum_parts<{ctype(out)}>", grid=(-(-out.size // _THREADS),), block=(_THREADS,),
            args=(out, sums, np.int64(out.size), np.int32(parts)),
        )  # fmt: skip
    return out
