"""Running results along an axis on the CPU.

NumPy's `accumulate` takes 3 ns for an element, since each waits for the one before. Sums, products and extremes are
faster by doubling: in each of log2(n) passes, every element takes in the one 1, 2, 4, ... places before it, with vector
instructions and in the cache. For this, lines are cut into pieces, and the contribution of the pieces
before a piece is the running result of their totals. Compiled loops, which sums and products have, go over an array
once, in order.
"""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ...backend.cpu import memory, threads
from ...backend.cpu.loops import Loop, each_part
from ..reduce import axes
from . import cummax, cummin, cumprod, cumsum, flipped, logcumsumexp, loops

DOUBLED = (np.add, np.multiply, np.maximum, np.minimum)
COMPILED: dict[np.ufunc, tuple[Loop, Loop]] = {  # over rows, over lanes
    np.add: (loops.sums, loops.sums_of_lanes),
    np.multiply: (loops.products, loops.products_of_lanes),
}
SMALL = 1 << 12  # elements up to which NumPy's own way is as quick
PIECE = 1024  # places of a piece, at most
BLOCK = 1 << 18  # elements that a thread takes at a time, at least one piece
SHARE = 1 << 14  # elements that are worth a thread


def _accumulated(operation: np.ufunc, x: np.ndarray, axis: int | None, dtype: Any) -> tuple[np.ndarray, dict]:
    lines = x.reshape(-1) if axis is None else x
    return axes.accumulate(partial(accumulate, operation, lines, axis or 0), x, dtype), {}


def _sum_from_the_end(x: np.ndarray, axis: int) -> np.ndarray:
    return flipped(accumulate(np.add, flipped(x, axis), axis), axis)


@cumsum.path("cpu")
def cumsum_cpu(x, *, axis, dtype):
    return _accumulated(np.add, x, axis, dtype)


@cumsum_cpu.backward
def cumsum_cpu_backward(g, axis, x_shape, x_dtype):
    return _sum_from_the_end(g, axis or 0).reshape(x_shape).astype(x_dtype)


@cumprod.path("cpu")
def cumprod_cpu(x, *, axis, dtype):
    return _accumulated(np.multiply, x, axis, dtype)


@cumprod_cpu.backward
def cumprod_cpu_backward(g, x, out, axis, x_dtype):
    if not x.all():
        return NotImplemented
    # Without zeros, the share of x_j in a later product is that product divided by x_j.
    return (_sum_from_the_end(g * out, axis or 0).reshape(x.shape) / x).astype(x_dtype, copy=False)


@logcumsumexp.path("cpu")
def logcumsumexp_cpu(x, *, axis):
    return accumulate(np.logaddexp, x, axis), {}


@cummax.path("cpu")
def cummax_cpu(x, *, axis):
    return accumulate(np.maximum, x, axis), {}


@cummin.path("cpu")
def cummin_cpu(x, *, axis):
    return accumulate(np.minimum, x, axis), {}


@cummax_cpu.backward
@cummin_cpu.backward
def extreme_cpu_backward(g, x, out, axis):
    """Return the gradient of x. Of equal elements the latest gets it.

    An element that equals the extreme so far (or is NaN) is that of all places up to the next such element.
    """
    gx = memory.empty(x.shape, g.dtype)
    gx[...] = 0
    _over_lines(_scatter_runs, axis, gx, g, x, out)
    return gx


def accumulate(operation: np.ufunc, x: np.ndarray, axis: int, dtype: np.dtype | None = None) -> np.ndarray:
    """Compute operation.accumulate(x, axis, dtype)."""
    x = x if dtype is None else x.astype(dtype, copy=False)
    if x.size <= SMALL or x.shape[axis] < 2:
        return operation.accumulate(x, axis=axis)
    out = memory.empty(x.shape, x.dtype)
    if operation in DOUBLED:
        axis %= x.ndim
        shape = prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])
        over_rows, over_lanes = COMPILED.get(operation, (None, None))
        loop = over_rows if shape[2] == 1 else over_lanes
        compiled = loop.chosen(x) if loop else None
        if compiled is None:
            _in_pieces(operation, x.reshape(shape), out.reshape(shape))
        else:
            _in_order(compiled, np.ascontiguousarray(x).reshape(shape), out.reshape(shape))
    else:
        _over_lines(lambda x, out: operation.accumulate(x, axis=-1, out=out), axis, x, out)
    return out


