"""CUDA devices: GPUs through CuPy, or emulated ones. Everything here runs only after a cuda device was asked for.

A kernel call goes from `launch.Kernels` (source and instance) to the device, which compiles it (`nvrtc`, or the
emulator's `build`) unless `builds` has it on disk, packs the arguments and runs it. Matrix products go from
`gemm.product` to cuBLASLt. A device's `graph()` captures such work and replays it as a whole (`graphs`); what changes
between replays comes from `backend.capture`.
"""

import os
from importlib import import_module
from typing import Any

from ..device import Device


def is_emulated() -> bool:
    """Return whether cuda devices are emulated on the CPU, which GPUGRAD_CUDA=emulate in the environment requests.

    >>> gg.cuda.is_emulated() in (True, False)
    True
    """
    return os.environ.get("GPUGRAD_CUDA") == "emulate"


def _kind() -> Any:
    """Return the module of the devices that the environment requests."""
    return import_module(".emulator.device" if is_emulated() else ".device", __name__)


def connect(index: int) -> Device:
    """Return the cuda device with this index. Raises DeviceError, which says what to do, if there is none."""
    return _kind().connect(index)


def count() -> int:
    """Return the number of cuda devices."""
    return _kind().count()


def diagnose() -> str | None:
    """Return why `device="cuda"` does not work here and what to do, or None if it works."""
    return _kind().diagnose()


def is_available() -> bool:
    """Return whether `device="cuda"` works here.

    >>> if gg.cuda.is_available():
    ...     x = gg.ones(3, device="cuda")
    """
    return diagnose() is None
