"""Make gpugrad's cuda device that of the shadowed CuPy, before anything uses it."""

from __future__ import annotations

import ctypes
from typing import Any

import cupy
import numpy as np
from cupy.cuda import compiler, thrust

from gpugrad.backend.cuda import device
from gpugrad.backend.cuda.memory import CudaMemory
from gpugrad.errors import DeviceError

from . import kernels
from .shadow import Space, shadow_methods


def install() -> None:
    """Shadow CuPy, and let gpugrad's devices use it."""
    _without_compiler()
    shadow_methods()
    space: Any = Space(cupy, np)
    space.ndarray, space.ufunc = cupy.ndarray, cupy.ufunc
    device.connect = lambda index: _connected(index, space)
    _zero_new_memory()
    kernels.install()


def _without_compiler() -> None:
    """CuPy's own kernels are not compiled: the driver finds any function in their images, and does nothing."""

    def compile(source: str, options: tuple = (), arch: Any = None, *args: Any, **kwargs: Any) -> tuple:
        names = kwargs.get("name_expressions") or (args[1] if len(args) > 1 else None)
        return b"SHADOWED", {name: name for name in names} if names else None

    compiler.compile_using_nvrtc = compiler._compile_using_nvrtc_no_warning = compile
    for name in ("sort", "argsort", "lexsort"):
        setattr(thrust, name, lambda *args, **kwargs: None)


def _connected(index: int, space: Any) -> device.Device:
    if problem := device.diagnose():
        raise DeviceError(problem)
    return device.CudaDevice(index, space)


def _zero_new_memory() -> None:
    """What CuPy computes within a call reads this memory: leftovers could be lengths and indices."""
    allocate = CudaMemory.allocate

    def zeroed(self: Any, size: int, malloc: Any = None) -> Any:
        block = allocate(self, size, malloc)
        if size:
            ctypes.memset(block.ptr, 0, size)
        return block

    CudaMemory.allocate = zeroed  # type: ignore[method-assign]
