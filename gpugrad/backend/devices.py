"""Devices by name: `"cpu"` always works; `"cuda"` and `"cuda:1"` need CuPy and a GPU.

CuPy is imported when a cuda device is first used, never before.
"""

from ..errors import DeviceError
from .device import CONNECTED, CPU, Device, default_device, device_of, register, thread

__all__ = ["CPU", "Device", "default_device", "device", "device_of", "set_default_device"]


def device(given: "str | Device | int | None" = None) -> Device:
    """Return the device for `"cpu"`, `"cuda"`, `"cuda:1"`, a cuda index or a Device; None means the default device.

    Raises DeviceError for an unknown name, and for cuda without CuPy or a GPU; the message says what to install.

    >>> gg.device("cpu")
    device('cpu')
    >>> with gg.device("cpu"):  # new tensors are made there
    ...     print(gg.zeros(2).device)
    cpu
    """
    if isinstance(given, Device):
        return given
    if given.__class__ in (str, int) and given in CONNECTED:
        return CONNECTED[given]
    if given is None:
        return default_device()
    name = f"cuda:{given}" if isinstance(given, int) and not isinstance(given, bool) else given
    kind, _, index = name.partition(":") if isinstance(name, str) else ("", "", "")
    if kind != "cuda" or (index and not index.isdigit()) or name == "cuda:":
        raise DeviceError(f'device: unknown device {given!r}: expected "cpu", "cuda" or "cuda:<index>"')
    from . import cuda

    found = cuda.connect(int(index or 0))
    return register(found)


def set_default_device(given: "str | Device") -> None:
    """Create new tensors of this thread on `given` from now on.

    >>> gg.set_default_device("cpu")
    >>> gg.zeros(2).device
    device('cpu')
    """
    thread.default = device(given)


def _reduce(self: Device) -> tuple:
    """Pickle a device by its name."""
    return device, (self.name,)


Device.__reduce__ = _reduce  # set here, because device.py does not know how devices are found
