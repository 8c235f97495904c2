"""Memory for CPU results: large buffers are kept and reused.

A fresh page costs more than the arithmetic done on it (three ops on 2 MB arrays: 2.1 ms in fresh memory, 0.17 ms in
reused memory). There are two remedies, one per size:

- Below 32 MB, glibc is told once to keep freed memory in its heap instead of returning it to the system. The heap gets
  pages of 2 MB, so that fewer of their addresses have to be looked up.
- From 32 MB on (where glibc always maps fresh pages), `empty` keeps its own list of buffers. A buffer is free when
  nothing but the list refers to it, which its reference count says: there is nothing to release by hand.
"""

import ctypes
import math
import os
import sys
import threading
from typing import Any

import numpy as np

LARGE = 32 << 20  # bytes from which glibc maps fresh pages whatever its settings say
KEEP = 256 << 20  # bytes of free buffers that are kept for later

PIECE = LARGE - (1 << 20)  # bytes that glibc still takes from its heap
HEAP = KEEP // LARGE - 1  # pieces with huge pages; when all are free, glibc still keeps them

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # of mallopt
_MADV_HUGEPAGE = 14
_buffers: list[np.ndarray] = []
_lock = threading.Lock()


def keep_heap() -> None:
    """Tell glibc to keep freed memory below `LARGE` bytes, and the system to give it huge pages.

    It does nothing without glibc, or with GPUGRAD_MALLOC=system.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(_M_TRIM_THRESHOLD, KEEP)
        libc.mallopt(_M_TOP_PAD, 16 << 20)
        take_huge_pages(HEAP)


def take_huge_pages(pieces: int) -> None:
    """Ask for huge pages for the next `pieces` * `PIECE` bytes of the heap from which this thread takes memory.

    They become resident when they are used, as always.
    """
    libc = _glibc()
    if libc is None:
        return
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    libc.free.argtypes, libc.madvise.argtypes = (ctypes.c_void_p,), (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    taken = [libc.malloc(PIECE) for _ in range(pieces)]
    for start in filter(None, taken):
        libc.madvise(start - start % os.sysconf("SC_PAGE_SIZE"), PIECE, _MADV_HUGEPAGE)
    for start in reversed(taken):
        libc.free(start)


def _glibc() -> Any:
    """Return the C library if it is glibc and may be told what to keep, else None."""
    if os.environ.get("GPUGRAD_MALLOC") == "system" or not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") else None


def empty(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Return an uninitialised C-contiguous array; a large one reuses a kept buffer."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    with _lock:  # else another thread might take the same buffer before this one refers to it
        buffer = _buffer(size)
    return buffer[:size].view(dtype).reshape(shape)


def empty_like(array: np.ndarray) -> np.ndarray:
    """Return `empty` with the shape, dtype and memory order of `array` (a permuted array stays permuted)."""
    if array.nbytes < LARGE:
        return np.empty_like(array)
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    made = empty(tuple(array.shape[axis] for axis in order), array.dtype)
    return made.transpose(np.argsort(order))


def _buffer(size: int) -> np.ndarray:
    # Two references to a free buffer: the list's and getrefcount's argument.
    free = [i for i in range(len(_buffers)) if sys.getrefcount(_buffers[i]) == 2]
    fitting = [i for i in free if size <= _buffers[i].size <= size + (size >> 2)]
    if fitting:
        return _buffers[min(fitting, key=lambda i: _buffers[i].size)]
    kept = sum(_buffers[i].size for i in free)
    for i in reversed(free):
        if kept + size <= KEEP:
            break
        kept -= _buffers.pop(i).size
    _buffers.append(np.empty(size, np.uint8))
    return _buffers[-1]


def is_exclusive(array: Any) -> bool:
    """Return whether nothing but `array`, which the caller holds in one variable, can see its memory."""
    base = array.base
    if base is None:
        return True
    # The array, `base` and getrefcount's argument refer to it; so does the list of kept buffers.
    known = 4 if any(base is buffer for buffer in _buffers) else 3
    return isinstance(base, type(array)) and sys.getrefcount(base) <= known and 0 not in array.strides
