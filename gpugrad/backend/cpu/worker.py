"""A thread that starts a task within microseconds.

A sleeping thread takes 30 to 60 us to wake, and one that wants the GIL while another holds it falls asleep again. So
after a task, a worker does not sleep at once: for a millisecond it watches for the next one, without the GIL. A caller
that has a task releases the GIL, rings the worker's bell, and stays without the GIL until the worker has begun and
prepared its first NumPy call. The worker runs after 30 us, both run after 50.

    caller   put the task, ring (no GIL) ............ goes on with its own part
    worker   watches (no GIL) ...... takes the task and the GIL, calls NumPy (no GIL)

NumPy serves for watching and ringing, because it releases the GIL. `logical_or.reduce` over a row that repeats one byte
reads this byte until it is True or the row ends: that is watching. The same call with a second row that repeats a True
byte writes True as the result of that row at once, still without the GIL: that is ringing.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import numpy as np

WATCH = 3 << 20  # reads of a byte, about a millisecond, for which a worker (or a caller) watches before it sleeps
PAUSE = 3 << 15  # reads (25 us) for which a caller leaves the GIL to a worker that prepares its first NumPy call
PATIENCE = 4  # pauses for which it waits at most until the worker has begun


class Worker:
    """A thread that calls `prepare`, and then the functions it is given, one after the other.

    While `watches()` is true it watches for the next function, else it sleeps.
    """

    def __init__(self, name: str, prepare: Callable[[], Any], watches: Callable[[], bool]) -> None:
        self._given: SimpleQueue = SimpleQueue()
        self._prepare, self._watches = prepare, watches
        self._watching = False
        # The first of each is always True, and so says that the GIL is free; the last of `_begun` is always False.
        self._bell = np.array([True] + [False] * (PATIENCE + 2))  # the second: rung when there is a task
        self._begun = np.array([True] + [False] * (PATIENCE + 1))  # the middle ones: True once it has begun
        self._idle = np.array([False, False])  # the first becomes True when it watches
        self._bell_rows = repeated(self._bell[:2], WATCH)
        self._idle_row = repeated(self._idle[:1], WATCH)
        self._begun_rows = repeated(self._begun, PAUSE)
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def give(self, function: Callable[[], Any], pause: bool) -> None:
        """Let the worker call `function`. pause: release the GIL until it has begun, unless it sleeps."""
        self._idle[0] = False
        self._given.put(function)
        if self._watching:
            if pause:
                self._begun[1:-1] = False
                np.logical_or.reduce(self._begun_rows, axis=1, out=self._bell[1:])
            else:
                self._bell[1] = True

    def watch(self) -> None:
        """Wait until the worker has nothing to do, at most about a millisecond."""
        if not self._idle[0]:
            np.logical_or.reduce(self._idle_row, axis=1)

    def _work(self) -> None:
        self._prepare()
        while True:
            if self._given.empty() and self._watches():
                self._watching = True
                np.logical_or.reduce(self._bell_rows, axis=1, out=self._idle)
                self._watching = False
            function = self._given.get()
            self._bell[1] = False
            self._begun[1:-1] = True
            function()
            del function  # hold no array while waiting


def repeated(cells: np.ndarray, count: int) -> np.ndarray:
    """Return an array with one row per cell that repeats it `count` times, without memory of its own."""
    return np.broadcast_to(cells[:, None], (len(cells), count))
