"""The CPU path of dropout by a counter-based generator: a compiled loop draws the random words where they are used."""

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import each_part
from ...backend.philox import philox
from . import drop_limit, drop_scale, loops, seeded_dropout


@seeded_dropout.path("cpu")
def seeded_dropout_cpu(x, *, p, seed, share):
    return _dropout(x, p, seed, share), {}


@seeded_dropout_cpu.backward
def seeded_dropout_cpu_backward(g, p, seed, share):
    return _dropout(g, p, seed, share)


def _dropout(x, p: float, seed: int, share: int):
    compiled = loops.dropout.chosen(x) if share == 1 and x.size < 1 << 34 else None
    if compiled is None:
        return seeded_dropout.forward(x, p=p, seed=seed, share=share)
    out, flat = memory.empty(x.shape, x.dtype), np.ascontiguousarray(x).reshape(-1)
    filled, key = out.reshape(-1), seed - (seed >> 63 << 64)  # as a signed number
    whole = x.size - x.size % 4

    def fill(part: slice) -> None:
        elements = slice(4 * part.start, 4 * part.stop)
        compiled(filled[elements], flat[elements], part.start, key, drop_limit(p), drop_scale(p))

    each_part(fill, whole // 4, 4)
    if whole < x.size:
        words = philox(np.array([whole // 4], np.uint64), 0, seed)[0, : x.size - whole]
        filled[whole:] = flat[whole:] * ((words >> 8 >= drop_limit(p)) * x.dtype.type(drop_scale(p)))
    return out
