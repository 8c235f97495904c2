"""The device memory of the emulator: it is NaN until it is written; in check mode it lies between pages that nothing
may touch."""

from __future__ import annotations

import ctypes
import itertools
import mmap
import weakref
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ....errors import OutOfMemoryError
from .options import current

_PAGE = mmap.PAGESIZE
ALIGNMENT = 256  # as cudaMalloc's
_GRANULE = 16  # a check-mode array's end is this near to the page that ends it; vector loads need the alignment
_NO_ACCESS = 0
_PLACES = 61  # at which an array in the same block may begin

_allocations = itertools.count()
_guarded: dict[int, int] = {}  # address -> bytes of the live check-mode arrays
# By id, arrays in memory that was not allocated here.
_watched: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def allocate(nbytes: int) -> np.ndarray:
    """Return a uint8 array of `nbytes` bytes, each 0xff (a NaN in every float type). Raises OutOfMemoryError."""
    try:
        return _guarded_array(nbytes) if current().check else _plain_array(nbytes)
    except (MemoryError, OSError) as error:
        raise OutOfMemoryError(f"no room for an emulated array of {nbytes} bytes: {error}") from None


def live() -> list[tuple[int, int]]:
    """Return (address, bytes) of each live check-mode array, to which a pointer inside a structure may point."""
    bounds = [byte_bounds(owner.host) for owner in list(_watched.values())]
    return [*_guarded.items(), *((begin, end - begin) for begin, end in bounds)]


def watch(owner: Any) -> None:
    """In check mode, count the memory of `owner.host`, wherever it is from, as alive for as long as `owner` is."""
    if current().check:
        _watched[id(owner)] = owner


def _plain_array(nbytes: int) -> np.ndarray:
    room = np.empty(nbytes + ALIGNMENT * _PLACES, np.uint8)
    place = next(_allocations) % (_PLACES - 1)  # a GPU's pool promises no address a second time either
    start = -room.ctypes.data % ALIGNMENT + ALIGNMENT * place
    array = room[start : start + nbytes]
    array.fill(0xFF)
    return array


def _guarded_array(nbytes: int) -> np.ndarray:
    body = -(-max(nbytes, 1) // _PAGE) * _PAGE
    pages = mmap.mmap(-1, body + 2 * _PAGE)
    room = np.frombuffer(pages, np.uint8)
    room[_PAGE : _PAGE + body] = 0xFF
    base = room.ctypes.data
    for guard in (base, base + _PAGE + body):
        if _mprotect(guard, _PAGE, _NO_ACCESS):
            raise OSError(ctypes.get_errno(), "mprotect failed")
    start = _PAGE + body - -(-nbytes // _GRANULE) * _GRANULE
    _guarded[base + start] = nbytes
    weakref.finalize(pages, _guarded.pop, base + start, None).atexit = False
    return room[start : start + nbytes]


_mprotect = ctypes.CDLL(None, use_errno=True).mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
