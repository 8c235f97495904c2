"""Whether integer indices on cuda are inside their axes: CuPy and the kernels do not ask, for that would be a wait."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np

_are_checked = False


def set_check_indices(mode: bool) -> None:
    """Let an integer index outside its axis raise OutOfRangeError on cuda too, as it does on the CPU.

    Each indexing then waits for the device. Without it, an index that is too large or too small for `x[i]`, `take`,
    `gather` and the like counts modulo the length of the axis; `embedding` and `cross_entropy` give NaN for it, and
    `segment_sum` leaves it out.

    >>> gg.cuda.set_check_indices(True)
    >>> gg.cuda.set_check_indices(False)
    """
    global _are_checked
    _are_checked = bool(mode)


def are_checked() -> bool:
    """Return whether indices are checked."""
    return _are_checked


def check(index: Any, shape: tuple) -> None:
    """If indices are checked, raise IndexError for an integer array in `index` that leaves its axis of `shape`."""
    if not _are_checked:
        return
    parts = index if isinstance(index, tuple) else (index,)
    taken = sum(0 if part is None or isinstance(part, EllipsisType) else _axes(part) for part in parts)
    axis = 0
    for part in parts:
        part = np.asarray(part) if isinstance(part, list) else part
        if isinstance(part, EllipsisType):
            axis += len(shape) - taken
        elif part is not None:
            if getattr(part, "dtype", np.bool_) != np.bool_ and axis < len(shape):
                check_axis(part, shape[axis], axis)
            axis += _axes(part)


def check_axis(indices: Any, size: int, axis: int | None) -> None:
    """If indices are checked, raise IndexError unless each is from -size to size - 1."""
    if not _are_checked:
        return
    wrong = (indices < -size) | (indices >= size)
    if wrong.any():
        first = int(indices[wrong].reshape(-1)[0])
        raise IndexError(f"index {first} is out of bounds for axis {axis or 0} with size {size}")


def _axes(part: Any) -> int:
    """Return the number of axes that a part of an index takes."""
    return part.ndim if getattr(part, "dtype", None) == np.bool_ else 1
