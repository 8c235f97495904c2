"""A thread that takes work within microseconds.

A thread that sleeps takes 30 to 60 us to wake, and one that wants the GIL while another holds it sleeps again. So for a
millisecond a worker watches for its next task instead of sleeping, outside the GIL, and is told of it by a caller that
has just released the GIL, and leaves it to the worker until this one has begun and prepared its first NumPy call. One
thread is at work then after 30 us, both after 50.

NumPy serves for all this. `logical_or.reduce` over a row that repeats one byte reads this byte until it is True or the
row ends; and if a row before it repeats a True one, the result of that row becomes True at once, but without the GIL:
whoever watches for it can have it.
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
    """A thread that calls the functions it is given, one after the other, and `prepare` before them. It watches for the
    next one while `watches()`, else it sleeps."""

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
        """Let it call `function`. pause: leave it the GIL until it has begun, if it does not sleep."""
        self._idle[0] = False
        self._given.put(function)
        if self._watching:
            if pause:
                self._begun[1:-1] = False
                np.logical_or.reduce(self._begun_rows, axis=1, out=self._bell[1:])
            else:
                self._bell[1] = True

    def watch(self) -> None:
        """Wait, at most about a millisecond, until it has nothing to do."""
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
    """A row for each cell that repeats it, in no memory of its own."""
    return np.broadcast_to(cells[:, None], (len(cells), count))
