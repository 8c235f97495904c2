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
    """How many cuda devices there are; 0 where none can be used."""
    return cuda.count() if cuda.is_available() else 0


def synchronize(device: Any = None) -> None:
    """Wait until all that was asked of the device is done."""
    _device(device).synchronize()


def memory_stats(device: Any = None) -> Memory:
    """Return the bytes `allocated` in live arrays, `cached` for reuse, `peak` of the former, and the `limit`."""
    return _device(device).memory.state()


def memory_summary(device: Any = None) -> str:
    """Return `memory_stats` as a table for people."""
    return f"{_device(device)}\n{memory_stats(device)}"


def memory_allocated(device: Any = None) -> int:
    """Return the bytes in live arrays."""
    return memory_stats(device).allocated


def max_memory_allocated(device: Any = None) -> int:
    """Return the most bytes that live arrays held at once, since the start or `reset_peak_memory_stats`."""
    return memory_stats(device).peak


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak from now."""
    _device(device).memory.reset_peak()


def set_memory_limit(size: int, device: Any = None) -> None:
    """Allow arrays at most `size` bytes of the device; 0 lifts the limit. Beyond it OutOfMemoryError is raised."""
    if size < 0:
        raise DeviceError(f"set_memory_limit: expected bytes, at least 0; got {size}")
    _device(device).memory.set_limit(int(size))


def empty_cache(device: Any = None) -> None:
    """Return the memory that no array uses to the device, for other programs."""
    _device(device).memory.release()


class Stream:
    """A queue of work on a cuda device; what two streams do may overlap. Use it by `with gpugrad.cuda.stream(s):`."""

    def __init__(self, device: Any = None):
        self.device = _device(device)
        self.raw = self.device.stream()

    def synchronize(self) -> None:
        """Wait for what was queued here."""
        self.raw.synchronize()

    def wait_stream(self, other: Stream) -> None:
        """Let what is queued here from now on start only after what is queued in `other` now."""
        self.raw.wait_event(other.raw.record())


@contextmanager
def stream(chosen: Stream | None) -> Iterator[None]:
    """Queue work in `chosen` (None: no change)."""
    if chosen is None:
        yield
        return
    with chosen.device.selected(), chosen.raw:
        yield


def current_stream(device: Any = None) -> Any:
    """Return the array library's own stream object that work is queued in now."""
    return _device(device).current_stream()
