"""What needs a fresh process: peak memory of a workload, and the time of an import.

`python -m benchmarks.subprocesses LIBRARY WORKLOAD DEVICE THREADS` is the process whose memory is measured: it imports
the library, runs three steps, and prints what the kernel (Linux) says of its resident memory, in bytes, as JSON.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from .measure import interleave, load
from .workloads import WORKLOADS

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
    command = ["-m", f"{__package__}.subprocesses", library, workload, device, str(threads)]
    peaks = [json.loads(python(*command)) for _ in range(processes)]
    return sorted(peaks, key=lambda peak: peak["increase"])[processes // 2]


def resident(field):
    """A field of this process's status in bytes: `VmRSS` is resident memory now, `VmHWM` its highest value."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def main(library, workload, device, threads):
    """Run three steps of a workload and print the memory they needed."""
    lib = load(library, int(threads))
    assert lib.nn and lib.optim  # a part of the import, which gpugrad puts off until they are used
    Path("/proc/self/clear_refs").write_text("5")  # the import's own peak does not count
    after_import = resident("VmRSS")
    case = next(w for w in WORKLOADS if w.name == workload).prepare(lib, device)
    case.run(3)
    peak = resident("VmHWM")
    print(json.dumps({"after_import": after_import, "peak": peak, "increase": peak - after_import}))


if __name__ == "__main__":
    main(*sys.argv[1:])
