"""Cuda devices, their memory and their streams, under PyTorch's names.

Where a function takes `device`, it is a cuda device, by default "cuda".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..backend import cuda
from ..backend.cuda.memory import Memory
from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..errors import DeviceError


def _device(given: Any) -> Any:
    found: Device = find_device("cuda" if given is None else given)
    if found.type != "cuda":
        raise DeviceError(f"expected a cuda device, got {found}")
    return found


def device_count() -> int:
    """Return the number of cuda devices, which is 0 if none can be used.

    >>> (gg.cuda.device_count() > 0) == gg.cuda.is_available()
    True
    """
    return cuda.count() if cuda.is_available() else 0


def synchronize(device: Any = None) -> None:
    """Wait until the device has done all its work.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.synchronize()
    """
    _device(device).synchronize()


def memory_stats(device: Any = None) -> Memory:
    """Return the bytes that are `allocated` in live arrays, their `peak`, those `cached` for reuse, and the `limit`.

    >>> if gg.cuda.is_available():
    ...     assert gg.cuda.memory_stats().peak >= gg.cuda.memory_stats().allocated
    """
    return _device(device).memory.state()


def memory_summary(device: Any = None) -> str:
    """Return `memory_stats` as a table to read.

    >>> if gg.cuda.is_available():
    ...     assert "allocated" in gg.cuda.memory_summary()
    """
    return f"{_device(device)}\n{memory_stats(device)}"


def memory_allocated(device: Any = None) -> int:
    """Return the bytes in live arrays.

    >>> if gg.cuda.is_available():
    ...     x = gg.zeros(1000, device="cuda")
    ...     assert gg.cuda.memory_allocated() >= x.nbytes
    """
    return memory_stats(device).allocated


def max_memory_allocated(device: Any = None) -> int:
    """Return the most bytes that live arrays have held at once, since the start or `reset_peak_memory_stats`.

    >>> if gg.cuda.is_available():
    ...     assert gg.cuda.max_memory_allocated() >= gg.cuda.memory_allocated()
    """
    return memory_stats(device).peak


def reset_peak_memory_stats(device: Any = None) -> None:
    """Start to measure the peak from now on.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.reset_peak_memory_stats()
    ...     assert gg.cuda.max_memory_allocated() == gg.cuda.memory_allocated()
    """
    _device(device).memory.reset_peak()


def set_memory_limit(size: int, device: Any = None) -> None:
    """Limit the memory of arrays to `size` bytes of the device; 0 lifts the limit.

    An array that does not fit raises OutOfMemoryError.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.set_memory_limit(8 << 30)
    ...     gg.cuda.set_memory_limit(0)
    """
    if size < 0:
        raise DeviceError(f"set_memory_limit: expected bytes, at least 0; got {size}")
    _device(device).memory.set_limit(int(size))


def empty_cache(device: Any = None) -> None:
    """Give the memory that no array uses back to the device, so that other programs can use it.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.empty_cache()
    """
    _device(device).memory.release()


class Stream:
    """A queue of work on a cuda device. The work of two streams may overlap.

    `with gpugrad.cuda.stream(s):` queues the work of the block in s.

    >>> if gg.cuda.is_available():
    ...     copies = gg.cuda.Stream()
    ...     with gg.cuda.stream(copies):
    ...         x = gg.ones(3, device="cuda")
    ...     copies.synchronize()
    """

    def __init__(self, device: Any = None):
        self.device = _device(device)
        self.raw = self.device.stream()

    def synchronize(self) -> None:
        """Wait until the work that was queued here is done."""
        self.raw.synchronize()

    def wait_stream(self, other: Stream) -> None:
        """Let the work that is queued here from now on wait for the work that is in `other` now."""
        self.raw.wait_event(other.raw.record())


@contextmanager
def stream(chosen: Stream | None) -> Iterator[None]:
    """Queue the work of the `with` block in `chosen`; None changes nothing.

    >>> with gg.cuda.stream(None):
    ...     x = gg.ones(3)
    """
    if chosen is None:
        yield
        return
    with chosen.device.selected(), chosen.raw:
        yield


def current_stream(device: Any = None) -> Any:
    """Return the stream, an object of the array library, in which work is queued now.

    >>> if gg.cuda.is_available():
    ...     stream = gg.cuda.current_stream()
    """
    return _device(device).current_stream()
