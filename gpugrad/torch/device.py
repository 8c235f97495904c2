"""`torch.device`: a call finds the device, and every device is an instance."""

from __future__ import annotations

from typing import Any

from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..errors import DeviceError

_KINDS = ("cuda", "mps", "xpu", "meta")


class AbsentDevice(Device):
    """A device that PyTorch has and this machine has not: programs may name it, and every use is an error."""

    __slots__ = ("_error",)

    def __init__(self, name: str, error: str):
        self.name, self._error = name, error
        self.type, _, index = name.partition(":")
        self.index = int(index) if index.isdigit() else None

    @property
    def xp(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Raise DeviceError: nothing can be computed there."""
        raise DeviceError(self._error)

    def asarray(self, array: Any, dtype: Any = None) -> Any:
        """Raise DeviceError: nothing can be put there."""
        raise DeviceError(self._error)


class DeviceMeta(type):
    """The class of `device`, whose instances are gpugrad's devices."""

    def __call__(cls, type: Any = None, index: int | None = None) -> Device:
        name = type if index is None else f"{type}:{index}"
        name = "cpu" if name == "cpu:0" else name
        try:
            return find_device(name)
        except DeviceError as error:
            if not isinstance(name, str) or name.partition(":")[0] not in _KINDS:
                raise
            return AbsentDevice(name, str(error))

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Device)


class device(metaclass=DeviceMeta):
    """Return the device of a name, `device("cuda")`, or of a name and a number, `device("cuda", 0)`.

    >>> import gpugrad.torch as torch
    >>> torch.device("cpu").type, isinstance(torch.zeros(1).device, torch.device)
    ('cpu', True)
    """
