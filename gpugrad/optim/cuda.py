"""One launch for all parameters of a step (kernels/optimizer.cu)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..backend.cuda.launch import FLOATS, Kernels, ctype
from ..backend.devices import Device

# functor -> how many states a parameter may have
STATES = {
    "SGD": (0, 1), "Lion": (1,), "Adam": (2, 3), "NAdam": (2,), "RAdam": (2,), "Adamax": (2,), "Adagrad": (1,),
    "Adadelta": (2,), "RMSprop": (1, 2, 3), "Rprop": (2,), "ASGD": (1,),
}  # fmt: skip
kernels = Kernels(
    "optimizer.cu",
    lambda: [f"optimizer_step<{f}, {T}, {s}>" for f, counts in STATES.items() for s in counts for T in FLOATS],
)

_CHUNK, _THREADS = 8192, 256  # kChunk and kThreads of the kernel
_KEPT = 16  # tables of an optimizer: gradients come back at a few sets of addresses

Tables = dict[tuple, tuple[Any, int]]


def step(functor: str, scalars: Sequence[float], device: Device, tensors: Sequence[Sequence], tables: Tables) -> None:
    """Update parameters of one dtype: `tensors` are [p, g, *states], contiguous; `tables` keeps what the device has."""
    table, chunks = _table(device, tensors, tables)
    first = tensors[0][0]
    name = f"optimizer_step<{functor}, {ctype(first)}, {len(tensors[0]) - 2}>"
    numbers = _numbers(len(scalars), first.itemsize == 8)(*map(float, scalars))
    kernels.launch(name, grid=(chunks,), block=(_THREADS,), args=(table, np.int64(len(tensors)), numbers))


def _table(device: Device, tensors: Sequence[Sequence], tables: Tables) -> tuple[Any, int]:
    """The table of `tensors` in the device's memory, and how many blocks it is for."""
    address = device.address
    key = tuple([address(array) for arrays in tensors for array in arrays] + [arrays[0].size for arrays in tensors])
    if key not in tables:
        rows = np.zeros((len(tensors), 6), np.int64)
        rows[:, : len(tensors[0])] = np.reshape(key[: -len(tensors)], (len(tensors), -1))
        rows[:, 5] = key[-len(tensors) :]
        counts = -(-rows[:, 5] // _CHUNK)
        owner = np.repeat(np.arange(len(tensors)), counts)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        whole = np.concatenate([rows.ravel(), np.stack([owner, place * _CHUNK], axis=1).ravel()])
        if len(tables) >= _KEPT:
            tables.clear()
        tables[key] = device.asarray(whole), len(owner)
    return tables[key]


@cache
def _numbers(count: int, double: bool) -> Any:
    kind = ctypes.c_double if double else ctypes.c_float
    return type("Numbers", (ctypes.Structure,), {"_fields_": [(f"number{i}", kind) for i in range(count)]})
