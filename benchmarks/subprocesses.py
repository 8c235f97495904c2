"""What needs a fresh process: the time and the peak memory of a workload, and the time of an import.

`python -m benchmarks.subprocesses time|memory LIBRARY WORKLOAD DEVICE THREADS` is such a process. With `memory` it runs
three steps, and prints what the kernel (Linux) says of its resident memory, in bytes, as JSON. With `time` it prints
how many seconds the work took that a line of its input asks for: `step 5`, or `forward 5` without gradients.
"""

import gc
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .measure import interleave, load, wall
from .workloads import WORKLOADS, Inference

ROOT = Path(__file__).resolve().parents[str(__package__).count(".") + 1]
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def python(*arguments):
    """Run Python in the root of the checkout and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return done.stdout


def import_seconds(name):
    """How long a fresh process takes to import a module (the start of Python itself not counted)."""
    return float(python("-c", IMPORT.format(name)))


def time_imports(names, rounds):
    """Interleaved import times of modules, after one import each to fill the file cache: a list for each."""
    measures = [partial(import_seconds, name) for name in names]
    interleave(measures, 1)
    return interleave(measures, rounds)


def peak_memory(library, workload, device, threads, processes):
    """Resident memory of a process that runs `workload`: after the import, at its peak, and the increase.

    It varies with the layout of the heap; of several processes the one with the median increase counts.
    """
    command = ["-m", __spec__.name, "memory", library, workload, device, str(threads)]
    peaks = [json.loads(python(*command)) for _ in range(processes)]
    return sorted(peaks, key=lambda peak: peak["increase"])[processes // 2]


class Elsewhere:
    """One library's side of a workload in a process of its own, as its users have it.

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
        """How long `steps` of some work take there. Raises RuntimeError if the process has ended."""
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{work} {steps}\n")
        if not (answer := self.process.stdout.readline()):
            raise RuntimeError(f"{self.name} ended with status {self.process.wait()}")
        return float(answer)


@dataclass
class Pass:
    """A case to time: one kind of work elsewhere."""

    elsewhere: Elsewhere
    work: str

    def run(self, steps):
        """Do the work `steps` times and wait; returns how long it took there."""
        return self.elsewhere.seconds(self.work, steps)

    clock = staticmethod(run)


def prepare(library, workload, device, threads):
    """The library, and its case of a workload."""
    lib = load(library, int(threads))
    return lib, next(w for w in WORKLOADS if w.name == workload).prepare(lib, device)


def serve(*chosen):
    """Do the work that each line of the input asks for, and print how long it took."""
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
    """A field of this process's status in bytes: `VmRSS` is resident memory now, `VmHWM` its highest value."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def remember(library, workload, device, threads):
    """Run three steps of a workload and print the memory they needed."""
    lib = load(library, int(threads))
    assert lib.nn and lib.optim  # a part of the import, which gpugrad puts off until they are used
    Path("/proc/self/clear_refs").write_text("5")  # the import's own peak does not count
    after_import = resident("VmRSS")
    _, case = prepare(library, workload, device, threads)
    case.run(3)
    peak = resident("VmHWM")
    print(json.dumps({"after_import": after_import, "peak": peak, "increase": peak - after_import}))


if __name__ == "__main__":
    {"time": serve, "memory": remember}[sys.argv[1]](*sys.argv[2:])
