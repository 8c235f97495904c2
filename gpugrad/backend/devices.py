"""Devices: where a Tensor's memory is. `"cpu"` always works; `"cuda"` and `"cuda:1"` need CuPy and a GPU.

A device brings its array namespace and the moves of arrays to and from the host. CuPy is imported when a cuda device is
first used, never before.
"""

import threading
from typing import Any

import numpy as np

from ..errors import DeviceError
from . import namespace

_state = threading.local()
_devices: dict[str, "Device"] = {}


class Device:
    """A place for arrays; one object per place, so devices compare by identity.

    Also a context that makes it the default: `with gpugrad.device("cuda"):`.
    """

    __slots__ = ("type", "index", "name")

    def __init__(self, kind: str, index: int | None, name: str):
        self.type, self.index, self.name = kind, index, name

    @property
    def xp(self) -> Any:
        """The raw array namespace."""
        return namespace.CPU

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        """`array` (NumPy's or this device's) in this device's memory; a copy only where one is needed."""
        return np.asarray(array, dtype)

    def to_host(self, array: Any) -> np.ndarray:
        """A NumPy array of the values, synchronising if it must."""
        return array

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
    if isinstance(given, str) and given in _devices:
        return _devices[given]
    if isinstance(given, Device):
        return given
    if given is None:
        return default_device()
    name = f"cuda:{given}" if isinstance(given, int) and not isinstance(given, bool) else given
    kind, _, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind != "cuda" or (index and not index.isdigit()) or name == "cuda:":
        raise DeviceError(f'unknown device {given!r}: expected "cpu", "cuda" or "cuda:<index>"')
    from . import cuda

    found = cuda.connect(int(index or 0))
    return _devices.setdefault(str(name), _devices.setdefault(found.name, found))


def default_device() -> Device:
    """The device of new tensors in this thread."""
    return getattr(_state, "default", CPU)


def set_default_device(given: "str | Device") -> None:
    """Create new tensors of this thread on `given` from now on."""
    _state.default = device(given)
