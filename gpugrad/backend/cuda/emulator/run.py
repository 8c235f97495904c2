"""Launch kernels: check the arguments against the kernel's parameters, pack them, and turn a fault into an
exception."""

from __future__ import annotations

import ctypes
import json
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ....errors import EmulatorError, KernelError
from ..sizes import Size, launch_sizes
from ..sources import Source
from . import memory
from .lines import frames
from .options import SCHEDULES, current

_MAX_SHARED, _MAX_STATIC_SHARED = 227 << 10, 48 << 10
_WORDS = {
    "i": "a signed integer", "u": "an unsigned integer", "f": "a float", "b": "a bfloat16", "s": "a structure",
    "p": "a pointer",
}  # fmt: skip
_NUMPY_KINDS = {"i": "i", "u": "ub", "f": "f", "b": "V"}  # bfloat16's kind is V
_ELEMENT_KINDS = _NUMPY_KINDS | dict.fromkeys("ups", "biufcV")  # unsigned: words of any kind, which a kernel moves
_ALLOCATION = -3  # Region::kAllocation
_WATCHES = ("normal", "check", "record")  # the kinds of builds, as emulator::Watch numbers them
_RECORDS = 2


class _Parameter(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_int), ("kind", ctypes.c_char), ("item_kind", ctypes.c_char),
        ("item", ctypes.c_int), ("constant", ctypes.c_int),
    ]  # fmt: skip


class _Entry(ctypes.Structure):
    _fields_ = [("call", ctypes.c_void_p), ("count", ctypes.c_int), ("parameters", ctypes.POINTER(_Parameter))]


class _Region(ctypes.Structure):
    _fields_ = [
        ("begin", ctypes.c_void_p), ("bytes", ctypes.c_int64), ("parameter", ctypes.c_int32),
        ("constant", ctypes.c_int32),
    ]  # fmt: skip


class _Fault(ctypes.Structure):
    _fields_ = [
        ("message", ctypes.c_char * 1536),
        ("has_block", ctypes.c_int32),
        ("has_thread", ctypes.c_int32),
        ("block", ctypes.c_uint32 * 3),
        ("thread", ctypes.c_uint32 * 3),
        ("frame_count", ctypes.c_int32),
        ("other", ctypes.c_uint32),
        ("frames", ctypes.c_uint64 * 16),
    ]


_runtime: Any = None
_lock = threading.Lock()


def load_runtime(make: Callable[[], Path]) -> None:
    """Load the runtime that `make` makes, once, such that the kernels' libraries find its functions."""
    global _runtime
    with _lock:
        if _runtime is not None:
            return
        library = _open(make(), ctypes.RTLD_GLOBAL)
        library.emulator_find.restype = ctypes.c_void_p
        library.emulator_find.argtypes = [ctypes.c_void_p]
        library.emulator_shared_bytes.restype = ctypes.c_uint64
        library.emulator_shared_bytes.argtypes = [ctypes.c_void_p]
        pointer = ctypes.c_void_p
        library.emulator_recording.restype = ctypes.c_char_p
        library.emulator_launch.argtypes = [pointer, ctypes.c_char_p, ctypes.c_char_p, pointer, ctypes.c_int]
        _runtime = library


def _open(path: Path, mode: int) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path), mode=mode)
    except OSError as error:
        raise KernelError(f"cannot load a compiled kernel: {error}; GPUGRAD_CACHE may name another folder") from None


def load(path: Path, instances: Sequence[str], kind: str, source: Source) -> dict[str, Function]:
    """Return the functions of a kernel's library. kind: of the build, "normal", "check" or "record"."""
    library = _open(path, ctypes.RTLD_LOCAL)
    functions = {}
    for number, name in enumerate(instances):
        entry = _Entry.in_dll(library, f"emulator_entry_{number}")
        functions[name] = Function(name, path, entry, kind, source, is_only=len(instances) == 1)
    return functions


@dataclass(frozen=True, slots=True)
class Parameter:
    """A kernel's parameter. kind: 'p' pointer, 'i' or 'u' integer, 'f' float, 'b' bfloat16, 's' structure."""

    size: int
    kind: str
    item_kind: str  # of what a pointer points to
    item: int  # its bytes; 0 for void*
    const: bool  # whether a kernel only reads what it points to

    def __str__(self) -> str:
        if self.kind != "p":
            return f"{_WORDS[self.kind]} of {self.size} bytes"
        target = f"{self.item} bytes, {_WORDS[self.item_kind]}" if self.item else "void"
        return f"{'a const' if self.const else 'a'} pointer to {target}"

    def pack(self, value: Any) -> bytes:
        """Return the parameter's bytes. Raises KernelError, saying what was expected, if the value does not fit."""
        if self.kind == "p":
            return self._pack_pointer(value)
        if self.kind == "s":
            if isinstance(value, ctypes.Structure) and ctypes.sizeof(value) == self.size:
                return bytes(value)
        elif isinstance(value, np.generic):
            if value.dtype.kind in _NUMPY_KINDS[self.kind] and value.itemsize == self.size:
                return value.tobytes()
        raise KernelError(f"is {_describe(value)}, expected {self}")

    def _pack_pointer(self, value: Any) -> bytes:
        if value is None:
            return bytes(8)
        if not isinstance(value, np.ndarray) or not self._points_to(value.dtype):
            raise KernelError(f"is {_describe(value)}, expected {self}")
        address, readonly = value.__array_interface__["data"]
        if readonly and not self.const:
            raise KernelError("is a read-only array, but the kernel's parameter is not a pointer to const")
        return struct.pack("=Q", address)

    def _points_to(self, dtype: np.dtype) -> bool:
        """Whether elements of this dtype are what the kernel takes them for."""
        return not self.item or (dtype.itemsize == self.item and dtype.kind in _ELEMENT_KINDS[self.item_kind])


