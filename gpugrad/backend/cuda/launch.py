"""The one way to launch a CUDA kernel: from a `.cu` file and the name of an instance to a grid over device arrays.

    softmax = Kernels("softmax.cu", lambda: [f"softmax_forward<{T}>" for T in FLOATS])
    softmax.launch(f"softmax_forward<{ctype(x)}>", grid=(rows,), block=(256,), args=(out, x, np.int64(columns)))

Nothing is compiled before the first launch of an instance. NVRTC compiles it for a GPU, the C++ compiler for the
emulated device; both keep their builds on disk.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import DTypeError, KernelError
from ..device import Device, device_of
from ..namespace import xp
from . import counting
from .sizes import launch_sizes
from .sources import Source, kernels

FLOATS = ("float", "double", "__half", "__nv_bfloat16")
_CTYPES = {
    "float32": "float", "float64": "double", "float16": "__half", "bfloat16": "__nv_bfloat16", "bool": "bool",
    "int8": "signed char", "uint8": "unsigned char", "int16": "short", "int32": "int", "int64": "long long",
    "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "unsigned long long",
}  # fmt: skip


def ctype(array: Any) -> str:
    """Return the C++ type of an array's elements, or of a dtype.

    >>> gg.cuda.ctype(gg.float16), gg.cuda.ctype(np.zeros(3, np.int64))
    ('__half', 'long long')
    """
    dtype = np.dtype(getattr(array, "dtype", array))
    if dtype.name not in _CTYPES:
        raise DTypeError(f"CUDA kernels have no type for {dtype}; they know {', '.join(_CTYPES)}")
    return _CTYPES[dtype.name]


def dense(array: Any) -> Any:
    """Return `array` if its elements lie in memory in C order, else a copy in C order.

    >>> array = np.ones((2, 3))
    >>> gg.cuda.dense(array) is array, gg.cuda.dense(array.T).flags.c_contiguous
    (True, True)
    """
    return array if array.flags.c_contiguous else xp(array).ascontiguousarray(array)


def aligned(*arrays: Any) -> bool:
    """Return whether each array (or None) begins at a multiple of 16 bytes, which loads of 16 bytes need."""
    return all(array is None or device_of(array).address(array) % 16 == 0 for array in arrays)


class Strided:
    """A marker around an array whose strides the kernel knows: it is launched as it is, contiguous or not.

    >>> array = np.ones((2, 3)).T
    >>> gg.cuda.Strided(array).array is array
    True
    """

    __slots__ = ("array",)

    def __init__(self, array: Any):
        self.array = array


class Block(NamedTuple):
    """The size of a block: threads, and bytes of dynamic shared memory."""

    threads: int
    shared: int = 0


class Kernels:
    """The kernels of one CUDA source, which are compiled when they are first launched.

    source: the name of a file in `kernels/`, a path, or a `Source`.
    instances: returns every instance that may be launched, so that all can be compiled ahead; None allows any.
    spills: the instances (patterns of `fnmatch`) that may spill registers to memory, and why.
    capability: the least compute capability that the code is for, 80 for 8.0.
    typical: returns the instances that stand for the family in gpugrad/cuda/MACHINE_CODE.md, with a block of a launch.

    >>> text = '__global__ void fill(float* out, long long n) { if (threadIdx.x < n) out[threadIdx.x] = 7; }'
    >>> kernels = gg.cuda.Kernels(gg.cuda.Source(text=text))
    >>> if gg.cuda.is_available():
    ...     out = gg.xp(gg.zeros(1, device="cuda")._array).zeros(4, np.float32)
    ...     kernels.launch("fill", grid=(1,), block=(32,), args=(out, np.int64(4)))
    """

    families: list[Kernels] = []

    def __init__(
        self,
        source: str | Path | Source,
        instances: Callable[[], Iterable[str]] | None = None,
        *,
        spills: Mapping[str, str] | None = None,
        capability: int = 0,
        typical: Callable[[], Mapping[str, Block]] | None = None,
    ):
        self._given, self._instances, self.spills = source, instances, dict(spills or {})
        self.capability, self._typical = capability, typical
        if instances is not None:
            Kernels.families.append(self)

    @cached_property
    def source(self) -> Source:
        """Return the translation unit."""
        given = self._given
        if isinstance(given, Source):
            return given
        path = Path(given)
        return Source(kernels() / path if len(path.parts) == 1 and not path.is_file() else path)

    def instances(self) -> list[str]:
        """Return every declared instance, as C++ names it."""
        return list(dict.fromkeys(self._instances())) if self._instances is not None else []

    def is_for(self, arch: str) -> bool:
        """Return whether the code compiles for an architecture such as "sm_90a"."""
        return self.capability <= int("".join(filter(str.isdigit, arch)))

    def typical(self) -> dict[str, Block]:
        """Return the instances whose machine code is watched, with a usual block of each."""
        return dict(self._typical()) if self._typical is not None else {}

    @cached_property
    def _known(self) -> frozenset[str] | None:
        return None if self._instances is None else frozenset(self.instances())

    def launch(
        self,
        instance: str,
        *,
        grid: Sequence,
        block: Sequence,
        args: Sequence,
        shared: int = 0,
        device: Device | None = None,
    ) -> None:
        """Run `instance` on the device of its arrays, in order with the other work of that device.

        grid, block: one to three sizes; an empty grid runs nothing.
        args: device arrays in C order (or `Strided`), NumPy scalars of exactly the parameters' types,
        `ctypes.Structure`s by value, None for a null pointer.
        shared: bytes of dynamic shared memory.
        device: where to run, for a kernel whose arrays' addresses are inside of a structure.
        Raises KernelError for what the device or the kernel cannot take.
        """
        if self._known is not None and instance not in self._known:
            raise KernelError(f"{self.source.name}: {instance} is not among its declared instances")
        blocks, threads, shared = launch_sizes(instance, grid, block, shared)
        if 0 in blocks:
            return
        device, plain = self._checked(instance, args, device)
        if self.capability > device.capability:
            raise KernelError(
                f"{instance} needs compute capability {self.capability / 10}, {device} has {device.capability / 10}"
            )
        if counting.active:
            counting.note("kernels", instance)
        device.launch(self.source, instance, blocks, threads, plain, shared)

    def _checked(self, instance: str, args: Sequence, device: Device | None) -> tuple[Device, list]:
        """Return the device of the arrays among `args`, and the arguments as that device takes them."""
        plain = []
        for i, value in enumerate(args):
            if value is not None and not isinstance(value, (np.generic, ctypes.Structure)):
                array = value.array if isinstance(value, Strided) else value
                if not hasattr(array, "dtype") or not hasattr(array, "flags"):
                    raise KernelError(f"{instance}: argument {i} is a {type(value).__name__}; {_TAKES}")
                if array is value and not array.flags.c_contiguous:
                    raise KernelError(
                        f"{instance}: argument {i} {array.shape} is not contiguous: dense(x) or Strided(x)"
                    )
                where = device_of(array)
                if device is not None and where is not device:
                    raise KernelError(f"{instance}: argument {i} is on {where}, those before it on {device}")
                device, value = where, array
            plain.append(value)
        if device is None:
            raise KernelError(f"{instance}: no argument is an array, which would say on which device to run")
        return device, plain


_TAKES = "a kernel takes device arrays, NumPy scalars such as np.int64(3), ctypes structures and None"
