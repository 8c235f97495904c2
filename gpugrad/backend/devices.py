"""Devices: where a Tensor's memory is. `"cpu"` always works; `"cuda"` and `"cuda:1"` need CuPy and a GPU.

A device brings its array namespace and the moves of arrays to and from the host. CuPy is imported when a cuda device is
first used, never before.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ..errors import DeviceError
from . import namespace

_state = threading.local()
_devices: dict[str | int, "Device"] = {}  # by name, and cuda devices by index
_of_array: dict[type, Callable[[Any], "Device"]] = {}
_for_cuda: list[Callable[[], Any]] = []  # what waits for the first cuda device


class Device:
    """A place for arrays; one object per place, so devices compare by identity.

    Also a context that makes it the default: `with gpugrad.device("cuda"):`. `is_only`: no other device of its type is
    there, so that its array library needs no `selected()` around a call. `has_products`: `multiply` works.
    `shared_bytes`: shared memory that a kernel's block can have.
    """

    __slots__ = ("type", "index", "name")
    is_only = True
    has_products = False
    shared_bytes = 227 << 10

    def __init__(self, kind: str, index: int | None, name: str):
        self.type, self.index, self.name = kind, index, name

    @property
    def xp(self) -> Any:
        """The raw array namespace."""
        return namespace.CPU

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        """`array` (NumPy's or this device's) in this device's memory; a copy only where one is needed."""
        return np.asarray(array, dtype)

    def to_host(self, array: Any, blocking: bool = True) -> np.ndarray:
        """A NumPy array of the values. blocking=False: it is filled while the program goes on; synchronize first."""
        return array

    def pinned(self, shape: tuple, dtype: np.dtype) -> np.ndarray:
        """A host array that this device copies to and from without waiting, where it has such memory."""
        return np.empty(shape, dtype)

    def synchronize(self) -> None:
        """Wait until all that was asked of this device is done."""

    def full(self, shape: tuple, value: Any, dtype: np.dtype) -> Any:
        """An array of one value, made without waiting. Raises OverflowError if the dtype cannot hold it."""
        return np.full(shape, value, dtype)

    def selected(self) -> AbstractContextManager:
        """A context in which the array library's functions run on this device."""
        return nullcontext()

    def address(self, array: Any) -> int:
        """Where the first element of an array of this device is in memory."""
        return array.ctypes.data

    def launch(self, source: Any, instance: str, grid: tuple, block: tuple, args: Sequence, shared: int) -> None:
        """Run a CUDA kernel over this device's arrays."""
        raise DeviceError(f"{instance} is a CUDA kernel; its arrays are on {self.name}")

    def multiply(self, asked: Any, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
        """Compute a matrix product (`cuda.gemm.Product`) over this device's arrays."""
        raise DeviceError(f"a cuda product of arrays on {self.name}")

    def __enter__(self) -> "Device":
        _state.__dict__.setdefault("stack", []).append(default_device())
        _state.default = self
        return self

    def __exit__(self, *exc: object) -> None:
        _state.default = _state.stack.pop()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and device(other) is self)

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"device({self.name!r})"

    def __reduce__(self):
        return device, (self.name,)


CPU = _devices["cpu"] = Device("cpu", None, "cpu")


def device(given: "str | Device | int | None" = None) -> Device:
    """The device that `given` names: `"cpu"`, `"cuda"`, `"cuda:1"`, a Device, a cuda index; None is the default one.

    Raises DeviceError for an unknown name, and for cuda without CuPy or a GPU; the message says what to install.
    """
    if isinstance(given, Device):
        return given
    if given.__class__ in (str, int) and given in _devices:
        return _devices[given]
    if given is None:
        return default_device()
    name = f"cuda:{given}" if isinstance(given, int) and not isinstance(given, bool) else given
    kind, _, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind != "cuda" or (index and not index.isdigit()) or name == "cuda:":
        raise DeviceError(f'unknown device {given!r}: expected "cpu", "cuda" or "cuda:<index>"')
    from . import cuda

    found = cuda.connect(int(index or 0))
    while _for_cuda:
        _for_cuda[-1]()
        _for_cuda.pop()
    first = _devices.setdefault(found.name, found)
    _devices[str(name)] = _devices[int(index or 0)] = first
    return first


def when_cuda_is_used(load: Callable[[], Any]) -> None:
    """Call `load` once, when a cuda device is first used."""
    _for_cuda.append(load)


def register_arrays(cls: type, where: Callable[[Any], Device]) -> None:
    """Make `where(array)` the device of arrays of type `cls`."""
    _of_array[cls] = where


def device_of(array: Any) -> Device:
    """The device whose memory an array is in."""
    where = _of_array.get(type(array))
    return CPU if where is None else where(array)


def default_device() -> Device:
    """The device of new tensors in this thread."""
    return getattr(_state, "default", CPU)


def set_default_device(given: "str | Device") -> None:
    """Create new tensors of this thread on `given` from now on."""
    _state.default = device(given)
