"""The CUDA path of cross-entropy: launches of kernels/loss.cu."""

from typing import Any

import numpy as np

from ...backend.cuda.indices import are_checked
from ...backend.cuda.launch import FLOATS, Block, Kernels, Strided, ctype, dense
from ...backend.cuda.rows import MOST_THREADS, accumulator, row_threads, rows_grid, scalar
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import check_reduction, check_shapes, cross_entropy_rows

_PARTS = ("forward", "sums", "total", "backward")
KERNELS = Kernels(
    "loss.cu",
    lambda: [f"cross_entropy_{part}<{T}>" for T in FLOATS for part in _PARTS],
    typical=lambda: {
        f"cross_entropy_{way}<{T}>": Block(MOST_THREADS)
        for T in ("float", "__nv_bfloat16")
        for way in ("forward", "backward")
    },
)
VECTORS = 4  # that a thread reads of a row before more threads share it
_SUM_THREADS, _SHARE, _SHARES = 512, 1 << 14, 512  # kSumThreads; the rows of a block that sums losses; the most blocks


def _launch(way: str, first: tuple, logits: Any, target: Any, weight: Any, ignored: int, smoothing: float) -> None:
    """Launch a kernel; `first` holds its own arguments, which come before those that both kernels have."""
    rows, classes = logits.shape
    total = None
    if weight is not None:
        weight = dense(weight.astype(accumulator(logits), copy=False))
        total = weight.sum() if smoothing else None
    target = dense(target.astype(np.int64, copy=False))
    threads = min(row_threads(-(-classes * logits.itemsize // (16 * VECTORS))), MOST_THREADS)
    grid, block = rows_grid(rows, threads)
    scalars = (np.int64(rows), np.int64(classes), np.int64(ignored), scalar(logits, smoothing))
    instance = f"cross_entropy_{way}<{ctype(logits)}>"
    KERNELS.launch(instance, grid=grid, block=block, args=(*first, logits, target, weight, total, *scalars))


@cross_entropy_rows.path("cuda")
def cross_entropy_cuda(logits, target, weight, *, ignore_index, label_smoothing, reduction):
    check_shapes(logits, target, weight)
    if not is_float(logits.dtype):
        return NotImplemented
    if logits.shape[0] and not logits.shape[1] or are_checked():
        return NotImplemented  # the body says which class is wrong
    ns, rows, wide = xp(logits), logits.shape[0], accumulator(logits)
    lse = ns.empty((2, rows), wide)
    losses = ns.empty((rows,), logits.dtype if reduction == "none" else wide)
    first = (losses, None, lse) if reduction == "none" else (None, losses, lse)
    _launch("forward", first, dense(logits), target, weight, ignore_index, label_smoothing)
    if reduction == "none":
        return losses, {"lse": lse, "total": None}
    out, total = _reduced(losses, logits, target, weight, ignore_index, reduction)
    return out, {"lse": lse, "total": total}


def _reduced(losses: Any, logits: Any, target: Any, weight: Any, ignored: int, reduction: str) -> tuple:
    """Return the sum of the losses (N,), or their mean and the number that it was divided by."""
    check_reduction(reduction)
    ns, (rows, classes) = xp(logits), logits.shape
    out, total = ns.empty((), logits.dtype), ns.empty((), losses.dtype) if reduction == "mean" else None
    weight = None if weight is None else dense(weight.astype(losses.dtype, copy=False))
    target = dense(target.astype(np.int64, copy=False))
    blocks, T = max(min(-(-rows // _SHARE), _SHARES), 1), ctype(logits)
    shares = ns.empty((blocks, 2), losses.dtype) if blocks > 1 else None
    numbers = (np.int64(rows), np.int64(classes), np.int64(ignored))
    args = (out, total, shares, losses, target, weight, *numbers)
    KERNELS.launch(f"cross_entropy_sums<{T}>", grid=(blocks,), block=(_SUM_THREADS,), args=args)
    if shares is not None:
        args = (out, total, shares, np.int32(blocks))
        KERNELS.launch(f"cross_entropy_total<{T}>", grid=(1,), block=(_SUM_THREADS,), args=args)
    return out, total


@cross_entropy_cuda.backward
def cross_entropy_cuda_backward(g, logits, target, lse, total, weight, ignore_index, label_smoothing):
    logits, gx = dense(logits), xp(logits).empty(logits.shape, logits.dtype)
    stride = g.strides[0] // g.itemsize if g.ndim else 0
    first = (gx, Strided(g), np.int64(stride), total, lse)
    _launch("backward", first, logits, target, weight, ignore_index, label_smoothing)
    return gx
