"""The transport of NCCL: GPUs talk to each other, and the host waits for nothing (see `backend.cuda.nccl`).

A thread looks at the calls under way: one that does not end in time, or fails, ends the program with a message, since
the host may never wait for it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend.cuda.nccl import Communicator, unique_id
from ..backend.device import Device
from .environment import Place
from .progress import Progress, wait_until
from .transport import Finished, Transport, Work

Share = Callable[[bytes], bytes]  # gives all ranks what rank 0 has


class NCCLWork(Work):
    """A call of NCCL under way; `arrays` are kept until it is done."""

    def __init__(self, transport: NCCLTransport, event: Any, arrays: tuple, timeout: float):
        self._transport, self._event, self._arrays = transport, event, arrays
        self._label, self._timeout = transport.label, timeout
        self._end = time.monotonic() + timeout

    def advance(self) -> bool:
        """Return whether it is done; end the program if it failed, or is late."""
        try:
            if self._event.done:
                self._arrays = ()
                return True
            self._transport.communicator.check()
            if time.monotonic() < self._end:
                return False
            reason = f"did not end within {self._timeout:g} s: a rank is late, stopped, or does another collective"
        except Exception as error:  # NCCL's or CUDA's
            reason = f"failed: {error}"
        print(f"gpugrad: rank {self._transport.rank}: {self._label} {reason}", file=sys.stderr, flush=True)
        self._transport.abort()
        return True

    def is_completed(self) -> bool:
        return self._event.done

    def wait(self, timeout: float | None = None) -> bool:
        self._transport.communicator.wait(self._event)
        if timeout is not None:
            wait_until(lambda: self._event.done, timeout, self._label)
        return True


class NCCLTransport(Transport):
    """Moves arrays of one GPU for each rank."""

    name = "nccl"

    def __init__(self, device: Device, place: Place, timeout: float, share: Share, progress: Progress | None = None):
        super().__init__(place.rank, place.size)
        self.device, self.timeout = device, timeout
        identifier = share(unique_id() if place.rank == 0 else b"")
        self.communicator = Communicator(device, place.size, identifier, place.rank)
        self._own_progress = progress is None
        self._progress = Progress(longest=0.1) if progress is None else progress

    def all_reduce(self, array: Any, op: str) -> Work:
        given, after = self._given(array, True)
        return self._watch(self.communicator.all_reduce(given, op), (given,), after)

    def broadcast(self, array: Any, source: int) -> Work:
        given, after = self._given(array, True)
        return self._watch(self.communicator.broadcast(given, source), (given,), after)

    def all_gather(self, out: Any, array: Any) -> Work:
        (into, after), (given, _) = self._given(out, True), self._given(array, False)
        return self._watch(self.communicator.all_gather(into, given), (into, given), after)

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Work:
        (into, after), (given, _) = self._given(out, True), self._given(array, False)
        return self._watch(self.communicator.reduce_scatter(into, given, op), (into, given), after)

    def all_to_all(self, out: Any, array: Any) -> Work:
        (into, after), (given, _) = self._given(out, True), self._given(array, False)
        sent, received = [(given[i], i) for i in range(self.size)], [(into[i], i) for i in range(self.size)]
        return self._watch(self.communicator.transfer(sent, received), (into, given), after)

    def send(self, array: Any, peer: int, tag: int) -> Work:
        given, _ = self._given(array, False)
        return self._watch(self.communicator.transfer([(given, peer)], []), (given,), None)

    def receive(self, array: Any, peer: int, tag: int) -> Work:
        into, after = self._given(array, True)
        return self._watch(self.communicator.transfer([], [(into, peer)]), (into,), after)

    def exchange(self, out: Any, source: int, array: Any, target: int) -> Work:
        (into, after), (given, _) = self._given(out, True), self._given(array, False)
        return self._watch(self.communicator.transfer([(given, target)], [(into, source)]), (into, given), after)

    def barrier(self) -> Work:
        flag = self.device.xp.zeros(1, np.int32)
        work = self.all_reduce(flag, "sum")
        return Finished(work, self.device.synchronize)

    def subset(self, ranks: Sequence[int]) -> Transport | None:
        rows = self.device.xp.zeros((self.size, 128), np.uint8)
        own = self.device.asarray(np.frombuffer(unique_id(), np.uint8))
        self.all_gather(rows, own).wait()
        if self.rank not in ranks:
            return None
        identifier = self.device.to_host(rows)[ranks[0]].tobytes()
        place = Place(list(ranks).index(self.rank), len(ranks), 0)
        return NCCLTransport(self.device, place, self.timeout, lambda _: identifier, self._progress)

    def close(self) -> None:
        self.barrier().wait()
        if self._own_progress:
            self._progress.stop()
        self.communicator.destroy()

    def abort(self) -> None:
        os._exit(1)  # whoever started the ranks ends the others

    def _given(self, array: Any, comes_back: bool) -> tuple[Any, Callable | None]:
        """Return a contiguous array of this device, and what brings its values back."""
        held = self.device.xp.ascontiguousarray(self.device.asarray(array))
        if held is array or not comes_back or held.data.ptr == getattr(getattr(array, "data", None), "ptr", None):
            return held, None

        def bring_back() -> None:
            array[...] = self.device.to_host(held) if isinstance(array, np.ndarray) else held

        return held, bring_back

    def _watch(self, event: Any, arrays: tuple, after: Callable | None) -> Work:
        work = NCCLWork(self, event, arrays, self.timeout)
        self._progress.watch(work)
        return work if after is None else Finished(work, after)
