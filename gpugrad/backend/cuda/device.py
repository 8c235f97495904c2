"""The cuda device: CuPy's arrays and namespace behind the same interface as the CPU's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ...errors import DeviceError, KernelError
from .. import namespace
from ..device import CONNECTED, Device, register, register_arrays
from .arguments import by_value
from .corrections import corrections
from .diagnosis import explain
from .gemm import Product
from .graphs import CudaGraph
from .memory import CudaMemory
from .sources import Source

_HERE = nullcontext()
_LEAST = 75  # compute capability: what the newest NVRTC still compiles for


class CudaDevice(Device):
    """One GPU. Results stay there: only `to_host` waits for them."""

    __slots__ = (
        "_cupy", "_kernels", "_granted", "_products",
        "is_only", "has_products", "memory", "shared_bytes", "multiprocessors", "capability", "capturing",
    )  # fmt: skip

    def __init__(self, index: int, cupy: Any):
        super().__init__("cuda", index, f"cuda:{index}")
        self._cupy, self._kernels, self._products = cupy, {}, None
        self._granted: dict[Any, int] = {}  # kernel -> the most dynamic shared memory asked for so far
        self.has_products = find_spec("nvmath") is not None
        self.capability = int(cupy.cuda.Device(index).compute_capability)
        attributes = cupy.cuda.Device(index).attributes
        self.shared_bytes = attributes["MaxSharedMemoryPerBlockOptin"]
        self.multiprocessors = attributes["MultiProcessorCount"]
        self.memory = CudaMemory(cupy, index)
        self.capturing: CudaGraph | None = None  # the graph that captures now
        self.is_only = cupy.cuda.runtime.getDeviceCount() == 1
        self._count_memory()
        self.xp = _arrays(cupy) if self.is_only else Selecting(_arrays(cupy), self)

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        if isinstance(array, (np.ndarray, np.generic)) and not array.ndim:  # a kernel's argument, not an upload
            return self.full((), array, array.dtype if dtype is None else dtype)
        with self.selected():
            return self._cupy.asarray(array, dtype)

    def to_host(self, array: Any, blocking: bool = True) -> np.ndarray:
        with self.selected():
            if blocking:
                return self._cupy.asnumpy(array)
            out = self.pinned(array.shape, array.dtype)
            return self._cupy.asnumpy(array, out=out, blocking=False)

    def pinned(self, shape: tuple, dtype: np.dtype) -> np.ndarray:
        """Return a host array in page-locked memory, which a GPU copies to and from while the program goes on."""
        import cupyx

        return cupyx.empty_pinned(shape, dtype)

    def synchronize(self) -> None:
        """Wait until this device has finished all its work."""
        with self.selected():
            self._cupy.cuda.runtime.deviceSynchronize()

    def full(self, shape: tuple, value: Any, dtype: np.dtype) -> Any:
        value = np.asarray(value, dtype)[()]
        with self.selected():
            return self._cupy.full(shape, value, dtype)

    def selected(self) -> AbstractContextManager:
        return _HERE if self.is_only else self._cupy.cuda.Device(self.index)

    def address(self, array: Any) -> int:
        return array.data.ptr

    def launch(self, source: Source, instance: str, grid: tuple, block: tuple, args: Sequence, shared: int) -> None:
        if self.capturing is not None:
            self.capturing.keep([a for a in args if hasattr(a, "data")])
        with self.selected():
            kernel = self._kernel(source, instance)
            try:
                if shared > self._granted.get(kernel, 0):  # beyond 48 KiB, with the static part, it must be asked for
                    kernel.max_dynamic_shared_size_bytes = shared
                    self._granted[kernel] = shared
                kernel(grid, block, by_value(args), shared_mem=shared)
            except self._cupy.cuda.driver.CUDADriverError as error:
                raise KernelError(f"{instance}: {error}; grid {grid}, block {block}, {shared} bytes shared") from None

    def multiply(self, asked: Product, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
        if self.capturing is not None:
            self.capturing.keep((first, second, out, bias, aux))
        with self.selected():
            if self._products is None:
                from .cublaslt import CublasLt

                self._products = CublasLt(self._cupy)
            self._products.multiply(asked, first, second, out, bias, aux)

    def _kernel(self, source: Source, instance: str) -> Any:
        """Return CuPy's kernel, a RawKernel, which was loaded in this device's context; its first use compiles it."""
        if (source, instance) not in self._kernels:
            from . import nvrtc

            cubin = nvrtc.compile(source, [instance], self.arch)
            module = self._cupy.RawModule(path=str(cubin.path))  # CuPy loads a file once for each context
            self._kernels[source, instance] = module.get_function(cubin.names[instance])
        return self._kernels[source, instance]

    def graph(self) -> CudaGraph:
        with self.selected():
            return CudaGraph(self, self._cupy)

    def _count_memory(self) -> None:
        """Let CuPy's allocations go through `memory`, unless an allocator of the user's is in CuPy's place."""
        cuda = self._cupy.cuda
        if cuda.get_allocator() == self._cupy.get_default_memory_pool().malloc:
            cuda.set_allocator(self.memory.allocate if self.is_only else _allocate)

    def stream(self) -> Any:
        """Return a new stream, which does not wait for the default one."""
        with self.selected():
            return self._cupy.cuda.Stream(non_blocking=True)

    def current_stream(self) -> Any:
        """Return the stream in use."""
        with self.selected():
            return self._cupy.cuda.get_current_stream()

    @property
    def arch(self) -> str:
        """Return NVRTC's name of the architecture: "sm_80", or "sm_90a" for Hopper with its own instructions."""
        return f"sm_{self.capability}" + ("a" if self.capability >= 90 else "")


