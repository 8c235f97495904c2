"""Look rows up in a table, and add up rows that share an id, on cuda: kernels/embedding.cu."""

from math import prod
from typing import Any

import numpy as np

from ...backend.capture import current
from ...backend.cuda.indices import are_checked
from ...backend.cuda.launch import FLOATS, Block, Kernels, aligned, ctype, dense
from ...backend.cuda.rows import accumulator, power_of_two
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import embedding, segment_sum

WORDS = {2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}
RUN, SORT = 128, 256  # kRun and kSort in embedding.cu
_FEW, _MANY = 1 << 15, 1 << 17  # ids up to which counting beats sorting, and up to which it is done where sorting fails
_WARP, _SCANS = 32, 8  # kScans in embedding.cu
_COMPARED = 1 << 25  # comparisons of ids that take less time than sorting them,
_LONGEST = 512  # unless segments have more rows than this on average


def _instances() -> list[str]:
    sums = [f"segment_sum_{part}<{T}>" for T in FLOATS for part in ("scan", "parts", "joins")]
    return ["sort_ids", *(f"gather_rows<{word}>" for word in WORDS.values()), *sums]


def _typical() -> dict[str, Block]:
    names = ("gather_rows<unsigned short>", "segment_sum_parts<float>", "segment_sum_parts<__nv_bfloat16>")
    return {name: Block(128) for name in (*names, "segment_sum_joins<__nv_bfloat16>")}


kernels = Kernels("embedding.cu", _instances, typical=_typical)


def _grid(rows: int, width: int, itemsize: int) -> tuple[tuple, tuple]:
    """Return (grid, block) for rows of `width` elements that are moved 16 bytes at a time."""
    threads = min(power_of_two(-(-width * itemsize // 16)), 128)
    each = 128 // threads
    return (-(-rows // each),), (threads, each)


def gather_rows(table: Any, index: Any) -> Any:
    """Return table[index] for a table (V, ...) and an index of any shape; rows that do not exist are NaN."""
    table, index = dense(table), dense(index.astype(np.int64, copy=False))
    out = xp(table).empty((*index.shape, *table.shape[1:]), table.dtype)
    width = prod(table.shape[1:])
    if out.size:
        grid, block = _grid(index.size, width, table.itemsize)
        args = (out, table, index, np.int64(index.size), np.int64(len(table)), np.int64(width))
        kernels.launch(f"gather_rows<{WORDS[table.itemsize]}>", grid=grid, block=block, args=args)
    return out


def sum_rows(x: Any, ids: Any, segments: int, skipped: int = -1) -> Any:
    """Return the sums (segments, width) of the rows of x (n, width) with equal ids (n,).

    Rows with an id outside of [0, segments), or with the id `skipped`, are left out.
    """
    ns, (n, width) = xp(x), x.shape
    x, ids = dense(x), dense(ids.astype(np.int64, copy=False))
    if n <= min(_COMPARED // max(segments, 1), _LONGEST * segments):
        out = ns.empty((segments, width), x.dtype)
        if out.size:
            columns = _WARP * (16 // x.itemsize if width * x.itemsize % 16 == 0 and aligned(x) else 1)
            grid, block = (segments, -(-width // columns)), (_WARP, _SCANS)
            args = (out, x, ids, np.int64(n), np.int64(skipped), np.int64(width))
            kernels.launch(f"segment_sum_scan<{ctype(x)}>", grid=grid, block=block, args=args)
        return out
    out = ns.zeros((segments, width), x.dtype)
    if not x.size or not segments:
        return out
    order, ids = _sorted(ids)
    runs = -(-n // RUN)
    parts = ns.empty((2 * runs, width), accumulator(x)) if runs > 1 else None
    numbers = (np.int64(n), np.int64(segments), np.int64(skipped), np.int64(width))
    grid, block = _grid(n, width, x.itemsize)
    kernels.launch(f"segment_sum_parts<{ctype(x)}>", grid=grid, block=block, args=(out, parts, x, order, ids, *numbers))
    if parts is not None:
        grid, block = _grid(runs - 1, width, 16)
        kernels.launch(f"segment_sum_joins<{ctype(x)}>", grid=grid, block=block, args=(out, parts, ids, *numbers))
    return out


def _sorted(ids: Any) -> tuple[Any, Any]:
    """Return the order that sorts the int64 `ids` (n,) stably, and the sorted ids.

    The array library's sort waits for the device, which a captured step cannot.
    """
    ns, n = xp(ids), ids.size
    if n > (_FEW if current() is None else _MANY):
        order = ns.argsort(ids, kind="stable").astype(np.int64, copy=False)
        return order, ids[order]
    order, found = ns.empty(n, np.int64), ns.empty(n, np.int64)
    kernels.launch("sort_ids", grid=(-(-n // SORT),), block=(SORT,), args=(order, found, dense(ids), np.int64(n)))
    return order, found


@embedding.path("cuda")
def embedding_cuda(input, weight, *, padding_idx):
    if input.dtype.kind not in "iu" or weight.ndim < 1 or not is_float(weight.dtype):
        return NotImplemented
    if input.size and not weight.shape[0] or are_checked():
        return NotImplemented  # the body says which index is wrong
    return gather_rows(weight, input), {}


@embedding_cuda.backward
def embedding_cuda_backward(g, input, padding_idx, weight_shape):
    skipped = -1 if padding_idx is None else padding_idx % weight_shape[0]
    rows, width = weight_shape[0], prod(weight_shape[1:])
    return None, sum_rows(g.reshape(input.size, width), input.reshape(-1), rows, skipped).reshape(weight_shape)


@segment_sum.path("cuda")
def segment_sum_cuda(x, segments, *, num_segments):
    if not is_float(x.dtype) or segments.dtype.kind not in "iu" or segments.shape != x.shape[:1] or are_checked():
        return NotImplemented
    width = prod(x.shape[1:])
    out = sum_rows(x.reshape(x.shape[0], width), segments, num_segments)
    return out.reshape(num_segments, *x.shape[1:]), {}
