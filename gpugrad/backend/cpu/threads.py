"""Several Python threads over one batch: NumPy releases the GIL, so large work splits along an axis.

The number of threads alone decides how work is cut, so results do not depend on timing. `worker` passes it on.

Meanwhile each BLAS call uses one thread, and large products are cut like everything else (`gemm`): a BLAS that starts
threads of its own lets them spin for a while afterwards, on the core that the next op needs.
"""

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import OptionError
from . import blas, memory

_affinity = getattr(os, "sched_getaffinity", None)
_cores = len(_affinity(0)) if _affinity else os.cpu_count() or 1
_count = _cores
_state = threading.local()
_turn = threading.RLock()


def get_num_threads() -> int:
    """Return the number of threads that CPU ops may use.

    >>> gg.get_num_threads() >= 1
    True
    """
    return _count


def set_num_threads(count: int) -> None:
    """Let CPU ops (and BLAS) use `count` threads, at least one.

    >>> before = gg.get_num_threads()
    >>> gg.set_num_threads(1)
    >>> gg.get_num_threads()
    1
    >>> gg.set_num_threads(before)
    """
    global _count
    if not isinstance(count, int) or count < 1:
        raise OptionError(f"set_num_threads: expected a positive int, got {count!r}")
    _count = count
    blas.set_num_threads([count] * len(blas.get_num_threads()))


def chunks(n: int, least: int = 1) -> list[slice]:
    """Cut `range(n)` into one slice per thread, each of at least `least` items (one slice if `n` is not worth more)."""
    return cut(slice(0, n), thread_count(n, least))


