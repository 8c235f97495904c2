"""Kernels as a GPU's user launches them, on the real CuPy: NVRTC's code, found by its name, the errors, the memory.

`python -m tests.real_cupy.launches`: nothing is shadowed here, and kernels do nothing; what runs is everything around
them. With `--time`, the host's time for a launch.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from typing import Any

import cupy
import numpy as np

import gpugrad as gg
from gpugrad.backend.cuda import device as cuda_device
from gpugrad.backend.cuda import nvrtc
from gpugrad.errors import KernelError, OutOfMemoryError

TEXT = """
struct Pair { float a, b; };
__global__ void scale(float* out, const float* x, float by, long long n, Pair pair) {
    extern __shared__ float buffer[];
    if (threadIdx.x < n) out[threadIdx.x] = x ? by * x[threadIdx.x] + pair.a + buffer[0] : pair.b;
}
"""
KERNELS = gg.cuda.Kernels(gg.cuda.Source(text=TEXT, name="scale.cu"))


class Pair(ctypes.Structure):
    """The structure of the kernel."""

    _fields_ = [("a", ctypes.c_float), ("b", ctypes.c_float)]


def launch(shared: int = 0, x: Any = None) -> None:
    """Launch the kernel above."""
    out = cupy.zeros(4, np.float32)
    args = (out, x, np.float32(2), np.int64(4), Pair(1, 2))
    KERNELS.launch("scale", grid=(1,), block=(32,), args=args, shared=shared)


def launched() -> tuple[int, str]:
    """Return how many kernels the driver has launched, and the name of the last."""
    driver = ctypes.CDLL("libcuda.so.1")
    driver.fake_last.restype, driver.fake_launches.restype = ctypes.c_char_p, ctypes.c_long
    return driver.fake_launches(), driver.fake_last().decode()


def test_code_of_nvrtc_is_loaded_and_found() -> None:
    if problem := nvrtc.diagnose():
        print(f"skipped: {problem}")
        return
    launch(x=cupy.ones(4, np.float32))
    count, name = launched()
    launch()
    assert "scale" in name and launched() == (count + 1, name), launched()


def test_softmax_runs_its_kernel() -> None:
    x = gg.ones(3, 5, device="cuda", requires_grad=True)
    gg.softmax(x, axis=1)
    assert "softmax_forward" in launched()[1], launched()


def test_too_much_shared_memory_is_a_kernel_error() -> None:
    launch(shared=100_000)
    try:
        launch(shared=300_000)
    except KernelError as error:
        assert "300000 bytes shared" in str(error), error
    else:
        raise AssertionError("300,000 bytes of shared memory were granted")


def test_no_room_says_what_is_held() -> None:
    try:
        gg.empty(1 << 50, device="cuda", dtype="uint8")
    except OutOfMemoryError as error:
        assert "Try a smaller batch" in str(error), error
    else:
        raise AssertionError("a petabyte was allocated")


def test_the_users_allocator_stays() -> None:
    default, asked = cupy.get_default_memory_pool().malloc, []
    before = cupy.cuda.get_allocator()

    def own(size: int) -> Any:
        asked.append(size)
        return default(size)

    cupy.cuda.set_allocator(own)
    try:
        cuda_device.CudaDevice(0, cupy)
        gg.zeros(1000, device="cuda")
        assert cupy.cuda.get_allocator() is own and asked, cupy.cuda.get_allocator()
    finally:
        cupy.cuda.set_allocator(before)
    cupy.cuda.set_allocator(default)
    cuda_device.CudaDevice(0, cupy)
    assert cupy.cuda.get_allocator() != default


def test_one_gpu_is_never_selected() -> None:
    entered = []
    real = cupy.cuda.Device.__enter__

    class Device(cupy.cuda.Device):
        def __enter__(self) -> Any:
            entered.append(self.id)
            return real(self)

    before, cupy.cuda.Device = cupy.cuda.Device, Device
    try:
        launch()
        (gg.ones(3, device="cuda") + 1).sum()
    finally:
        cupy.cuda.Device = before
    assert not entered, entered


def microseconds(call: Callable[[], Any], count: int = 2000, rounds: int = 20) -> float:
    """Return the least time of a call."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - start) / count)
    return best * 1e6


def main(arguments: list[str]) -> int:
    """Run the tests of this file. Return 1 if one fails."""
    gg.device("cuda")
    found = [(name, value) for name, value in globals().items() if name.startswith("test_")]
    failed = 0
    for name, test in found:
        try:
            test()
        except Exception as error:
            failed += 1
            print(f"FAIL {name}: {type(error).__name__}: {error}")
    print(f"{len(found) - failed} passed, {failed} failed")
    if "--time" in arguments:
        x, out = cupy.ones(4, np.float32), cupy.zeros(4, np.float32)
        args = (out, x, np.float32(2), np.int64(4), Pair(1, 2))
        call = dict(grid=(1,), block=(32,), args=args)
        print(f"Kernels.launch: {microseconds(lambda: KERNELS.launch('scale', **call)):.1f} us of the host's time")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
