"""Lists what a run measures: the tasks that the chosen names, devices and level make."""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from gpugrad.autograd.op import OPS

from ..measuring.clock import time_cases
from ..measuring.summaries import compared
from ..measuring.verify import verify
from . import growth, ops, overheads, raw_ops
from .processes import Elsewhere, Pass, peak_memory
from .workloads import WORKLOADS

ORDER = ("quick", "default", "full")


@dataclass(frozen=True)
class Task:
    """Names a piece of the run. `rows()` yields its rows as they are measured."""

    kind: str
    name: str
    device: str
    rows: Callable[[], Any]


def workload_rows(workload, libs, device, threads, effort):
    """Yields the rows of a workload: a whole step, and forward alone where images or tokens go through."""
    if len(libs) == 2:
        verify(workload, libs, device)
    works = ("step", "forward") if workload.items else ("step",)
    operations = {"step": workload.operations, "forward": 1}
    times: dict = {work: [[] for _ in libs] for work in works}
    for share in effort.shares():
        with ExitStack() as stack:
            sides = [stack.enter_context(Elsewhere(lib, workload.name, device, threads)) for lib in libs]
            for work in works:
                cases = [Pass(side, work) for side in sides]
                for all_rounds, rounds in zip(times[work], time_cases(cases, share, operations[work]), strict=True):
                    all_rounds += rounds
    for work in works:
        row = compared(dict(zip(libs, times[work], strict=True)), workload.goal if work == "step" else None)
        if workload.items:
            row["rate"] = {"value": workload.items / row["ours"]["median"], "unit": f"{workload.unit}/s"}
        if work == "step" and effort.processes and device == "cpu" and sys.platform == "linux":
            row["memory"] = _memory(workload, libs, device, threads, effort)
        yield _head(workload, work, device) | row


def _head(workload, work, device):
    head = {"id": f"{workload.name} {work} {device}", "kind": "model", "workload": workload.name}
    return head | {"title": workload.title, "pass": work, "device": device}


def _memory(workload, libs, device, threads, effort):
    """Measures the peak memory of each side in a fresh process, and the ratio of the increases."""
    sides = zip(("ours", "peer"), libs, strict=False)
    peaks: dict = {side: peak_memory(lib, workload.name, device, threads, effort.processes) for side, lib in sides}
    if "peer" in peaks:
        peaks["ratio"] = peaks["ours"]["increase"] / peaks["peer"]["increase"]
    return peaks


def _others(libs, device, effort):
    """Yields (kind, name, the first level that measures it, its rows) of what is neither a kernel nor a model."""
    for name in overheads.OPS:
        first = "quick" if name in ("add", "matmul") else "default"
        yield "overhead", f"call {name}", first, partial(overheads.calls, name, libs, device, effort)
    if device == "cpu":
        yield "overhead", "import", "quick", partial(overheads.imports, effort)
        yield "overhead", "first loop", "default", partial(overheads.first_loop, effort)
    else:
        yield "overhead", "launch", "quick", partial(overheads.launches, libs, device, effort)
    yield "overhead", "first call", "default", partial(overheads.first_call, device, effort)
    for name in raw_ops.NETWORKS:
        yield "overhead", f"classes {name}", "default", partial(raw_ops.rows_of, name, device, effort)
    for name in growth.GROWTH:
        first = "quick" if name in ("graph length", "parameter count") else "default"
        yield "growth", name, first, partial(growth.growth, name, libs, device, effort)


def _labelled(rows, kind, name):
    return ({"kind": kind, "name": name} | row for row in rows())


def all_tasks(libs, device, level, threads, limits, effort, peers):
    """Yields every task for a device, whatever its level: (task, level)."""
    for op in OPS.values():
        rows = partial(ops.rows_of, op, device, level, limits, effort, peers)
        yield Task("kernel", op.name, device, rows), level if ops.is_measured(op, device, level) else None
    for w in WORKLOADS:
        rows = partial(workload_rows, w, libs, device, threads, effort)
        yield Task("model", w.name, device, rows), w.level if w.device in ("", device) else None
    for kind, name, first, rows in _others(libs, device, effort):
        yield Task(kind, name, device, partial(_labelled, rows, kind, name)), first


def plain(name):
    """Returns a name as it is compared: `layer-norm` and `layer_norm` are one."""
    return name.replace("_", "-").lower()


def chosen(tasks, names, level):
    """Yields the tasks that names or their first words ask for (or kinds: kernels, models, overheads, growth), else
    those of the level."""
    wanted = {plain(name).removesuffix("s") for name in names}
    for task, first in tasks:
        if wanted:
            own = plain(task.name)
            if {name.removesuffix("s") for name in (own, own.split()[0])} & wanted:
                yield task
                continue
            if task.kind not in wanted:
                continue
        if first is not None and ORDER.index(first) <= ORDER.index(level):
            yield task
