"""Several Python threads over one batch: NumPy releases the GIL, so large work splits along an axis.

A hand-off costs about 50 us, so callers give the least work worth a thread (`least`). While several threads run, BLAS
is held to one thread each. Work is cut by the number of threads alone, so results do not depend on timing.
"""

import os
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

_affinity = getattr(os, "sched_getaffinity", None)
_count = len(_affinity(0)) if _affinity else os.cpu_count() or 1
_state = threading.local()
_workers: list[SimpleQueue] = []
_blas: list | None = None
_turn = threading.Lock()


def get_num_threads() -> int:
    """Threads that CPU ops may use."""
    return _count


def set_num_threads(count: int) -> None:
    """Let CPU ops (and BLAS) use `count` threads, at least one."""
    global _count
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: expected a positive int, got {count!r}")
    _count = count
    _limit_blas(count)


def chunks(n: int, least: int = 1) -> list[slice]:
    """`range(n)` cut into one slice per thread, each of at least `least` items (one slice if it is not worth more)."""
    count = 1 if getattr(_state, "inside", False) else max(1, min(_count, n // max(least, 1)))
    bounds = [n * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:], strict=False)]


def parallel(task: Callable[[Any], Any], parts: Iterable) -> list:
    """`[task(part) for part in parts]`, each part on its own thread, the first on the caller's; errors are re-raised."""
    first, *rest = parts
    if not rest or getattr(_state, "inside", False):
        return [task(part) for part in (first, *rest)]
    with _turn:
        while len(_workers) < len(rest):
            _start_worker()
        _limit_blas(1)
        done: SimpleQueue = SimpleQueue()
        for i, part in enumerate(rest):
            _workers[i].put((task, part, i + 1, done))
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
            _limit_blas(_count)
    for value in results:
        if isinstance(value, _Failure):
            raise value.error
    return results


class _Failure:
    def __init__(self, error: BaseException):
        self.error = error


def _start_worker() -> None:
    tasks: SimpleQueue = SimpleQueue()

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


def _limit_blas(count: int) -> None:
    global _blas
    if _blas is None:
        from threadpoolctl import ThreadpoolController

        controller = ThreadpoolController().select(user_api="blas")
        _blas = [library for library in controller.lib_controllers if hasattr(library, "set_num_threads")]
    for library in _blas:
        library.set_num_threads(count)
