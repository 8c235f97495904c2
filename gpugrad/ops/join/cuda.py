"""Joining arrays on cuda: kernels/join.cu."""

from __future__ import annotations

import ctypes
from math import prod
from typing import Any

import numpy as np

from ...backend.cuda.launch import Kernels, dense
from ...backend.devices import device_of
from ...backend.namespace import xp
from . import concatenate

WORDS = {16: "uint4", 8: "unsigned long long", 4: "unsigned int", 2: "unsigned short", 1: "unsigned char"}

_ARRAYS, _THREADS, _BLOCKS, _EACH = 32, 256, 1 << 14, 4  # kArrays, kThreads; blocks for an array; words of a thread
_kernels = Kernels("join.cu", lambda: [f"concatenate<{word}>" for word in WORDS.values()])


class _Parts(ctypes.Structure):
    """The struct Parts of kernels/join.cu."""

    _fields_ = [
        ("from_", ctypes.c_void_p * _ARRAYS), ("width", ctypes.c_longlong * _ARRAYS),
        ("start", ctypes.c_longlong * _ARRAYS),
    ]  # fmt: skip


@concatenate.path("cuda")
def concatenate_cuda(arrays, *, axis):
    first = arrays[0]
    if axis is None or not first.ndim or not -first.ndim <= axis < first.ndim or len({a.dtype for a in arrays}) > 1:
        return NotImplemented
    axis %= first.ndim
    others = {(*a.shape[:axis], *a.shape[axis + 1 :]) for a in arrays}
    filled = [dense(a) for a in arrays if a.size]
    if len(others) > 1 or not filled or len(filled) > _ARRAYS:
        return NotImplemented
    shape = (*first.shape[:axis], sum(a.shape[axis] for a in arrays), *first.shape[axis + 1 :])
    return _joined(filled, shape, axis), {}


def _joined(arrays: list, shape: tuple, axis: int) -> Any:
    """Return contiguous arrays with elements, joined along `axis` to an array of this shape."""
    out, address = xp(arrays[0]).empty(shape, arrays[0].dtype), device_of(arrays[0]).address
    widths = [prod(a.shape[axis:]) * a.itemsize for a in arrays]
    size = next(n for n in WORDS if not any(w % n for w in widths) and not any(address(a) % n for a in (out, *arrays)))
    parts, start = _Parts(), 0
    for i, (array, width) in enumerate(zip(arrays, widths, strict=True)):
        parts.from_[i], parts.width[i], parts.start[i] = address(array), width // size, start
        start += width // size
    outer = prod(shape[:axis])
    blocks = min(-(-outer * max(widths) // size // (_THREADS * _EACH)), _BLOCKS)
    args = (out, parts, np.int64(outer), np.int64(start))
    _kernels.launch(f"concatenate<{WORDS[size]}>", grid=(max(blocks, 1), len(arrays)), block=(_THREADS,), args=args)
    return out