def thread_count(n: int, least: int = 1) -> int:
    """Return how many threads to use for `n` items if each is to get at least `least` of them."""
    return 1 if getattr(_state, "inside", False) else max(1, min(_count, n // max(least, 1)))


def blocks(part: slice, size: int) -> list[slice]:
    """Cut `part` into equal slices of about `size` items: a short last one would cost as many calls."""
    return cut(part, max(1, round((part.stop - part.start) / max(1, size))))


def cut(part: slice, count: int) -> list[slice]:
    """Cut `part` into `count` slices of equal length, or as equal as possible."""
    if count == 1:
        return [part]
    length = part.stop - part.start
    bounds = [part.start + length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def nth_cut(length: int, number: int, count: int) -> slice:
    """Return `cut(slice(0, length), count)[number]` without making the others."""
    return slice(length * number // count, length * (number + 1) // count)


def parallel(task: Callable[[Any], Any], parts: Iterable) -> list:
    """Return `[task(part) for part in parts]`, one thread per task, the first on the caller's. Errors are re-raised."""
    first, *rest = parts
    if not rest or getattr(_state, "inside", False):
        return [task(part) for part in (first, *rest)]
    with Concurrent() as jobs:
        for part in rest:
            jobs.add(task, part, pause=True)
        result = _inside(task, first)
    return [result, *jobs.results]


class Concurrent:
    """Tasks that other threads run, in order, while the caller goes on; while it waits, the caller runs some itself.

        with Concurrent() as jobs:
            number = jobs.add(task, part)
            ...                                # the caller's own work
            jobs.wait(number)
        jobs.results                           # the values that the tasks returned

    Leaving the block waits for all. The error of a task is raised by the `wait` for it. With helped=False, the caller
    runs all of them.
    """

    def __init__(self, helped: bool = True) -> None:
        self._jobs: list[_Job] = []
        self._first = 0  # all jobs before this one have been taken
        self._others = 0 if not helped or getattr(_state, "inside", False) else _count - 1

    def __enter__(self) -> "Concurrent":
        one_blas_thread.__enter__()
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            if not all([job.done for job in self._jobs]):
                self._stop()
            one_blas_thread.__exit__()

    @property
    def results(self) -> list:
        """Return the values that the tasks returned, None for those that are not done."""
        return [job.result for job in self._jobs]

    def add(self, task: Callable[[Any], Any], part: Any, pause: bool = False) -> int:
        """Let a thread run `task(part)`, and return its number among the results.

        pause: release the GIL until the thread has begun.
        """
        number, job = len(self._jobs), _Job(task, part)
        self._jobs.append(job)
        if self._others:
            _worker(number % self._others).give(job.run, pause)
        return number

    def wait(self, number: int | None = None) -> None:
        """Wait for task `number`, or for all. Raises the task's error."""
        for n in range(len(self._jobs)) if number is None else (number,):
            self._finish(n, number is None)
            if (error := self._jobs[n].error) is not None:
                raise error

    def _stop(self) -> None:
        """Drop the jobs that have not begun, and wait for the rest."""
        for job in self._jobs:
            job.drop()
        for job in self._jobs:
            job.wait()

    def _finish(self, number: int, watch: bool = False) -> None:
        """Run jobs here until `number` is done or runs on another thread; then wait for that one."""
        job = self._jobs[number]
        while not job.done and self._first < len(self._jobs):
            self._first += 1
            _inside(self._jobs[self._first - 1].run)
        if not job.done:
            if watch:
                _worker(number % self._others).watch()
            job.wait()


class _Job:
    """A task for one part, which runs once: on the thread it was given to or on the caller's, whichever is first."""

    __slots__ = ("done", "error", "result", "_ended", "_free", "_part", "_task")

    def __init__(self, task: Callable[[Any], Any], part: Any) -> None:
        self._task, self._part = task, part
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._free, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()

    def run(self) -> None:
        """Run the task unless a thread has begun it or it was dropped."""
        if self._free.acquire(False):
            try:
                self.result = self._task(self._part)
            except BaseException as error:
                self.error = error
            self._end()

    def drop(self) -> None:
        """Keep the task from running, if it has not begun."""
        if self._free.acquire(False):
            self._end()

    def _end(self) -> None:
        del self._task, self._part  # hold no arrays
        self.done = True
        self._ended.release()

    def wait(self) -> None:
        """Sleep until it is done."""
        with self._ended:
            pass


def _inside(function: Callable, *args: Any) -> Any:
    """Return `function(*args)`; nothing in it is cut over threads again."""
    before, _state.inside = getattr(_state, "inside", False), True
    try:
        return function(*args)
    finally:
        _state.inside = before


_workers: list = []


def _worker(number: int) -> Any:
    """Return worker `number`; start it if it is not running yet."""
    while len(_workers) <= number:
        from .worker import Worker  # late, because importing its queue's module takes a millisecond

        _workers.append(Worker(f"gpugrad-{len(_workers) + 1}", _prepare_worker, lambda: _count <= _cores))
    return _workers[number]


def _prepare_worker() -> None:
    memory.take_huge_pages(1)
    _state.inside = True


class _OneBlasThread:
    """A context in which BLAS calls use one thread; afterwards they use as many as before.

    The number belongs to the process, so one user's thread at a time may enter; the same thread may enter again.
    """

    def __init__(self) -> None:
        self.depth, self.before = 0, [_count]

    def __enter__(self) -> None:
        if not getattr(_state, "inside", False):
            _turn.acquire()
            self.depth += 1
            if self.depth == 1:
                self.before = blas.get_num_threads()
                blas.set_num_threads([1] * len(self.before))

    def __exit__(self, *exc: object) -> None:
        if not getattr(_state, "inside", False):
            self.depth -= 1
            if not self.depth:
                blas.set_num_threads(self.before)
            _turn.release()


one_blas_thread = _OneBlasThread()


class _BlasTurn:
    """A context in which no other thread of the user changes the number of BLAS threads.

    Products and factorizations that leave the threads to BLAS are computed in a turn, because their last bits depend on
    that number: so a model gives the same bits whether or not others run beside it.
    """

    def __enter__(self) -> None:
        if not getattr(_state, "inside", False):
            _turn.acquire()

    def __exit__(self, *exc: object) -> None:
        if not getattr(_state, "inside", False):
            _turn.release()


blas_turn = _BlasTurn()


def _start_anew() -> None:
    """Reset the state in a forked process: it has no workers, and a turn that another thread had would never end."""
    global _turn
    _workers.clear()
    _turn, one_blas_thread.depth = threading.RLock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
