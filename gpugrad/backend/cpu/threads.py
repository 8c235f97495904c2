"""Several Python threads over one batch: NumPy releases the GIL, so large work splits along an axis.

Work is cut by the number of threads alone, so results do not depend on timing. How it is handed over: `worker`.

BLAS is held to one thread each meanwhile, and large products are cut like everything else (`gemm`): a BLAS that starts
threads of its own lets them spin for a while afterwards, on the core that the next op wants.
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
    """Threads that CPU ops may use."""
    return _count


def set_num_threads(count: int) -> None:
    """Let CPU ops (and BLAS) use `count` threads, at least one."""
    global _count
    if not isinstance(count, int) or count < 1:
        raise OptionError(f"set_num_threads: expected a positive int, got {count!r}")
    _count = count
    blas.set_num_threads([count] * len(blas.get_num_threads()))


def chunks(n: int, least: int = 1) -> list[slice]:
    """`range(n)` cut into one slice per thread, each of at least `least` items (one slice if it is not worth more)."""
    return cut(slice(0, n), worth(n, least))


def worth(n: int, least: int = 1) -> int:
    """How many threads get at least `least` of `n` items each; one if that is not worth more."""
    return 1 if getattr(_state, "inside", False) else max(1, min(_count, n // max(least, 1)))


def blocks(part: slice, size: int) -> list[slice]:
    """`part` cut into slices of about `size` items, all of a length: a short last one would cost as many calls."""
    return cut(part, max(1, round((part.stop - part.start) / max(1, size))))


def cut(part: slice, count: int) -> list[slice]:
    """`part` cut into `count` slices, as equal as can be."""
    if count == 1:
        return [part]
    length = part.stop - part.start
    bounds = [part.start + length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def one_of(length: int, number: int, count: int) -> slice:
    """`cut(slice(0, length), count)[number]` without the others."""
    return slice(length * number // count, length * (number + 1) // count)


def parallel(task: Callable[[Any], Any], parts: Iterable) -> list:
    """`[task(part) for part in parts]`: each on a thread, the first on the caller's own; errors are re-raised."""
    first, *rest = parts
    if not rest or getattr(_state, "inside", False):
        return [task(part) for part in (first, *rest)]
    with Beside() as beside:
        for part in rest:
            beside.add(task, part, pause=True)
        result = _inside(task, first)
    return [result, *beside.results]


class Beside:
    """Tasks that other threads take, in order, while the caller goes on; it takes some itself while it waits.

        with Beside() as beside:
            number = beside.add(task, part)
            ...                                # the caller's own work
            beside.wait(number)
        beside.results                         # what each task returned

    Leaving the block waits for all. The error of a task is raised where it is waited for. Where it is not `helped`, the
    caller takes all of them.
    """

    def __init__(self, helped: bool = True) -> None:
        self._jobs: list[_Job] = []
        self._first = 0  # all jobs before this one have been taken
        self._others = 0 if not helped or getattr(_state, "inside", False) else _count - 1

    def __enter__(self) -> "Beside":
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
        """What the tasks returned, as far as they are done."""
        return [job.result for job in self._jobs]

    def add(self, task: Callable[[Any], Any], part: Any, pause: bool = False) -> int:
        """Let a thread run `task(part)`; its number among the results. pause: leave it the GIL until it has begun."""
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
        """Leave undone what has not begun, and wait for the rest."""
        for job in self._jobs:
            job.drop()
        for job in self._jobs:
            job.wait()

    def _finish(self, number: int, watch: bool = False) -> None:
        """Take jobs until `number` is done, or runs on another thread; then wait for that one."""
        job = self._jobs[number]
        while not job.done and self._first < len(self._jobs):
            self._first += 1
            _inside(self._jobs[self._first - 1].run)
        if not job.done:
            if watch:
                _worker(number % self._others).watch()
            job.wait()


class _Job:
    """A task for one part, run by the thread to which it was given or by the caller: by whoever comes first."""

    __slots__ = ("done", "error", "result", "_ended", "_free", "_part", "_task")

    def __init__(self, task: Callable[[Any], Any], part: Any) -> None:
        self._task, self._part = task, part
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self._free, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()

    def run(self) -> None:
        """Run it unless somebody else does, or has done, or it was dropped."""
        if self._free.acquire(False):
            try:
                self.result = self._task(self._part)
            except BaseException as error:
                self.error = error
            self._end()

    def drop(self) -> None:
        """Never run it, if it has not begun."""
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
    """`function(*args)`, in which nothing is cut over threads again."""
    before, _state.inside = getattr(_state, "inside", False), True
    try:
        return function(*args)
    finally:
        _state.inside = before


_workers: list = []


def _worker(number: int) -> Any:
    """Worker `number`, which is started if need be."""
    while len(_workers) <= number:
        from .worker import Worker  # only a process that has use for one needs a millisecond for its queue's module

        _workers.append(Worker(f"gpugrad-{len(_workers) + 1}", _prepare_worker, lambda: _count <= _cores))
    return _workers[number]


def _prepare_worker() -> None:
    memory.take_huge_pages(1)
    _state.inside = True


class _OneBlasThread:
    """A context in which BLAS calls use one thread; afterwards they use as many as before.

    The number is the process's, so one user's thread at a time has its turn; it may enter again.
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


def _start_anew() -> None:
    """In a forked process, which has no other threads: nobody works there, and a turn that one had would never end."""
    global _turn
    _workers.clear()
    _turn, one_blas_thread.depth = threading.RLock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