def _in_order(loop: Callable, x: np.ndarray, out: np.ndarray) -> None:
    """Set out to the running results along axis 1 of contiguous arrays (lines, places, lanes), by a compiled loop."""
    lines, places, lanes = x.shape
    if lanes == 1:
        rows, into = x[..., 0], out[..., 0]
        each_part(lambda part: loop(rows[part], into[part]), lines, places)
    elif lines >= threads.get_num_threads():
        each_part(lambda part: loop(x[part], 0, lanes, out[part]), lines, places * lanes)
    else:
        each_part(lambda part: loop(x, part.start, part.stop, out), lanes, lines * places)


def _in_pieces(operation: np.ufunc, x: np.ndarray, out: np.ndarray) -> None:
    """Set out = operation.accumulate(x, axis=1) for arrays (lines, places, lanes)."""
    lines, places, lanes = x.shape
    size = 1 << (min(PIECE, max(2, BLOCK // lanes), places) - 1).bit_length()
    count = -(-places // size)
    whole, given = out, x
    if count * size > places or not x.flags.c_contiguous:  # what is added at the end changes nothing before it
        whole = given = np.zeros((lines, count * size, lanes), x.dtype)
        whole[:, :places] = x
    pieces, given = (array.reshape(lines * count, size, lanes) for array in (whole, given))
    step = max(1, BLOCK // (size * lanes))

    def run(part: slice) -> None:
        with np.errstate(all="ignore"):
            for cut in threads.blocks(part, step):
                _double(operation, given[cut], pieces[cut])

    threads.parallel(run, threads.chunks(len(pieces), 1 + SHARE // (size * lanes)))
    if count > 1:
        pieces = pieces.reshape(lines, count, size, lanes)
        before = accumulate(operation, pieces[:, :-1, -1], axis=1)
        operation(before[:, :, None], pieces[:, 1:], out=pieces[:, 1:])
    if whole is not out:
        out[...] = whole[:, :places]


def _double(operation: np.ufunc, x: np.ndarray, out: np.ndarray) -> None:
    """Set out = operation.accumulate(x, axis=1) for contiguous (pieces, places, lanes); out may be x itself."""
    _, places, lanes = x.shape
    passes = (places - 1).bit_length()
    spare = np.empty_like(out)
    if x.base is out.base and passes % 2:
        spare[...] = x
        x = spare
    for i in range(passes):
        target = (spare, out)[(passes - i) % 2]
        # All pieces are taken as one line. A piece's first places take in the end of another; the next line mends them.
        flat, shift = x.reshape(-1), lanes << i
        operation(flat[:-shift], flat[shift:], out=target.reshape(-1)[shift:])
        target[:, : 1 << i] = x[:, : 1 << i]
        x = target


def _scatter_runs(gx: np.ndarray, g: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """Give each element that is the extreme of a run of places the sum of g over this run."""
    starts = x == out
    starts |= x != x
    places = np.flatnonzero(starts)  # the first of each line is one of them, so that no run leaves its line
    gx[starts] = np.add.reduceat(g.reshape(-1), places)


def _over_lines(task: Callable, axis: int, *arrays: np.ndarray) -> None:
    """Run `task(*arrays)` on each thread's part of arrays of one shape, with `axis` as their last axis."""
    moved = [array.swapaxes(axis, -1) for array in arrays]
    *lead, _ = moved[0].shape
    if not moved[0].size:
        return
    if not lead:
        task(*moved)
        return
    cut = lead.index(max(lead))
    before = (slice(None),) * cut
    parts = threads.chunks(lead[cut], 1 + SHARE * lead[cut] // moved[0].size)
    threads.parallel(lambda part: task(*[array[(*before, part)] for array in moved]), parts)
