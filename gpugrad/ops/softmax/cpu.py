"""The CPU paths of softmax and log-softmax: compiled loops along the last axis, or blocks that stay in cache.

Every formula makes several passes over its rows. Over a whole array each pass would read from main memory, so the array
is cut into blocks that stay in a core's cache from the first pass to the last, and two threads share large arrays. The
array is seen as (outer, n, inner) with n the axis; the usual last axis has inner = 1 and becomes (rows, n). Rows are
shifted by their largest element, so that no exponential overflows; a row of -inf gives NaN.
"""

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import Loop, each_part
from ...backend.cpu.rows import BLOCK, over_parts, over_rows
from . import log_softmax, loops, masked_softmax, softmax

SMALL = 1 << 14  # up to this many elements one block over everything has the least overhead
CLEAR = 1e20  # a sum of exp(x) that is far from overflow
NEAR = 1e6  # a sum of exp(x) whose logarithm is so small that subtracting it loses no digits that count
STRIP = 512  # least width of a block along inner, so that NumPy's inner loops stay long


@softmax.path("cpu")
def softmax_cpu(x, *, axis):
    return _along(_softmax, loops.softmax, axis, x), {}


@softmax_cpu.backward
def softmax_cpu_backward(g, out, axis):
    return _along(_softmax_gradient, loops.softmax_gradient, axis, g, out)


@log_softmax.path("cpu")
def log_softmax_cpu(x, *, axis):
    return _along(_log_softmax, loops.log_softmax, axis, x), {}


@log_softmax_cpu.backward
def log_softmax_cpu_backward(g, out, axis):
    return _along(_log_softmax_gradient, loops.log_softmax_gradient, axis, g, out)


@masked_softmax.path("cpu")
def masked_softmax_cpu(x, mask, *, causal, scale):
    compiled = loops.masked_softmax.chosen(x)
    if compiled is None or mask is not None and mask.dtype.kind in "iu":
        return masked_softmax.forward(x, mask, causal=causal, scale=scale), {}
    lines, keys = x.shape[:-1], x.shape[-1]
    seen = np.broadcast_to(np.minimum(np.arange(1, x.shape[-2] + 1), keys) if causal else np.int64(keys), lines)
    table, which = _mask_rows(mask, x)
    out, rows = memory.empty(x.shape, x.dtype), np.ascontiguousarray(x).reshape(-1, keys)
    cut = out.reshape(rows.shape), rows, seen.reshape(-1), which
    each_part(lambda part: compiled(*[np.ascontiguousarray(array[part]) for array in cut], table, scale), *rows.shape)
    return out, {}


@masked_softmax_cpu.backward
def masked_softmax_cpu_backward(g, out, scale, needs):
    compiled = loops.masked_softmax_gradient.chosen(out)
    if compiled is None:
        return masked_softmax.rules["x"](g, out, scale), None
    rows = [
        np.ascontiguousarray(array).reshape(-1, out.shape[-1]) for array in (memory.empty(g.shape, g.dtype), g, out)
    ]
    each_part(lambda part: compiled(*[array[part] for array in rows], scale), *rows[0].shape)
    return rows[0].reshape(g.shape), None


def _mask_rows(mask, x) -> tuple[np.ndarray, np.ndarray]:
    """Return the mask as rows of numbers that are added to scores, and which of them is each row's of x."""
    if mask is None:
        mask = np.zeros(1, x.dtype)
    elif mask.dtype == np.bool_:
        mask = np.where(mask, x.dtype.type(0), x.dtype.type(-np.inf))
    mask = np.broadcast_to(mask, (*mask.shape[:-1], x.shape[-1])) if mask.ndim else np.full(x.shape[-1], mask)
    table = np.ascontiguousarray(mask, x.dtype).reshape(-1, x.shape[-1])
    which = np.broadcast_to(np.arange(len(table)).reshape(mask.shape[:-1]), x.shape[:-1])
    return table, which.reshape(-1)


