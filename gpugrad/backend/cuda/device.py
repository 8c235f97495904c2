"""The cuda device: CuPy's arrays and namespace behind the same interface as the CPU's."""

import os
from typing import Any

import numpy as np

from ...errors import DeviceError
from .. import namespace
from ..devices import Device

_INSTALL = "pip install 'gpugrad[cuda13]' (CUDA 13 driver) or 'gpugrad[cuda12]'"


class CudaDevice(Device):
    """One GPU. Results stay there: only `to_host` synchronises."""

    __slots__ = ("_cupy", "_xp")

    def __init__(self, index: int, cupy: Any):
        super().__init__("cuda", index, f"cuda:{index}")
        self._cupy = cupy
        from cupyx.scipy import special

        self._xp = namespace.Namespace(cupy, "cuda", erf=special.erf, erfc=special.erfc, erfinv=special.erfinv)
        namespace.register_type(cupy.ndarray, self._xp)

    @property
    def xp(self) -> Any:
        return self._xp

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        with self._cupy.cuda.Device(self.index):
            return self._cupy.asarray(array, dtype)

    def to_host(self, array: Any) -> np.ndarray:
        return self._cupy.asnumpy(array)


def connect(index: int) -> Device:
    """The GPU with this index. Raises DeviceError, with the command that mends it, where there is none."""
    if os.environ.get("GPUGRAD_CUDA") == "emulate":
        raise DeviceError("GPUGRAD_CUDA=emulate: this version of gpugrad has no emulated device; unset the variable")
    problem = diagnose()
    if problem is not None:
        raise DeviceError(f'device "cuda:{index}": {problem}')
    import cupy

    count = cupy.cuda.runtime.getDeviceCount()
    if index >= count:
        raise DeviceError(f'device "cuda:{index}": this machine has {count} GPU(s), numbered from 0')
    return CudaDevice(index, cupy)


def diagnose() -> str | None:
    """What keeps cuda from working here and how to mend it, or None."""
    try:
        import cupy
    except ImportError as error:
        return f"CuPy cannot be imported ({error}); install it with {_INSTALL}"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its own runtime errors here, of several classes
        return f"CuPy {cupy.__version__} finds no usable NVIDIA driver ({error}); install or update the driver"
    return None if count else "the NVIDIA driver reports no GPU"


def is_available() -> bool:
    """Whether `device="cuda"` works here."""
    return diagnose() is None
