"""One launch updates all parameters of a step on a cuda device (kernels/optim.cu)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..backend.capture import Capture
from ..backend.cuda.launch import FLOATS, Block, Kernels, ctype
from ..backend.devices import Device

# functor -> the possible numbers of state arrays of a parameter
STATE_COUNTS = {
    "SGD": (0, 1), "Lion": (1,), "Adam": (2, 3), "NAdam": (2,), "RAdam": (2,), "Adamax": (2,), "Adagrad": (1,),
    "Adadelta": (2,), "RMSprop": (1, 2, 3), "Rprop": (2,), "ASGD": (1,),
}  # fmt: skip
kernels = Kernels(
    "optim.cu",
    lambda: [
        f"optimizer_step<{functor}, {T}, {count}>"
        for functor, counts in STATE_COUNTS.items()
        for count in counts
        for T in FLOATS
    ],
    typical=lambda: {
        f"optimizer_step<{kind}>": Block(_THREADS)
        for kind in ("Adam, float, 2", "Adam, __nv_bfloat16, 2", "SGD, float, 1", "SGD, float, 0", "Lion, float, 1")
    },
)

_CHUNK, _THREADS = 8192, 256  # kChunk and kThreads of the kernel
_KEPT_TABLES = 16  # of an optimizer: the allocator gives gradients the same few sets of addresses again and again

Tables = dict[tuple, tuple[Any, int]]


def step(functor: str, fields: Sequence[float], device: Device, tensors: Sequence[Sequence], tables: Tables) -> None:
    """Update parameters of one dtype by the functor with these fields.

    `tensors` holds [parameter, gradient, *state] of each parameter, contiguous arrays. `tables` keeps the tables of
    addresses that are in the device's memory already.
    """
    key = _addresses(device, tensors)
    if key not in tables:
        if len(tables) >= _KEPT_TABLES:
            tables.clear()
        rows, chunks = _table(key, tensors)
        tables[key] = device.asarray(rows), chunks
    _launch(functor, fields, tensors, *tables[key])


def captured_step(
    functor: str, fields: Callable[[], Sequence[float]], tensors: Sequence[Sequence], captured: Capture
) -> None:
    """Record such an update in a captured step, in which the arrays stay where they are; `fields` gives the fields of
    each replay."""
    rows, chunks = _table(_addresses(captured.device, tensors), tensors)
    given = fields()
    first = tensors[0][0]
    stored = captured.numbers(len(given), np.float64 if first.itemsize == 8 else np.float32, fields)
    skip = None if captured.skip is None else captured.skip.array
    _launch(functor, given, tensors, captured.constant(rows), chunks, stored, skip)


def _launch(
    functor: str, fields: Sequence[float], tensors: Sequence[Sequence], table: Any, chunks: int, *places: Any
) -> None:
    first = tensors[0][0]
    name = f"optimizer_step<{functor}, {ctype(first)}, {len(tensors[0]) - 2}>"
    struct = _struct(len(fields), first.itemsize == 8)(*map(float, fields))
    args = (table, np.int64(len(tensors)), struct, *(places or (None, None)))
    kernels.launch(name, grid=(chunks,), block=(_THREADS,), args=args)


def _addresses(device: Device, tensors: Sequence[Sequence]) -> tuple:
    """Return the addresses of all arrays and then the sizes of the parameters."""
    address = device.address
    return tuple([address(array) for arrays in tensors for array in arrays] + [arrays[0].size for arrays in tensors])


def _table(key: tuple, tensors: Sequence[Sequence]) -> tuple[np.ndarray, int]:
    """Return the kernel's table of `tensors`, from what `_addresses` returned, and the number of blocks of the grid."""
    rows = np.zeros((len(tensors), 6), np.int64)
    rows[:, : len(tensors[0])] = np.reshape(key[: -len(tensors)], (len(tensors), -1))
    rows[:, 5] = key[-len(tensors) :]
    counts = -(-rows[:, 5] // _CHUNK)
    owner = np.repeat(np.arange(len(tensors)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.concatenate([rows.ravel(), np.stack([owner, place * _CHUNK], axis=1).ravel()]), len(owner)


@cache
def _struct(count: int, double: bool) -> Any:
    """Return a C struct of `count` floats or doubles, which is laid out as a functor."""
    kind = ctypes.c_double if double else ctypes.c_float
    return type("Fields", (ctypes.Structure,), {"_fields_": [(f"field{i}", kind) for i in range(count)]})
