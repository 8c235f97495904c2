"""CUDA devices: GPUs through CuPy, or emulated ones. Everything here runs only once a cuda device was asked for."""

import os
from importlib import import_module
from typing import Any

from ..device import Device


def is_emulated() -> bool:
    """Return whether cuda devices are emulated on the CPU: the environment says GPUGRAD_CUDA=emulate.

    >>> gg.cuda.is_emulated() in (True, False)
    True
    """
    return os.environ.get("GPUGRAD_CUDA") == "emulate"


def _kind() -> Any:
    """The module of the devices that the environment asks for."""
    return import_module(".emulator.device" if is_emulated() else ".device", __name__)


def connect(index: int) -> Device:
    """The cuda device with this index. Raises DeviceError, with what mends it, where there is none."""
    return _kind().connect(index)


def count() -> int:
    """How many cuda devices there are."""
    return _kind().count()


def diagnose() -> str | None:
    """What keeps `device="cuda"` from working here and how to mend it, or None."""
    return _kind().diagnose()


def is_available() -> bool:
    """Return whether `device="cuda"` works here.

    >>> if gg.cuda.is_available():
    ...     x = gg.ones(3, device="cuda")
    """
    return diagnose() is None
