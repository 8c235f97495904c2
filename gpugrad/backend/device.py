"""The Device: a place for arrays, which makes arrays there and moves them to and from the host.

`devices.py` looks devices up by name; the cuda ones subclass `Device` in `cuda/`.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ..errors import DeviceError
from . import namespace

thread = threading.local()  # `default` is this thread's default device, `stack` holds those that it replaced
_of_array: dict[type, Callable[[Any], "Device"]] = {}
CONNECTED: dict[str | int, "Device"] = {}  # every device in use, by its names; cuda devices also by index


class Device:
    """A place for arrays; there is one object per place, so devices compare by identity.

    As a context it is the default device: `with gpugrad.device("cuda"):`.

    is_only: no other device of its type exists, so its array library needs no `selected()` around a call.
    has_products: `multiply` works.
    shared_bytes: the most shared memory that a kernel's block can have. multiprocessors: how many the device has.
    capability: the GPU's compute capability, 90 for 9.0.

    >>> cpu = gg.device("cpu")
    >>> cpu.type, cpu == "cpu", gg.ones(2, device=cpu).device is cpu
    ('cpu', True, True)
    """

    __slots__ = ("type", "index", "name", "xp")
    is_only = True
    has_products = False
    shared_bytes = 227 << 10
    multiprocessors = 132
    capability = 90
    depth = 0  # how many calls of vmap its tensors are inside of

    def __init__(self, kind: str, index: int | None, name: str):
        self.type, self.index, self.name = kind, index, name
        self.xp: Any = namespace.CPU  # the raw array namespace

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        """Return `array` (NumPy's or this device's) in this device's memory; it is copied only if it must be."""
        return np.asarray(array, dtype)

    def to_host(self, array: Any, blocking: bool = True) -> np.ndarray:
        """Return a NumPy array of the values. With blocking=False they arrive later: `synchronize` before using
        them."""
        return array

    def adopt(self, tensor: Any) -> Any:
        """Return a Tensor of this device that is `tensor` of another; only inside of vmap it is the same for all."""
        raise DeviceError(f"a tensor on {tensor.device} among those on {self.name}")

    def pinned(self, shape: tuple, dtype: np.dtype) -> np.ndarray:
        """Return a host array that this device copies to and from without waiting, if it has such memory."""
        return np.empty(shape, dtype)

    def synchronize(self) -> None:
        """Wait until this device has finished all its work."""

    def full(self, shape: tuple, value: Any, dtype: np.dtype) -> Any:
        """Return an array of one value, made without waiting. Raises OverflowError if the dtype cannot hold it."""
        return np.full(shape, value, dtype)

    def selected(self) -> AbstractContextManager:
        """Return a context in which the array library's functions run on this device."""
        return nullcontext()

    def address(self, array: Any) -> int:
        """Return the address of the first element of an array of this device."""
        return array.ctypes.data

    def launch(self, source: Any, instance: str, grid: tuple, block: tuple, args: Sequence, shared: int) -> None:
        """Run a CUDA kernel on this device's arrays."""
        raise DeviceError(f"{instance} is a CUDA kernel; its arrays are on {self.name}")

    def multiply(self, asked: Any, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
        """Compute the matrix product `asked` (a `cuda.gemm.Product`) of this device's arrays."""
        raise DeviceError(f"a cuda product of arrays on {self.name}")

    def graph(self) -> Any:
        """Return a new graph: work that is captured once and replayed as a whole, on devices that have it."""
        raise DeviceError(f"graph: {self.name} has no graphs; a cuda device has")

    def __enter__(self) -> "Device":
        thread.__dict__.setdefault("stack", []).append(default_device())
        thread.default = self
        return self

    def __exit__(self, *exc: object) -> None:
        thread.default = thread.stack.pop()

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and CONNECTED.get(other) is self)

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"device({self.name!r})"


CPU = CONNECTED["cpu"] = Device("cpu", None, "cpu")


def default_device() -> Device:
    """Return the device on which this thread makes new tensors.

    >>> gg.default_device()
    device('cpu')
    """
    return getattr(thread, "default", CPU)


def register(found: Device) -> Device:
    """Make `found` the device of its names, unless there is one already; returns the one that is known by them."""
    found = CONNECTED.setdefault(found.name, found)
    if found.index is not None:
        CONNECTED[found.index] = found
    if found.index == 0:
        CONNECTED[found.type] = found
    return found


def register_arrays(cls: type, where: Callable[[Any], Device]) -> None:
    """Make `where(array)` the device of arrays of type `cls`."""
    _of_array[cls] = where


def device_of(array: Any) -> Device:
    """Return the device whose memory holds an array."""
    where = _of_array.get(type(array))
    return CPU if where is None else where(array)
