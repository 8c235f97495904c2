"""`torch.device`: a call finds the device, and every device is an instance."""

from __future__ import annotations

from typing import Any

from ..backend.devices import Device
from ..backend.devices import device as find_device


class DeviceMeta(type):
    """The class of `device`, whose instances are gpugrad's devices."""

    def __call__(cls, type: Any = None, index: int | None = None) -> Device:
        name = type if index is None else f"{type}:{index}"
        return find_device("cpu" if name in ("cpu:0", "cpu") else name)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Device)


class device(metaclass=DeviceMeta):
    """Return the device of a name, `device("cuda")`, or of a name and a number, `device("cuda", 0)`.

    >>> import gpugrad.torch as torch
    >>> torch.device("cpu").type, isinstance(torch.zeros(1).device, torch.device)
    ('cpu', True)
    """