# Kernels: fill `out` from blocks of one shape, reducing over `axis`. The last axis has faster sums than reduce().


def _softmax(out, x, axis):
    total = _sum_unshifted(out, x, axis, CLEAR)
    if total is None:
        np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True), out=out)
        total = _sum(np.exp(out, out=out), axis)
    np.multiply(out, 1 / total, out=out)


def _sum_unshifted(out, x, axis, most: float):
    """Fill out = exp(x) and return its sums, or None if one is not in [1, most]: it saves two passes."""
    if x.size <= SMALL:
        return None
    total = _sum(np.exp(x, out=out), axis)
    return total if total.min() >= 1 and total.max() <= most else None


def _softmax_gradient(gx, g, out, axis):
    if axis == -1:
        dot = np.vecdot(g, out)[..., None]
    else:
        dot = np.add.reduce(np.multiply(g, out, out=gx), axis=axis, keepdims=True)
    np.subtract(g, dot, out=gx)
    np.multiply(gx, out, out=gx)


def _log_softmax(out, x, axis):
    total = _sum_unshifted(out, x, axis, NEAR)
    if total is None:
        x = np.subtract(x, np.maximum.reduce(x, axis=axis, keepdims=True), out=out)
        total = _sum(np.exp(x), axis)
    np.subtract(x, np.log(total), out=out)


def _log_softmax_gradient(gx, g, out, axis):
    np.exp(out, out=gx)
    np.multiply(gx, _sum(g, axis), out=gx)
    np.subtract(g, gx, out=gx)


def _sum(x, axis):
    if axis == -1 and x.ndim == 2:
        return np.einsum("ij->i", x)[:, None]
    return np.add.reduce(x, axis=axis, keepdims=True)


def _along(kernel, loop: Loop, axis: int, *arrays: np.ndarray) -> np.ndarray:
    """Make an array that `loop` or `kernel` fills from `arrays` of the same shape, reducing over `axis`."""
    first = arrays[0]
    compiled = None
    if first.size >= loop.least and axis in (-1, first.ndim - 1):
        compiled = loop.chosen(first)
    if compiled is None and first.size <= SMALL:
        out = np.empty(first.shape, first.dtype)
        if first.size:
            with np.errstate(all="ignore"):
                # kernel's fast sums know the last axis as -1
                kernel(out, *arrays, -1 if axis == first.ndim - 1 else axis)
        return out
    out = memory.empty(first.shape, first.dtype)
    if compiled is not None:
        rows = [np.ascontiguousarray(array).reshape(-1, first.shape[-1]) for array in (out, *arrays)]
        each_part(lambda part: compiled(*[array[part] for array in rows]), *rows[0].shape)
        return out
    axis %= first.ndim
    inner = int(np.prod(first.shape[axis + 1 :]))
    shape = (-1, first.shape[axis]) if inner == 1 else (first.size // first.shape[axis] // inner, -1, inner)
    fill = _fill_rows if inner == 1 else _fill_strips
    fill(kernel, out.reshape(shape), [np.ascontiguousarray(array).reshape(shape) for array in arrays])
    return out


def _fill_rows(kernel, out, arrays) -> None:
    """Run `kernel` over blocks of whole rows; out and arrays are (rows, n)."""
    over_rows(lambda block: kernel(out[block], *(array[block] for array in arrays), -1), out)


def _fill_strips(kernel, out, arrays) -> None:
    """Run `kernel` over several outer indices at a time, or strips of one; out and arrays are (outer, n, inner)."""
    outer, n, inner = out.shape
    width = min(inner, max(STRIP, BLOCK // n))
    step = max(1, BLOCK // (n * width))
    blocks = [
        (slice(i, i + step), slice(None), slice(j, j + width))
        for i in range(0, outer, step)
        for j in range(0, inner, width)
    ]

    def fill(part: slice) -> None:
        for block in blocks[part]:
            kernel(out[block], *(array[block] for array in arrays), 1)

    over_parts(fill, len(blocks), step * n * width, width)
