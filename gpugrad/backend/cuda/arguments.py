"""Kernel arguments as CuPy's kernels take them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np


def by_value(args: Sequence) -> list:
    """Return the arguments with each structure as an array of one element, which CuPy passes by value.

    CuPy itself takes its arrays as pointers, NumPy scalars as they are, and None as a null pointer.
    """
    return [_element(value) if isinstance(value, ctypes.Structure) else value for value in args]


def _element(value: ctypes.Structure) -> np.ndarray:
    return np.ndarray((), f"V{ctypes.sizeof(value)}", value)  # type: ignore[call-overload]
