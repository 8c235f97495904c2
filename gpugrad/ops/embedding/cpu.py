"""Adding up rows that share an id on the CPU: a compiled loop over all rows, of which a thread adds those of its ids.

It adds in the order of the rows, whatever the number of threads. Without it, and for narrow rows, NumPy does the work
(`segment_sum` itself).
"""

from math import prod

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import each_part
from . import NARROW, loops, segment_sum


@segment_sum.path("cpu")
def segment_sum_cpu(x, segments, *, num_segments):
    width = prod(x.shape[1:])
    loop = loops.segment_sum.chosen(x) if width > NARROW else None
    if loop is None or not _are_ids(segments, len(x), num_segments):
        return segment_sum.forward(x, segments, num_segments=num_segments), {}
    ids = np.ascontiguousarray(segments, np.int64)
    rows = np.ascontiguousarray(x).reshape(len(x), width)
    out = memory.empty((num_segments, width), x.dtype)
    each_part(lambda part: loop(rows, ids, part.start, part.stop, out), num_segments, 1 + x.size // num_segments)
    return out.reshape(num_segments, *x.shape[1:]), {}


def _are_ids(segments: np.ndarray, count: int, most: int) -> bool:
    if segments.shape != (count,) or segments.dtype.kind not in "iu":
        return False
    return 0 <= int(segments.min()) and int(segments.max()) < most
