"""Kernel arguments as the CUDA driver takes them: an array of pointers, one to each value."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Packed:
    """The packed arguments: `pointers[i]` is the address of argument i, and `values` keeps the values alive."""

    __slots__ = ("values", "pointers")

    def __init__(self, values: list):
        self.values = values
        self.pointers = (ctypes.c_void_p * max(len(values), 1))(*map(ctypes.addressof, values))


def pack(args: Sequence, address: Callable[[Any], int]) -> Packed:
    """Pack arrays (by their `address`), NumPy scalars, ctypes structures and None as kernel arguments."""
    return Packed([_value(value, address) for value in args])


def _value(value: Any, address: Callable[[Any], int]) -> Any:
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, ctypes.Structure):
        return value
    if isinstance(value, np.generic):
        return ctypes.create_string_buffer(value.tobytes(), value.itemsize)
    return ctypes.c_void_p(address(value))
