"""Many tensors in one launch: the struct `Tensors` of kernels/tensors.cuh, which a kernel takes by value."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import Any

from ..device import Device

TENSORS, CHUNK, THREADS = 128, 8192, 256  # kTensors, kChunk and kThreads of kernels/tensors.cuh
_MOST_BLOCKS = 2**31 - 1

_Addresses = ctypes.c_void_p * TENSORS


class Tensors(ctypes.Structure):
    """The addresses and sizes of up to TENSORS tensors, in pairs: what is written, and what is read."""

    _fields_ = [
        ("to", _Addresses), ("from_", _Addresses), ("size", ctypes.c_longlong * TENSORS),
        ("first_block", ctypes.c_int * (TENSORS + 1)), ("count", ctypes.c_int),
    ]  # fmt: skip


def batches(device: Device, to: Sequence, sources: Sequence) -> Iterator[tuple[Tensors, int]]:
    """Yield, for the contiguous arrays `to` and `sources` of equal sizes, each launch's argument and its blocks."""
    address, made, blocks = device.address, Tensors(), 0
    for target, source in zip(to, sources, strict=True):
        more = -(-target.size // CHUNK)
        if made.count == TENSORS or blocks + more > _MOST_BLOCKS:
            yield made, blocks
            made, blocks = Tensors(), 0
        if not more:
            continue
        i = made.count
        made.to[i], made.from_[i], made.size[i] = address(target), address(source), target.size
        blocks += more
        made.count, made.first_block[i + 1] = i + 1, blocks
    if made.count:
        yield made, blocks


def in_order(array: Any) -> tuple[Any, list[int] | None]:
    """Return `array` with its axes in memory order, and their transposition back (None: they are in order already).

    The first is contiguous if the array's elements lie in memory without gaps.
    """
    if array.flags.c_contiguous:
        return array, None
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    return array.transpose(order), [order.index(axis) for axis in range(array.ndim)]
