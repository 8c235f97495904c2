"""The memory of a cuda device: what it holds, its limit, and the error when an array finds no room."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import OutOfMemoryError


class Memory(NamedTuple):
    """Numbers of bytes: in live arrays, kept for reuse, the most that was ever in live arrays, and the most allowed.

    >>> print(gg.cuda.Memory(allocated=1024, cached=0, peak=2048, limit=1 << 30).peak)
    2048
    """

    allocated: int
    cached: int
    peak: int
    limit: int

    def __str__(self) -> str:
        rows = [
            ("allocated", self.allocated, "in live arrays"),
            ("peak", self.peak, "the most since the start or reset_peak_memory_stats()"),
            ("cached", self.cached, "free blocks kept for reuse; empty_cache() returns them"),
            ("limit", self.limit, "what arrays and free blocks may take together"),
        ]
        return "\n".join(f"{name:<10} {readable(size):>10}  {meaning}" for name, size, meaning in rows)


def readable(size: int) -> str:
    """Return a number of bytes as people read it.

    >>> from gpugrad.backend.cuda.memory import readable
    >>> readable(3 << 29)
    '1.50 GiB'
    """
    value, unit = float(size), 0
    while abs(value) >= 1024 and unit < 4:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.2f} {('KiB', 'MiB', 'GiB', 'TiB')[unit - 1]}"


def out_of_memory(device: str, asked: int, held: Memory) -> OutOfMemoryError:
    """Return the error for an array of `asked` bytes that finds no room."""
    return OutOfMemoryError(
        f"{device}: no room for an array of {readable(asked)}: {readable(held.allocated)} are in live arrays and "
        f"{readable(held.cached)} cached, of at most {readable(held.limit)}. Try a smaller batch, 16-bit floats, "
        "gpugrad.checkpoint, dropping tensors that keep a graph alive (use .item() or .detach() for what you log), or "
        "gpugrad.cuda.empty_cache() if other programs need the memory"
    )


class CudaMemory:
    """CuPy's memory pool of one device, with a peak and an error that lists what is held.

    What another allocator gives, one that the user has set in CuPy, is not counted. graphs: those on the device, each
    with a `pool` of its own, which counts, too.
    """

    def __init__(self, cupy: Any, index: int):
        self._cupy, self._index, self._peak = cupy, index, 0
        self._pool = cupy.get_default_memory_pool()
        self.graphs: weakref.WeakSet[Any] = weakref.WeakSet()
        self._private = 0  # bytes in their pools
        self._malloc, self._used_bytes = self._pool.malloc, self._pool.used_bytes
        self._no_room = cupy.cuda.memory.OutOfMemoryError
        self._lock = threading.Lock()

    def allocate(self, size: int, malloc: Callable | None = None) -> Any:
        """Return a block of `size` bytes, for CuPy; `malloc` is that of a graph's pool.

        Raises OutOfMemoryError, which says what the memory holds.
        """
        try:
            block = (malloc or self._malloc)(size)
        except self._no_room:
            raise out_of_memory(f"cuda:{self._index}", size, self.state()) from None
        if malloc is not None:
            self._private = sum(graph.pool.used_bytes() for graph in self.graphs)
        used = self._used_bytes() + self._private
        if used > self._peak:
            with self._lock:
                self._peak = max(self._peak, used)
        return block

    def _pools(self) -> list[Any]:
        return [self._pool, *(graph.pool for graph in self.graphs)]

    def state(self) -> Memory:
        """Return what is held now."""
        with self._cupy.cuda.Device(self._index):
            used, total = (
                sum(sizes) for sizes in zip(*[(p.used_bytes(), p.total_bytes()) for p in self._pools()], strict=True)
            )
            limit = self._pool.get_limit() or self._cupy.cuda.runtime.memGetInfo()[1]
        return Memory(used, total - used, max(self._peak, used), limit)

    def set_limit(self, size: int) -> None:
        """Allow at most `size` bytes; 0 allows what the device has."""
        with self._cupy.cuda.Device(self._index):
            self._pool.set_limit(size=size)

    def release(self) -> None:
        """Return free blocks to the device."""
        with self._cupy.cuda.Device(self._index):
            self._pool.free_all_blocks()

    def reset_peak(self) -> None:
        """Count the peak from now."""
        self._peak = 0
