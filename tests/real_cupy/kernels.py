"""gpugrad's own kernels, run by its emulator when the driver in host memory launches them.

Nothing between `Kernels.launch` and the driver is replaced but NVRTC: its place is taken by a file that names the
instance. CuPy loads it, finds the function and packs the arguments. The handler here compares the packed bytes with
what the kernel takes, and runs it on CuPy's memory.
"""

from __future__ import annotations

import ctypes
import itertools
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cupy
import numpy as np
from cupy_backends.cuda.api import runtime

from gpugrad.backend.cuda import device, gemm, nvrtc
from gpugrad.backend.cuda.emulator.build import build
from gpugrad.backend.cuda.emulator.options import current
from gpugrad.errors import KernelError

from .shadow import host

_LAUNCH_FAILED = 719
_HANDLER = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.c_uint, ctypes.POINTER(ctypes.c_void_p)
)
_numbers = itertools.count()
_images: dict[tuple, nvrtc.Cubin] = {}  # (source, instance) -> its file
_launch = threading.local()  # of this thread: what is being launched, and the error of its kernel
_kept: list[Any] = []  # the handler, the folder of the files


def install() -> None:
    """Run every kernel that a CudaDevice launches from now on, and the products of cuBLASLt, on the CPU."""
    folder = tempfile.TemporaryDirectory()

    def compile(source: Any, instances: Sequence[str], arch: str, **options: Any) -> nvrtc.Cubin:
        (instance,) = instances
        if (source, instance) not in _images:
            name = f"kernel{next(_numbers)}"
            path = Path(folder.name, name)
            path.write_bytes(b"EMULATED\0" + name.encode() + b"\0")
            _images[source, instance] = nvrtc.Cubin(path, {instance: name}, "")
        return _images[source, instance]

    handler = _HANDLER(_run)
    ctypes.CDLL("libcuda.so.1").fake_set_handler(handler)
    _kept.extend([folder, handler])
    nvrtc.compile = compile  # type: ignore[assignment]
    device.CudaDevice.launch = _launching(device.CudaDevice.launch)  # type: ignore[method-assign]
    device.CudaDevice.multiply = _multiply  # type: ignore[method-assign]


def _launching(real: Callable) -> Callable:
    def launch(self: Any, source: Any, instance: str, grid: tuple, block: tuple, args: Sequence, shared: int) -> None:
        plain = [host(value) if isinstance(value, cupy.ndarray) else value for value in args]
        _launch.asked, _launch.error = (source, instance, grid, block, plain, shared), None
        try:
            real(self, source, instance, grid, block, args, shared)
        except Exception:
            if _launch.error is not None:
                raise _launch.error from None
            raise

    return launch


def _run(name: bytes, sizes: Any, shared: int, addresses: Any) -> int:
    """The driver's launch: check that it is the one that was asked for, and run it."""
    try:
        source, instance, grid, block, args, dynamic = _launch.asked
        if (_images[source, instance].names[instance].encode(), tuple(sizes[:6]), shared) != (
            name,
            grid + block,
            dynamic,
        ):
            raise KernelError(f"{instance}: grid {grid}, block {block} was launched as {name}, {sizes[:6]}, {shared}")
        function = build(source, [instance], check=current().check)[instance]
        if not _is_captured():  # captured work is not done yet
            function.launch(grid, block, args, dynamic)
        for number, (parameter, value) in enumerate(zip(function.parameters, args, strict=True)):
            is_empty = isinstance(value, np.ndarray) and not value.size  # its address means nothing
            packed, given = parameter.pack(value), ctypes.string_at(addresses[number], parameter.size)
            if packed != given and not is_empty:
                raise KernelError(f"{instance}: argument {number} was packed as {given.hex()}, it is {packed.hex()}")
    except Exception as error:
        _launch.error = error
        return _LAUNCH_FAILED
    return 0


def _is_captured() -> bool:
    return runtime.streamIsCapturing(cupy.cuda.get_current_stream().ptr)


def _multiply(self: Any, asked: Any, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
    if not _is_captured():
        gemm.emulate(asked, *(None if array is None else host(array) for array in (first, second, out, bias, aux)))
