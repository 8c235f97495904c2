"""Runs a workload in a process of its own: for its time, and for its peak memory.

`python -m benchmarks.cases.processes time|memory LIBRARY WORKLOAD DEVICE THREADS` is such a process. With `memory` it
runs three steps, and prints what the kernel (Linux) says of its resident memory, in bytes, as JSON. With `time` it
prints how many seconds the work took that a line of its input asks for: `step 5`, or `forward 5` without gradients. It
imports no library but the one that it measures.
"""

import gc
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..measuring.clock import load, wall
from ..measuring.subprocesses import ROOT, python
from .case import Inference
from .workloads import WORKLOADS


def peak_memory(library, workload, device, threads, processes):
    """Measures the resident memory of a process that runs `workload`: after the import, its peak, and the increase.

    It varies with the layout of the heap; of several processes the one with the median increase counts.
    """
    command = ["-m", __spec__.name, "memory", library, workload, device, str(threads)]
    peaks = [json.loads(python(*command)) for _ in range(processes)]
    return sorted(peaks, key=lambda peak: peak["increase"])[processes // 2]


class Elsewhere:
    """Runs one library's side of a workload in a process of its own, as its users have it.

    In one process each library would run with the other's settings: importing gpugrad tells malloc to keep freed
    memory, which saves PyTorch page faults.
    """

    def __init__(self, library, workload, device, threads):
        self.name = f"{library}'s process of {workload}"
        command = [sys.executable, "-m", __spec__.name, "time", library, workload, device, str(threads)]
        self.process: Any = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.communicate()

    def seconds(self, work, steps):
        """Returns how long `steps` of some work take there. Raises RuntimeError if the process has ended."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{work} {steps}\n")
        if not (answer := self.process.stdout.readline()):
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return float(answer)


@dataclass
class Pass:
    """Lets the clock time one kind of work elsewhere, as a case."""

    elsewhere: Elsewhere
    work: str

    def run(self, steps):
        """Does the work `steps` times, waits, and returns how long it took there."""
        return self.elsewhere.seconds(self.work, steps)

    clock = staticmethod(run)


def prepare(library, workload, device, threads):
    """Returns the library, and its case of a workload."""
    lib = load(library, int(threads))
    return lib, next(w for w in WORKLOADS if w.name == workload).prepare(lib, device)


def serve(*chosen):
    """Does the work that each line of the input asks for, and prints how long it took."""
    lib, case = prepare(*chosen)
    cases: dict[str, Any] = {"step": case, "forward": Inference(case, lib.no_grad)}
    gc.collect()
    gc.freeze()  # else each collection walks over every object of the library
    with suppress(KeyboardInterrupt):
        for line in sys.stdin:
            work, steps = line.split()
            gc.collect()
            print(wall(cases[work], int(steps)), flush=True)


def resident(field):
    """Returns a field of this process's status in bytes: `VmRSS` is resident memory now, `VmHWM` its highest value."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def report_memory(library, workload, device, threads):
    """Runs three steps of a workload, and prints the memory they needed."""
    lib = load(library, int(threads))
    assert lib.nn and lib.optim  # a part of the import, which gpugrad puts off until they are used
    Path("/proc/self/clear_refs").write_text("5")  # the import's own peak does not count
    after_import = resident("VmRSS")
    _, case = prepare(library, workload, device, threads)
    case.run(3)
    peak = resident("VmHWM")
    print(json.dumps({"after_import": after_import, "peak": peak, "increase": peak - after_import}))


if __name__ == "__main__":
    {"time": serve, "memory": report_memory}[sys.argv[1]](*sys.argv[2:])