class Selecting:
    """An array namespace whose functions run on `device`, for machines with several."""

    def __init__(self, arrays: Any, device: Device):
        self._arrays, self._device = arrays, device

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._arrays, name)
        if not callable(value) or isinstance(value, type):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._device.selected():
                return value(*args, **kwargs)

        setattr(self, name, call)
        return call


def _allocate(size: int) -> Any:
    """Return a block of the current one of several devices."""
    import cupy

    return _connected(cupy.cuda.runtime.getDevice()).memory.allocate(size)


@cache
def _arrays(cupy: Any) -> Any:
    """Return CuPy's namespace, registered as that of its arrays."""
    import cupyx

    made = namespace.Namespace(cupy, "cuda", **corrections(cupy, lambda: cupyx.errstate(linalg="raise")))
    namespace.register_type(cupy.ndarray, made)
    register_arrays(cupy.ndarray, lambda array: _connected(array.device.id))
    return made


def _connected(index: int) -> Any:
    """Return the device with this index; connect it if an array on it was made before anyone asked for the device."""
    return CONNECTED.get(index) or register(connect(index))


def count() -> int:
    """Return the number of GPUs."""
    import cupy

    return cupy.cuda.runtime.getDeviceCount()


def connect(index: int) -> Device:
    """Return the GPU with this index. Raises DeviceError, with the command that helps, if there is none."""
    problem = diagnose()
    if problem is not None:
        raise DeviceError(f'device "cuda:{index}": {problem}')
    import cupy

    if index >= count():
        raise DeviceError(f'device "cuda:{index}": this machine has {count()} GPU(s), numbered from 0')
    capability = int(cupy.cuda.Device(index).compute_capability)
    if capability < _LEAST:
        raise DeviceError(
            f'device "cuda:{index}" has compute capability {capability / 10}; the kernels need {_LEAST / 10} (Turing)'
        )
    return CudaDevice(index, cupy)


def diagnose() -> str | None:
    """Return why cuda does not work here and what to do, or None if it works."""
    failure = why()
    return None if failure is None else explain(failure)


def why() -> Exception | None:
    """Return what CuPy raises here when it is imported and asked for GPUs, or None if it finds some."""
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its own runtime errors here, of several classes
        return error
    return None if count else DeviceError("the NVIDIA driver reports no GPU")
