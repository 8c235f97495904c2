"""The options of running kernels: check mode, the order of blocks and threads, the number of cores, the time limit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ....errors import KernelError

SCHEDULES = ("forward", "reverse", "random")


@dataclass(frozen=True)
class Options:
    """The options in force. `seed` decides the random schedule; `timeout` limits a block's CPU time, in seconds.

    `record` gets what each launch counts for a profile: a `Recording`. Kernels are then built to be recorded.
    """

    check: bool
    schedule: str = "forward"
    seed: int = 0
    workers: int = 1
    timeout: float = 60.0
    record: Callable[[Any], None] | None = None


class _Stack(threading.local):
    def __init__(self):
        self.options: list[Options] = []


_stack = _Stack()


def current() -> Options:
    """Return this thread's options. By default GPUGRAD_EMULATOR=check in the environment turns check mode on."""
    if _stack.options:
        return _stack.options[-1]
    return _defaults(os.environ.get("GPUGRAD_EMULATOR") == "check", len(os.sched_getaffinity(0)))


@cache
def _defaults(check: bool, cores: int) -> Options:
    """Return the options of a thread that set none; made once, since each allocation and each launch asks for them."""
    return Options(check, workers=cores)


@contextmanager
def options(
    *,
    check: bool | None = None,
    schedule: str | None = None,
    seed: int | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    record: Callable[[Any], None] | None = None,
) -> Iterator[Options]:
    """Set the options of this thread's kernels within a `with` block; an option that is not given keeps its value.

    schedule: the order of blocks and of a block's threads: "forward", "reverse", or "random", drawn from `seed`.
    workers: the most cores to use (check mode uses one).
    timeout: CPU seconds within which some block has to end, else the launch is stopped; 0 sets no limit.
    record: takes the counts of each launch (`gpugrad.cuda.profile` uses it); nothing is checked then.
    Raises KernelError for a schedule that does not exist or a negative number.
    """
    if schedule is not None and schedule not in SCHEDULES:
        raise KernelError(f"schedule={schedule!r}: expected one of {', '.join(SCHEDULES)}")
    if workers is not None and workers < 1:
        raise KernelError(f"workers={workers}: expected at least 1")
    if timeout is not None and timeout < 0:
        raise KernelError(f"timeout={timeout}: expected seconds, or 0 for no limit")
    given = dict(check=check, schedule=schedule, seed=seed, workers=workers, timeout=timeout, record=record)
    _stack.options.append(replace(current(), **{name: value for name, value in given.items() if value is not None}))
    try:
        yield _stack.options[-1]
    finally:
        _stack.options.pop()
