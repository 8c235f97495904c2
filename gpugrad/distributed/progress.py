"""The thread that moves transfers on while the program computes.

MPI moves data only inside of its calls, and NCCL tells errors only when it is asked. So a thread asks each transfer
under way to advance, again and again: without a pause while something ends, then less and less often, so that it takes
a core from nobody for long.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ..errors import DistributedError

_FIRST, _LONGEST = 20e-6, 1e-3  # seconds between two looks


class Advancing(Protocol):
    """Describes a transfer, as far as the thread needs it."""

    def advance(self) -> bool:
        """Move on; return whether it is done. Does not wait."""
        ...


class Progress:
    """A daemon thread that advances what `watch` is given until that is done."""

    def __init__(self, longest: float = _LONGEST) -> None:
        self.longest = longest
        self._pending: list[Advancing] = []
        self._wake = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def watch(self, work: Advancing) -> None:
        """Advance `work` until it is done."""
        with self._wake:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="gpugrad-progress", daemon=True)
                self._thread.start()
            self._pending.append(work)
            self._wake.notify()

    def stop(self) -> None:
        """End the thread, and wait for that."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = _FIRST
        while True:
            with self._wake:
                if not self._pending and not self._stopped:
                    pause = _FIRST
                    self._wake.wait()
                if self._stopped:
                    return
                works = list(self._pending)
            done = [work for work in works if work.advance()]
            if done:
                pause = _FIRST
                with self._wake:
                    self._pending = [work for work in self._pending if work not in done]
            else:
                time.sleep(pause)
                pause = min(2 * pause, self.longest)


def pauses(longest: float = _LONGEST) -> Iterator[float]:
    """Yield the seconds to wait between looks: none at first, then longer and longer."""
    for _ in range(100):
        yield 0.0
    pause = _FIRST
    while True:
        yield pause
        pause = min(2 * pause, longest)


def wait_until(done: Callable[[], Any], timeout: float, what: str) -> None:
    """Return when `done()` is true. Raises DistributedError that names `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    for pause in pauses():
        if done():
            return
        if time.monotonic() > end:
            raise DistributedError(
                f"{what} did not end within {timeout:g} s: a rank is late, stopped, or does another collective "
                "(init_process_group(checked=True) compares them; timeout= sets the limit)"
            )
        time.sleep(pause)
