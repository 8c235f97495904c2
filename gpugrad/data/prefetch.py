"""Batches are moved to a device while the ones before them are in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..backend.devices import CPU, Device
from .fetch import on_tensors


def prefetch(batches: Any, device: Any) -> Iterator[Any]:
    """Yield `batches` on `device`, each copied one batch ahead of its use, on a stream of the copies' own.

    A copy starts after all work that was queued before it, because that work may still read the memory that the copy
    writes. Work queued later runs at the same time, and waits for the copy only if it uses the batch.
    """
    queue = device.stream()
    held: list[tuple[Any, Any]] = []

    def start(batch: Any) -> tuple[Any, Any]:
        queue.wait_event(device.current_stream().record())
        with device.selected(), queue:
            moved = on_tensors(lambda tensor: tensor.detach().to(device=device, non_blocking=True), batch)
            return moved, queue.record()

    def ready() -> Any:
        batch, arrived = held.pop(0)
        device.current_stream().wait_event(arrived)
        return batch

    try:
        for batch in batches:
            held.append(start(batch))
            if len(held) > 1:
                yield ready()
        while held:
            yield ready()
    finally:
        batches.close()


def pinned(batch: Any, device: Device) -> Any:
    """Return `batch` in host memory from which `device` copies without waiting; itself for the CPU."""
    if device is CPU:
        return batch

    def copy(tensor: Tensor) -> Tensor:
        if tensor.device is not CPU:
            return tensor
        array = device.pinned(tensor.shape, tensor.dtype)
        array[...] = tensor._array
        return wrap(array, CPU, None)

    return on_tensors(copy, batch)
