"""Devices, their memory and their streams, under PyTorch's names. `device` is a cuda device, "cuda" by default."""

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
    """Return the number of cuda devices; 0 if none can be used.

    >>> (gg.cuda.device_count() > 0) == gg.cuda.is_available()
    True
    """
    return cuda.count() if cuda.is_available() else 0


def synchronize(device: Any = None) -> None:
    """Wait until the device has done all that was asked of it.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.synchronize()
    """
    _device(device).synchronize()


def memory_stats(device: Any = None) -> Memory:
    """Return the bytes `allocated` in live arrays, `cached` for reuse, the `peak` of the former, and the `limit`.

    >>> if gg.cuda.is_available():
    ...     assert gg.cuda.memory_stats().peak >= gg.cuda.memory_stats().allocated
    """
    return _device(device).memory.state()


def memory_summary(device: Any = None) -> str:
    """Return `memory_stats` as a table for people.

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
    """Return the most bytes that live arrays held at once, since the start or `reset_peak_memory_stats`.

    >>> if gg.cuda.is_available():
    ...     assert gg.cuda.max_memory_allocated() >= gg.cuda.memory_allocated()
    """
    return memory_stats(device).peak


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak of the memory in use from now.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.reset_peak_memory_stats()
    ...     assert gg.cuda.max_memory_allocated() == gg.cuda.memory_allocated()
    """
    _device(device).memory.reset_peak()


def set_memory_limit(size: int, device: Any = None) -> None:
    """Allow arrays at most `size` bytes of the device; 0 lifts the limit. Beyond it OutOfMemoryError is raised.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.set_memory_limit(8 << 30)
    ...     gg.cuda.set_memory_limit(0)
    """
    if size < 0:
        raise DeviceError(f"set_memory_limit: expected bytes, at least 0; got {size}")
    _device(device).memory.set_limit(int(size))


def empty_cache(device: Any = None) -> None:
    """Return the memory that no array uses to the device, for other programs.

    >>> if gg.cuda.is_available():
    ...     gg.cuda.empty_cache()
    """
    _device(device).memory.release()


class Stream:
    """Queues work on a cuda device; the work of two streams may overlap. It is used by `with gpugrad.cuda.stream(s):`.

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
        """Wait until the work queued here is done."""
        self.raw.synchronize()

    def wait_stream(self, other: Stream) -> None:
        """Let work queued here from now on start only after the work that is queued in `other` now."""
        self.raw.wait_event(other.raw.record())


@contextmanager
def stream(chosen: Stream | None) -> Iterator[None]:
    """Queue work in the stream `chosen`, inside the block (None: no change).

    >>> with gg.cuda.stream(None):
    ...     x = gg.ones(3)
    """
    if chosen is None:
        yield
        return
    with chosen.device.selected(), chosen.raw:
        yield


def current_stream(device: Any = None) -> Any:
    """Return the array library's own stream object in which work is queued now.

    >>> if gg.cuda.is_available():
    ...     stream = gg.cuda.current_stream()
    """
    return _device(device).current_stream()
