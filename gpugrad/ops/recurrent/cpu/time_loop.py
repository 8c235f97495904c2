"""The loop over time of a recurrent layer: steps on one thread, and the large products on another at the same time.

Two threads that take turns at calls of a few microseconds each wait for the interpreter's lock longer than they work.
So one thread takes the steps, and the other the products over all times, cut into pieces of time: the inputs' part of
the sums just before the steps that need it, the gradients of weights and inputs just after. Only a large batch is cut
over threads.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from ....backend.cpu import gemm, memory, threads
from ..packed_steps import PackedSteps

SHARE = 1 << 24  # multiply-adds of a step that are worth a thread
PIECE = 1 << 23  # multiply-adds with the states' weights in a piece of time
PIECES = 8

Optional = np.ndarray | None
Step = Callable[[slice], None]  # takes the step of these rows


def run_steps(
    start: Callable[[slice], Step],
    steps: PackedSteps,
    w_hh: np.ndarray,
    ahead: Callable[[slice], Any] | None = None,
    after: Callable[[slice], Any] | None = None,
    back: bool = False,
) -> list:
    """Call `start(part)` for each thread's part of the batch, and the function that it returns with the rows of a step,
    for one step after the other.

    The rows of each piece of time go to `ahead` before its steps and to `after` after them. Returns the results of
    `after`, in the order of the walk.
    """
    parts = threads.chunks(steps.count, 1 + SHARE // max(1, w_hh.size))
    pieces = steps.pieces(max(1, min(PIECES, steps.total * w_hh.size // PIECE)), back)

    def take(step: Step, part: slice, order: Any) -> None:
        for t in order:
            first, size = steps.rows[t].start, steps.sizes[t]
            step(slice(first + min(part.start, size), first + min(part.stop, size)))

    with threads.Concurrent(len(pieces) > 1) as jobs:
        if ahead is not None:
            for rows, _ in pieces:
                jobs.add(ahead, rows)
        if len(parts) == 1:
            step = start(parts[0])
            for number, (rows, order) in enumerate(pieces):
                if ahead is not None:
                    jobs.wait(number)
                take(step, parts[0], order)
                if after is not None:
                    jobs.add(after, rows)
        else:
            jobs.wait()
            threads.parallel(lambda part: take(start(part), part, [t for _, order in pieces for t in order]), parts)
            if after is not None:
                for rows, _ in pieces:
                    jobs.add(after, rows)
    return jobs.results if ahead is None else jobs.results[len(pieces) :]


def deferred_linear(x: np.ndarray, w: np.ndarray, bias: Optional, scale: Any = None) -> tuple[np.ndarray, Callable]:
    """Make the array for x w^T + bias, times `scale`. Returns it, and the function that computes given rows of it."""
    w, bias = (w, bias) if scale is None else (w * scale[:, None], None if bias is None else bias * scale)
    out = memory.empty((len(x), len(w)), x.dtype)

    def fill(rows: slice) -> None:
        gemm.multiply(x[rows], w.T, out[rows])
        if bias is not None:
            out[rows] += bias

    return out, fill


def deferred_gradients(
    pre: np.ndarray, x: np.ndarray, w: np.ndarray, needs: tuple[bool, ...]
) -> tuple[Optional, Callable]:
    """Make the array for the gradient of x; `pre` will be the gradient of x w^T + b.

    Returns it, and the function that computes given rows of it and returns the contributions of these rows to the
    gradients of w and b. `needs` tells which of the three are wanted.
    """
    gx = memory.empty(x.shape, x.dtype) if needs[0] else None

    def fill(rows: slice) -> tuple[Optional, Optional]:
        if gx is not None:
            gemm.multiply(pre[rows], w, gx[rows])
        gw = np.empty(w.shape, w.dtype) if needs[1] else None
        if gw is not None:
            gemm.transposed(pre[rows], x[rows], gw)
        return gw, np.add.reduce(pre[rows], axis=0) if needs[2] else None

    return gx, fill


def sum_of_pieces(pieces: list[tuple]) -> Iterator[Optional]:
    """Add up the contributions of the pieces of time, for each gradient that they have."""
    return (None if each[0] is None else reduce(np.add, each) for each in zip(*pieces, strict=True))