def _may_hold_pointers(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iu" and value.itemsize == 8
    return isinstance(value, ctypes.Structure)


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, ctypes.Structure):
        return f"a structure of {ctypes.sizeof(value)} bytes"
    return f"{type(value).__name__} {value!r}" if not isinstance(value, np.generic) else f"a scalar of {value.dtype}"


@dataclass(frozen=True)
class Recording:
    """What a launch of a kernel counted; `counts` is the text of runtime/recorder.cpp."""

    function: Function
    grid: Size
    block: Size
    dynamic_shared: int
    static_shared: int
    counts: dict[str, Any]


class Function:
    """A compiled instance of a kernel."""

    def __init__(self, name: str, library: Path, entry: _Entry, kind: str, source: Source, is_only: bool):
        self.name, self.kind, self.source, self.library = name, kind, source, library
        self.handle = _runtime.emulator_find(ctypes.addressof(entry))
        self.parameters = [
            Parameter(p.size, p.kind.decode(), p.item_kind.decode(), p.item, bool(p.constant))
            for p in entry.parameters[: entry.count]
        ]
        self._entry = entry  # keeps the loaded library alive
        # What several instances of one library have is only known together.
        self._static_shared = _runtime.emulator_shared_bytes(self.handle) if is_only else 0
        if self._static_shared > _MAX_STATIC_SHARED:
            raise KernelError(
                f"{name}: {self._static_shared} bytes of static shared memory, the device allows {_MAX_STATIC_SHARED}"
            )

    def __repr__(self) -> str:
        return f"<emulated kernel {self.name}>"

    def launch(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared: int = 0) -> None:
        """Run the kernel and wait for it, under the options in force; an empty grid runs nothing.

        args: arrays (the kernel gets a pointer to the first element), NumPy scalars of exactly the parameter's type,
        ctypes structures, None for a null pointer. Raises KernelError for arguments or sizes that the kernel or the
        device do not allow, EmulatorError for what went wrong in the kernel.
        """
        grid, block, shared = launch_sizes(self.name, grid, block, shared)
        packed = self._pack(args)
        if self._static_shared + shared > _MAX_SHARED:
            raise KernelError(
                f"{self.name}: {self._static_shared} bytes of static and {shared} of dynamic shared memory, "
                f"a block has {_MAX_SHARED}"
            )
        if 0 in grid:
            return
        now, watch = current(), _WATCHES.index(self.kind)
        configuration = struct.pack(
            "=8IQ3I",
            *grid, *block, shared, SCHEDULES.index(now.schedule),
            now.seed & (2**64 - 1), 1 if watch else now.workers, round(now.timeout * 1000), watch,
        )  # fmt: skip
        regions, count = self._regions(args) if watch else (None, 0)
        if _runtime.emulator_launch(self.handle, configuration, packed, regions, count):
            raise EmulatorError(f"{self.name}: {self._explain()}")
        if watch == _RECORDS and now.record is not None:
            now.record(
                Recording(self, grid, block, shared, self._static_shared, json.loads(_runtime.emulator_recording()))
            )

    def _pack(self, args: Sequence[Any]) -> bytes:
        if len(args) != len(self.parameters):
            raise KernelError(f"{self.name}: {len(args)} arguments given, expected {len(self.parameters)}")
        parts = []
        for number, (parameter, value) in enumerate(zip(self.parameters, args, strict=True)):
            try:
                parts.append(parameter.pack(value))
            except KernelError as error:
                raise KernelError(f"{self.name}: argument {number} {error}") from None
        return b"".join(parts)

    def _regions(self, args: Sequence[Any]) -> tuple[ctypes.Array, int]:
        """Return the memory that the kernel may touch: its arrays, and all others if it may have pointers to them."""
        found = []
        for number, value in enumerate(args):
            if isinstance(value, np.ndarray) and value.size:
                begin, end = byte_bounds(value)
                found.append(_Region(begin, end - begin, number, self.parameters[number].const))
        if any(map(_may_hold_pointers, args)):
            found += [_Region(begin, size, _ALLOCATION, False) for begin, size in memory.live() if size]
        return (_Region * (len(found) + 1))(*found), len(found)

    def _explain(self) -> str:
        fault = _Fault()
        _runtime.emulator_fault(ctypes.byref(fault))
        text = fault.message.decode(errors="replace")
        if fault.other:
            text += f" (the earlier at {self._place([fault.other])})"
        if fault.frame_count:
            text += f", at {self._place(fault.frames[: fault.frame_count])}"
        if fault.has_block:
            text += f", block ({','.join(map(str, fault.block))})"
        if fault.has_thread:
            text += f", thread ({','.join(map(str, fault.thread))})"
        return text

    def _place(self, offsets: Sequence[int]) -> str:
        return _place(self.library, self.source.name, offsets)


def _place(library: Path, source: str, offsets: Sequence[int]) -> str:
    """Return the source lines of these offsets in a library, innermost first: "a.cuh:3, called from b.cu:7"."""
    found = frames(library, offsets)
    if found is None:
        return "an unknown line (binutils' addr2line is missing)"
    lines: list[str] = []
    for place in (place for each in found for place in each.places):
        short = f"{Path(place.file).name or source}:{place.line}"
        if lines[-1:] != [short]:
            lines.append(short)
    return ", called from ".join(lines[:4]) or "an unknown line"
