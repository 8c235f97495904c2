"""CUDA devices: GPUs through CuPy, or emulated ones. Everything here runs only once a cuda device was asked for."""

import os
from importlib import import_module
from typing import Any

from ..device import Device


def is_emulated() -> bool:
    """Whether cuda devices are emulated on the CPU: the environment says GPUGRAD_CUDA=emulate."""
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
    """Whether `device="cuda"` works here."""
    return diagnose() is None
