"""The CUDA path of cross-entropy: launches of kernels/loss.cu."""

from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, Strided, ctype, dense
from ...backend.cuda.rows import MOST_THREADS, accumulator, row_threads, rows_grid, scalar
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import check_shapes, cross_entropy_rows, divided, divisor

_WAYS = ("forward", "backward")
KERNELS = Kernels(
    "loss.cu",
    lambda: [f"cross_entropy_{way}<{T}>" for T in FLOATS for way in _WAYS],
    typical=lambda: {
        f"cross_entropy_{way}<{T}>": Block(MOST_THREADS) for T in ("float", "__nv_bfloat16") for way in _WAYS
    },
)
VECTORS = 4  # that a thread reads of a row before more threads share it


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
    if logits.shape[0] and not logits.shape[1]:
        return NotImplemented  # no class is right, and the body says so
    ns, rows = xp(logits), logits.shape[0]
    losses, lse = ns.empty((rows,), logits.dtype), ns.empty((2, rows), accumulator(logits))
    _launch("forward", (losses, lse), dense(logits), target, weight, ignore_index, label_smoothing)
    if reduction == "none":
        return losses, {"lse": lse, "total": None}
    total = divisor(target, weight, ignore_index, reduction, lse.dtype)
    return (losses.sum(dtype=lse.dtype) / total).astype(logits.dtype), {"lse": lse, "total": total}


@cross_entropy_cuda.backward
def cross_entropy_cuda_backward(g, logits, target, lse, total, weight, ignore_index, label_smoothing):
    logits, gx = dense(logits), xp(logits).empty(logits.shape, logits.dtype)
    if total is not None:
        g = xp(g).broadcast_to(divided(g, total).astype(g.dtype), target.shape)
    first = (gx, Strided(g), np.int64(g.strides[0] // g.itemsize), lse)
    _launch("backward", first, logits, target, weight, ignore_index, label_smoothing)
    return gx
