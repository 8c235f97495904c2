"""The frame of a recurrent layer: steps on one thread, and beside them the large products on another.

Two threads that take turns at calls of a few microseconds each wait for the interpreter's lock longer than they work.
So one takes the steps, and the other the products over all times, cut into pieces: the inputs' part of the sums just
before the steps that need it, the gradients of weights and inputs just after. Only a large batch is cut over threads.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from ..steps import Steps
from . import gemm, memory, threads

SHARE = 1 << 24  # multiply-adds of a step that are worth a thread
PIECE = 1 << 23  # multiply-adds with the states' weights in a piece of time
PIECES = 8

Optional = np.ndarray | None


def loop(
    run: Callable[[slice, Iterator[slice]], None],
    steps: Steps,
    w_hh: np.ndarray,
    ahead: Callable[[slice], Any] | None = None,
    after: Callable[[slice], Any] | None = None,
    back: bool = False,
) -> list:
    """`run(part, rows of each step)` for slices of the batch; `ahead(rows)` before and `after(rows)` after the steps of
    a piece of time. Returns what `after` did, in the order of the walk."""
    parts = threads.chunks(steps.count, 1 + SHARE // max(1, w_hh.size))
    pieces = steps.pieces(max(1, min(PIECES, steps.total * w_hh.size // PIECE)), back)
    with threads.Beside(len(pieces) > 1) as beside:

        def walk(part: slice) -> Iterator[slice]:
            for number, (rows, order) in enumerate(pieces):
                if ahead is not None:
                    beside.wait(number)
                for t in order:
                    start, size = steps.rows[t].start, steps.sizes[t]
                    yield slice(start + min(part.start, size), start + min(part.stop, size))
                if after is not None and len(parts) == 1:
                    beside.add(after, rows)

        if ahead is not None:
            for rows, _ in pieces:
                beside.add(ahead, rows)
        if len(parts) == 1:
            run(parts[0], walk(parts[0]))
        else:
            beside.wait()
            threads.parallel(lambda part: run(part, walk(part)), parts)
            if after is not None:
                for rows, _ in pieces:
                    beside.add(after, rows)
    return beside.results if ahead is None else beside.results[len(pieces) :]


def linear(x: np.ndarray, w: np.ndarray, bias: Optional, scale: Any = None) -> tuple[np.ndarray, Callable]:
    """Where x w^T + bias, times `scale`, will be, and the function that computes these rows of it."""
    w, bias = (w, bias) if scale is None else (w * scale[:, None], None if bias is None else bias * scale)
    out = memory.empty((len(x), len(w)), x.dtype)

    def fill(rows: slice) -> None:
        gemm.multiply(x[rows], w.T, out[rows])
        if bias is not None:
            out[rows] += bias

    return out, fill


def pull(pre: np.ndarray, x: np.ndarray, w: np.ndarray, needs: tuple[bool, ...]) -> tuple[Optional, Callable]:
    """The gradient of x, and the function that computes these rows of it, with `pre` the gradient of x w^T + b, and
    returns what they add to the gradients of w and b."""
    gx = memory.empty(x.shape, x.dtype) if needs[0] else None

    def fill(rows: slice) -> tuple[Optional, Optional]:
        if gx is not None:
            gemm.multiply(pre[rows], w, gx[rows])
        gw = np.empty(w.shape, w.dtype) if needs[1] else None
        if gw is not None:
            gemm.transposed(pre[rows], x[rows], gw)
        return gw, np.add.reduce(pre[rows], axis=0) if needs[2] else None

    return gx, fill


def added(parts: list[tuple]) -> Iterator[Optional]:
    """The sum of what each piece of time gave."""
    return (None if each[0] is None else reduce(np.add, each) for each in zip(*parts, strict=True))
