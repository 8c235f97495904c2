"""DLPack for bfloat16, which NumPy and CuPy do not know there: it travels as uint16, and is relabelled on the way.

An array in transit is a capsule around a DLManagedTensor, whose dtype is (code, bits, lanes) at a fixed place. Source:
dlpack.h, https://dmlc.github.io/dlpack/latest/c_api.html.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .dtypes import bfloat16

_UINT, _BFLOAT = 1, 4  # DLDataTypeCode
_DTYPE_AT = {b"dltensor": 20, b"dltensor_versioned": 52}  # where the dtype lies, by the capsule's name

_name_of = ctypes.pythonapi.PyCapsule_GetName
_name_of.restype, _name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def _relabelled(capsule: Any, old: int, new: int) -> bool:
    """Change the type code of a capsule whose elements have 16 bits from `old` to `new`; whether that was so."""
    name = _name_of(capsule)
    if name not in _DTYPE_AT:
        return False
    dtype = (ctypes.c_uint8 * 2).from_address(_pointer_of(capsule, name) + _DTYPE_AT[name])
    if (dtype[0], dtype[1]) != (old, 16):
        return False
    dtype[0] = new
    return True


def exported(array: Any, **kwargs: Any) -> Any:
    """Return the capsule of an array."""
    if array.dtype.kind != "V":
        return array.__dlpack__(**kwargs)
    capsule = array.view(np.uint16).__dlpack__(**kwargs)
    _relabelled(capsule, _UINT, _BFLOAT)
    return capsule


class _Source:
    """An array of another library that gives its bfloat16 as uint16."""

    def __init__(self, array: Any):
        self.array, self.changed = array, False

    def __dlpack__(self, **kwargs: Any) -> Any:
        capsule = self.array.__dlpack__(**kwargs)
        self.changed = _relabelled(capsule, _BFLOAT, _UINT)
        return capsule

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


def imported(array: Any, library: Any) -> Any:
    """Return an array of `library` (NumPy's or CuPy's namespace) on the memory of another library's array."""
    source = _Source(array)
    made = library.from_dlpack(source)
    return made.view(bfloat16()) if source.changed else made
