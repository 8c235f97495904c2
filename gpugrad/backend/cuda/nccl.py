"""NCCL's collectives on a device's arrays, through CuPy's bindings (`cupy.cuda.nccl`).

They run on a stream of their own. It waits for what the stream in use was given before the call, so that the arrays are
ready, and whoever uses the results lets their stream wait for the event that the call returns; the host waits for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import DeviceError
from ..device import Device

# ncclDataType_t and ncclRedOp_t of nccl.h
_TYPES = {
    "int8": 0, "uint8": 1, "int32": 2, "uint32": 3, "int64": 4, "uint64": 5, "float16": 6, "float32": 7, "float64": 8,
    "bfloat16": 9,
}  # fmt: skip
_OPS = {"sum": 0, "prod": 1, "max": 2, "min": 3}


def _library() -> Any:
    """Return CuPy's bindings. Raises DeviceError, which says what to install, without NCCL."""
    try:
        from cupy.cuda import nccl

        nccl.get_version()
    except Exception as error:  # CuPy raises ImportError, AttributeError or its own errors, by what is missing
        raise DeviceError(
            f"NCCL cannot be used ({type(error).__name__}: {error}); pip install nvidia-nccl-cu13 (or -cu12, as CuPy's "
            'CUDA is), or use init_process_group(backend="mpi")'
        ) from None
    return nccl


def unique_id() -> bytes:
    """Return a new identifier, with which all ranks of one communicator make theirs."""
    return _library().get_unique_id()


class Communicator:
    """One rank of a communicator of `size` GPUs. Each call returns an event that is reached when it is done."""

    def __init__(self, device: Device, size: int, identifier: bytes, rank: int):
        self._nccl, self.device = _library(), device
        with device.selected():
            import cupy

            self._cupy = cupy
            self._stream = cupy.cuda.Stream(non_blocking=True)
            self._comm = self._nccl.NcclCommunicator(size, identifier, rank)

    def all_reduce(self, array: Any, op: str) -> Any:
        """Reduce `array` in place."""
        place = array.data.ptr
        return self._run(
            lambda stream: self._comm.allReduce(place, place, array.size, _TYPES[array.dtype.name], _OPS[op], stream)
        )

    def broadcast(self, array: Any, source: int) -> Any:
        """Overwrite `array` with that of `source`."""
        place, (count, kind) = array.data.ptr, _moved(array)
        return self._run(lambda stream: self._comm.broadcast(place, place, count, kind, source, stream))

    def all_gather(self, out: Any, array: Any) -> Any:
        """Fill `out` with the arrays of all ranks."""
        count, kind = _moved(array)
        return self._run(lambda stream: self._comm.allGather(array.data.ptr, out.data.ptr, count, kind, stream))

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Any:
        """Fill `out` with this rank's part of the reduction."""
        kind = _TYPES[out.dtype.name]
        return self._run(
            lambda stream: self._comm.reduceScatter(array.data.ptr, out.data.ptr, out.size, kind, _OPS[op], stream)
        )

    def transfer(self, sent: list[tuple[Any, int]], received: list[tuple[Any, int]]) -> Any:
        """Send arrays to ranks and receive arrays from ranks, all at once: [(array, rank)]."""

        def start(stream: int) -> None:
            self._nccl.groupStart()
            for array, peer in sent:
                self._comm.send(array.data.ptr, *_moved(array), peer, stream)
            for array, peer in received:
                self._comm.recv(array.data.ptr, *_moved(array), peer, stream)
            self._nccl.groupEnd()

        return self._run(start)

    def wait(self, event: Any) -> None:
        """Let the stream in use wait for an event that a call returned."""
        with self.device.selected():
            self._cupy.cuda.get_current_stream().wait_event(event)

    def check(self) -> None:
        """Raise NCCL's error if one happened while calls ran."""
        self._comm.check_async_error()

    def destroy(self) -> None:
        """Free the communicator."""
        self._comm.destroy()

    def abort(self) -> None:
        """Stop all calls under way, and free the communicator."""
        self._comm.abort()

    def _run(self, start: Callable[[int], Any]) -> Any:
        cuda = self._cupy.cuda
        with self.device.selected():
            ready, done = cuda.Event(disable_timing=True), cuda.Event(disable_timing=True)
            ready.record(cuda.get_current_stream())
            self._stream.wait_event(ready)
            start(self._stream.ptr)
            done.record(self._stream)
        return done


def _moved(array: Any) -> tuple[int, int]:
    """Return (count, type) for values that are only moved: of any type, as bytes if NCCL does not know it."""
    known = _TYPES.get(array.dtype.name)
    return (array.nbytes, _TYPES["uint8"]) if known is None else (array.size, known)
