"""What moves arrays between ranks. There are three: one process (here), MPI (`mpi`) and NCCL (`nccl`).

Every transfer is started and gives a Work, which ends when it is waited for. Arrays are contiguous and of the
transport's device, or it brings them there and back. Everything else in this package is built of these transfers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backend.device import device_of
from ..errors import DistributedError

REDUCTIONS = ("sum", "prod", "max", "min")


class Work:
    """A transfer under way, as `async_op=True` gives it.

    >>> work = gg.distributed.all_reduce(gg.ones(2), async_op=True)
    >>> work.wait(), work.is_completed()
    (True, True)
    """

    def is_completed(self) -> bool:
        """Return whether the arrays that were received can be used; does not wait."""
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the arrays can be used, and return True. On cuda, the stream in use waits and not the host.

        Raises DistributedError, which names the transfer, after `timeout` seconds (default: those of
        `init_process_group`).
        """
        return True


class Finished(Work):
    """A transfer that has something to do when it is waited for, once."""

    def __init__(self, work: Work, finish: Callable[[], Any]):
        self.work, self.finish = work, finish
        self.finished = False

    def is_completed(self) -> bool:
        return self.work.is_completed()

    def wait(self, timeout: float | None = None) -> bool:
        self.work.wait(timeout)
        if not self.finished:
            self.finished = True
            self.finish()
        return True


class Transport:
    """Moves arrays among `size` processes, of which this one has the number `rank`.

    This class is the transport of one process, on which all transfers leave arrays as they are.

    label: what errors call the transfer that is started next.
    """

    name = "one process"

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size
        self.label = ""

    def all_reduce(self, array: Any, op: str) -> Work:
        """Replace `array` by its sum over all ranks ("sum"), or the product, the largest or least values."""
        return Work()

    def broadcast(self, array: Any, source: int) -> Work:
        """Replace `array` by that of rank `source`."""
        return Work()

    def all_gather(self, out: Any, array: Any) -> Work:
        """Fill `out` (size, ...) with the array (...) of each rank."""
        out[...] = array[None]
        return Work()

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Work:
        """Fill `out` (...) with the reduction, over all ranks, of row `rank` of their arrays (size, ...)."""
        out[...] = array[0]
        return Work()

    def all_to_all(self, out: Any, array: Any) -> Work:
        """Fill row i of `out` (size, ...) with row `rank` of the array (size, ...) of rank i."""
        out[...] = array
        return Work()

    def send(self, array: Any, peer: int, tag: int) -> Work:
        """Send `array` to rank `peer`."""
        raise _alone("send")

    def receive(self, array: Any, peer: int, tag: int) -> Work:
        """Fill `array` with what rank `peer` sent."""
        raise _alone("recv")

    def exchange(self, out: Any, source: int, array: Any, target: int) -> Work:
        """Send `array` to `target` and fill `out` with what `source` sent, at once; a ring of these does not block."""
        out[...] = array
        return Work()

    def barrier(self) -> Work:
        """Wait until all ranks have called this."""
        return Work()

    def subset(self, ranks: Sequence[int]) -> Transport | None:
        """Return a transport among some ranks, in this order; None on the others. All ranks call it."""
        return Transport()

    def close(self) -> None:
        """Free what the transport holds; all ranks call it."""

    def abort(self) -> None:
        """End the program on all ranks, this one too, without waiting for any."""


def _alone(what: str) -> DistributedError:
    return DistributedError(f"{what}: there is one process only; start several with `gpugrad launch -n 2 SCRIPT`")


class Staged:
    """Host copies of a call's cuda arrays, for a transport that moves host memory; host arrays are used as they are.

    The copies of `outs` are brought back by `finish`.
    """

    def __init__(self) -> None:
        self.outs: list[tuple[Any, np.ndarray]] = []

    def host(self, array: Any, comes_back: bool) -> np.ndarray:
        """Return a contiguous host array with the values of `array`."""
        if isinstance(array, np.ndarray):
            held = array if array.flags.c_contiguous else np.ascontiguousarray(array)
        else:
            held = np.array(device_of(array).to_host(array), order="C")
        if comes_back and held is not array:
            self.outs.append((array, held))
        return held

    def finish(self) -> None:
        """Copy the results back."""
        for array, held in self.outs:
            array[...] = held if isinstance(array, np.ndarray) else device_of(array).asarray(held)
