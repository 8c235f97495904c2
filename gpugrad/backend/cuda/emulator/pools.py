"""The memory pools of the emulated devices, which count and limit memory as a GPU's pool does."""

from __future__ import annotations

import numpy as np

from ..memory import Memory, out_of_memory
from .memory import allocate

_ROOM = 80 << 30  # bytes that a device has


class EmulatedMemory:
    """The memory of one emulated device; it counts what `empty` takes."""

    def __init__(self, index: int):
        self._index, self._used, self._peak, self._limit = index, 0, 0, _ROOM

    def allocate(self, size: int) -> np.ndarray:
        """Return `size` bytes. Raises OutOfMemoryError beyond the limit."""
        if self._used + size > self._limit:
            raise out_of_memory(f"cuda:{self._index}", size, self.state())
        self._used += size
        self._peak = max(self._peak, self._used)
        return allocate(size)

    def give_back(self, size: int) -> None:
        """Subtract an array of `size` bytes that was freed."""
        self._used -= size

    def state(self) -> Memory:
        """Return what is held now."""
        return Memory(self._used, 0, self._peak, self._limit)

    def set_limit(self, size: int) -> None:
        """Allow at most `size` bytes; 0 allows what the device has."""
        self._limit = size or _ROOM

    def release(self) -> None:
        """Return free blocks to the device; there are none."""

    def reset_peak(self) -> None:
        """Count the peak from now."""
        self._peak = self._used


pools = [EmulatedMemory(index) for index in range(2)]
