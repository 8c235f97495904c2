"""Several Python threads over one batch: NumPy releases the GIL, so large work splits along an axis.

A hand-off costs about 50 us, so callers give the least work worth a thread (`least`). Work is cut by the number of
threads alone, so results do not depend on timing.

BLAS is held to one thread each meanwhile, and large products are cut like everything else (`gemm`): a BLAS that starts
threads of its own lets them spin for a while afterwards, on the core that the next op wants.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

_affinity = getattr(os, "sched_getaffinity", None)
_count = len(_affinity(0)) if _affinity else os.cpu_count() or 1
_state = threading.local()
_workers: list = []  # a queue of tasks for each thread
_turn = threading.RLock()


def get_num_threads() -> int:
    """Threads that CPU ops may use."""
    return _count


def set_num_threads(count: int) -> None:
    """Let CPU ops (and BLAS) use `count` threads, at least one."""
    global _count
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: expected a positive int, got {count!r}")
    _count = count
    for library in _blas():
        library.set_num_threads(count)


def chunks(n: int, least: int = 1) -> list[slice]:
    """`range(n)` cut into one slice per thread, each of at least `least` items (one slice if it is not worth more).

    The first slice, which the caller works on itself, is longer: the others start later by a hand-off.
    """
    count = 1 if getattr(_state, "inside", False) else max(1, min(_count, n // max(least, 1)))
    lead = min(least // 2, n) if count > 1 else 0
    bounds = [0, *(lead + (n - lead) * i // count for i in range(1, count + 1))]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def blocks(part: slice, size: int) -> list[slice]:
    """`part` cut into slices of about `size` items, all of a length: a short last one would cost as many calls."""
    length = part.stop - part.start
    count = max(1, round(length / max(1, size)))
    bounds = [part.start + length * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def parallel(task: Callable[[Any], Any], parts: Iterable) -> list:
    """`[task(part) for part in parts]`: each on a thread, the first on the caller's own; errors are re-raised."""
    first, *rest = parts
    if not rest or getattr(_state, "inside", False):
        return [task(part) for part in (first, *rest)]
    from queue import SimpleQueue

    with one_blas_thread:
        done: SimpleQueue = SimpleQueue()
        for i, part in enumerate(rest):
            _worker(i).put((task, part, i + 1, done))
        results: list = [None] * (len(rest) + 1)
        _state.inside = True
        try:
            results[0] = task(first)
        except BaseException as error:
            results[0] = _Failure(error)
        finally:
            _state.inside = False
            for _ in rest:
                i, value = done.get()
                results[i] = value
    for value in results:
        if isinstance(value, _Failure):
            raise value.error
    return results


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
        from queue import SimpleQueue

        self.results: list = []
        self._tasks: deque = deque()
        self._notes: Any = SimpleQueue()  # one from a worker for each request to take a task
        self._requests = 0
        self._others = 0 if not helped or getattr(_state, "inside", False) else _count - 1

    def __enter__(self) -> "Beside":
        one_blas_thread.__enter__()
        return self

    def __exit__(self, kind: Any, *exc: object) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._tasks.clear()
            while self._requests:
                self._heed()
            one_blas_thread.__exit__()

    def add(self, task: Callable[[Any], Any], part: Any) -> int:
        """Let a thread run `task(part)`; its number among the results."""
        number = len(self.results)
        self.results.append(_PENDING)
        self._tasks.append((number, task, part))
        if self._others:
            self._requests += 1
            _worker(number % self._others).put((self._take, None, 0, self._notes))
        return number

    def wait(self, number: int | None = None) -> None:
        """Wait for task `number`, or for all. Raises the task's error."""
        for n in range(len(self.results)) if number is None else (number,):
            while self.results[n] is _PENDING:
                if self._tasks:
                    inside, _state.inside = getattr(_state, "inside", False), True
                    self._take()
                    _state.inside = inside
                else:
                    self._heed()  # another thread runs it
            if isinstance(self.results[n], _Failure):
                raise self.results[n].error

    def _heed(self) -> None:
        self._notes.get()
        self._requests -= 1

    def _take(self, _: Any = None) -> None:
        """Run the next task, if there is one left."""
        try:
            number, task, part = self._tasks.popleft()
        except IndexError:
            return
        try:
            self.results[number] = task(part)
        except BaseException as error:
            self.results[number] = _Failure(error)


_PENDING = object()


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def _worker(number: int) -> Any:
    """The queue of worker `number`, which is started if need be."""
    from queue import SimpleQueue  # costs a process that needs no second thread a millisecond

    while len(_workers) <= number:
        _start_worker(SimpleQueue())
    return _workers[number]


def _start_worker(tasks: Any) -> None:

    def work() -> None:
        _state.inside = True
        while True:
            task, part, i, done = tasks.get()
            try:
                value = task(part)
            except BaseException as error:
                value = _Failure(error)
            done.put((i, value))
            del task, part, value, done  # hold no array while waiting

    threading.Thread(target=work, name=f"gpugrad-{len(_workers) + 1}", daemon=True).start()
    _workers.append(tasks)


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
                self.before = [library.num_threads for library in _blas()]
                for library in _blas():
                    library.set_num_threads(1)

    def __exit__(self, *exc: object) -> None:
        if not getattr(_state, "inside", False):
            self.depth -= 1
            if not self.depth:
                for library, before in zip(_blas(), self.before, strict=True):
                    library.set_num_threads(before)
            _turn.release()


one_blas_thread = _OneBlasThread()


@cache
def _blas() -> list:
    """The BLAS libraries that are loaded."""
    from threadpoolctl import ThreadpoolController

    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library for library in controllers if hasattr(library, "set_num_threads")]
