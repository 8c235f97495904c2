"""Work on the rows of a matrix, cut into one part per thread and into blocks that stay in cache."""

from typing import Any

import numpy as np

from . import threads

BLOCK = 1 << 17  # elements of a block: a share of a core's own cache, and few enough calls for threads to overlap
SHARE = 1 << 17  # elements that are worth a thread
WIDE = 512  # elements of a row from which on NumPy broadcasts faster without a buffer


class unbuffered(np.errstate):
    """An np.errstate in which NumPy broadcasts over rows of `width` elements without its buffer, if they are wide.

    If rows are shorter than the buffer (8192 elements), NumPy first copies a broadcast operand into it, and x * y[:,
    None] takes almost twice as long.
    """

    def __init__(self, width: int, **kinds: Any):
        super().__init__(**kinds)
        self.width = width

    def __enter__(self) -> None:
        super().__enter__()
        if self.width >= WIDE:
            np.setbufsize(WIDE)  # undone with the rest


def over_parts(task, count: int, size: int, width: int, share: int = SHARE) -> list:
    """Return `[task(part)]`, where the parts are slices of range(count), one per thread.

    size: elements of one item. width: elements of one of its rows. share: the elements that are worth a thread.
    """

    def run(part: slice) -> Any:
        with unbuffered(width, all="ignore"):
            return task(part)

    return threads.parallel(run, threads.chunks(count, 1 + share // size))


def over_rows(task, rows: np.ndarray) -> list:
    """Return `[task(block) for block in blocks]` over slices of rows (M, K), on several threads if M * K is large."""
    count, width = rows.shape
    if rows.size == 0:
        return []

    def run(part: slice) -> list:
        return [task(block) for block in threads.blocks(part, BLOCK // width)]

    return [result for part in over_parts(run, count, width, width) for result in part]
