"""The emulated cuda devices: two of them, so that code for several GPUs can be run as well."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ....errors import DeviceError
from ... import namespace
from ...device import CONNECTED, Device, register, register_arrays
from ..corrections import corrections
from ..device import Selecting
from ..gemm import Product, emulate
from ..sources import Source
from .arrays import EmulatedArray, library, recorder, use_device
from .build import available, build
from .graphs import EmulatedGraph
from .manners import checked_linalg
from .memory import ALIGNMENT, allocate
from .options import current
from .pools import pools


class EmulatedDevice(Device):
    """A cuda device whose memory is the host's and whose kernels run on the CPU."""

    __slots__ = ("memory",)
    is_only = False
    has_products = True

    def __init__(self, index: int):
        super().__init__("cuda", index, f"cuda:{index}")
        self.memory = pools[index]
        self.xp = Selecting(_arrays(), self)

    def asarray(self, array: Any, dtype: np.dtype | None = None) -> Any:
        if isinstance(array, (np.ndarray, np.generic)) and not array.ndim:  # a kernel's argument, not an upload
            return self.full((), array, array.dtype if dtype is None else dtype)
        with self.selected():
            return library.asarray(array, dtype)

    def to_host(self, array: Any, blocking: bool = True) -> np.ndarray:
        return array.get()

    def full(self, shape: tuple, value: Any, dtype: np.dtype) -> Any:
        with self.selected():
            return library.full(shape, np.asarray(value, dtype)[()], dtype)

    def stream(self) -> EmulatedStream:
        """Return a stream."""
        return EmulatedStream()

    current_stream = stream

    def selected(self) -> AbstractContextManager:
        return use_device(self.index or 0)

    def address(self, array: Any) -> int:
        return array.host.ctypes.data

    def launch(self, source: Source, instance: str, grid: tuple, block: tuple, args: Sequence, shared: int) -> None:
        now = current()
        function = build(source, [instance], check=now.check, record=now.record is not None)[instance]
        plain = [value.host if isinstance(value, EmulatedArray) else value for value in args]
        if now.record is not None:
            with _where_a_gpu_has_them(args) as plain:
                function.launch(grid, block, plain, shared)
        elif (taker := recorder()) is None:
            function.launch(grid, block, plain, shared)
        else:
            taker.launch(function, grid, block, plain, shared)

    def multiply(self, asked: Product, first: Any, second: Any, out: Any, bias: Any, aux: Any) -> None:
        arrays = [None if a is None else a.host for a in (first, second, out, bias, aux)]
        if (taker := recorder()) is None:
            emulate(asked, *arrays)
        else:
            taker.note("product", asked.epilogue, arrays, lambda: emulate(asked, *arrays))

    def graph(self) -> EmulatedGraph:
        """Return a new graph."""
        return EmulatedGraph()

    def synchronize(self) -> None:
        if (taker := recorder()) is not None:
            taker.refuse("waits for the device")


@contextmanager
def _where_a_gpu_has_them(args: Sequence) -> Iterator[list]:
    """Give the arrays' host memory, beginning at multiples of 256 bytes as a GPU's memory does.

    Results of NumPy's functions lie elsewhere: they are copied, and back, as long as a launch counts sectors.
    """
    plain, moved = list(args), {}
    for i, value in enumerate(args):
        if not isinstance(value, EmulatedArray):
            continue
        plain[i], owner = value.host, value
        while owner.base is not None:
            owner = owner.base
        begin, end = byte_bounds(owner.host)
        if begin % ALIGNMENT == 0 or not value.size:
            continue
        if begin not in moved:
            own = np.ctypeslib.as_array((ctypes.c_uint8 * (end - begin)).from_address(begin))
            moved[begin] = own, allocate(end - begin)
            moved[begin][1][:] = own
        host, place = value.host, value.host.ctypes.data - begin
        plain[i] = np.ndarray(host.shape, host.dtype, moved[begin][1].data, place, host.strides)
    yield plain
    for own, room in moved.values():
        own[:] = room


@cache
def _arrays() -> Any:
    """Return the namespace of emulated arrays."""
    made = namespace.Namespace(library, "cuda", **corrections(library, checked_linalg))
    namespace.register_type(EmulatedArray, made)
    register_arrays(EmulatedArray, lambda array: _connected(array.device_index))
    return made


def _connected(index: int) -> Device:
    """Return the device with this index; connect it if an array on it was made before anyone asked for the device."""
    return CONNECTED.get(index) or register(connect(index))


class EmulatedStream:
    """A stream that is always empty: the emulator has done everything when a call returns."""

    def synchronize(self) -> None:
        """Return at once: there is nothing to wait for."""

    def record(self) -> None:
        """Do nothing: there is nothing to mark."""

    def wait_event(self, event: Any) -> None:
        """Return at once: there is nothing to wait for."""

    def __enter__(self) -> EmulatedStream:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def count() -> int:
    """Return the number of emulated devices."""
    return len(pools)


def connect(index: int) -> Device:
    """Return the emulated device with this index. Raises DeviceError if the emulator cannot run."""
    problem = diagnose()
    if problem is not None:
        raise DeviceError(f'device "cuda:{index}": {problem}')
    if index >= len(pools):
        raise DeviceError(f'device "cuda:{index}": there are {len(pools)} emulated devices, numbered from 0')
    return EmulatedDevice(index)


def diagnose() -> str | None:
    """Return why the emulator cannot run here, or None if it can."""
    return available()
