"""Gives every library the same cores: some have no setting for their threads, but as many as the process has cores."""

import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path

CAN_PIN = hasattr(os, "sched_setaffinity")
CORES = frozenset(os.sched_getaffinity(0) if CAN_PIN else range(os.cpu_count() or 1))  # that this process was given
TASKS, TOPOLOGY = Path("/proc/self/task"), "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def _preference(core):
    """Returns a key that sorts the first hardware thread of each physical core before the others."""
    file = Path(TOPOLOGY.format(core))
    first = re.match(r"\d+", file.read_text()) if file.exists() else None
    return first is not None and int(first[0]) != core, core


def _keep_to(cores):
    """Keeps every thread of this process on `cores`; threads and processes that they start inherit it."""
    for thread in [int(path.name) for path in TASKS.iterdir()] if TASKS.exists() else [0]:
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(thread, cores)


@contextmanager
def pinned(count):
    """Keeps this process on `count` of its cores, where the system can do that."""
    if not CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    _keep_to(sorted(before, key=_preference)[:count])
    try:
        yield
    finally:
        _keep_to(before)
