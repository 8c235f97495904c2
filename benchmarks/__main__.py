"""`python -m benchmarks [names...]`: gpugrad against PyTorch eager, in one run, on the same threads.

Every result is compared with PyTorch's before it is timed, and rounds of the two libraries alternate. A row shows the
median time of each library, the ratio (ours / PyTorch's: below 1 is faster) with the spread of the rounds, the goal,
and how much memory a fresh process needed at its peak beyond the import. The exit status is 1 if a row failed.
"""

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from . import report
from .measure import FULL, QUICK, load, ratio_of, summary, time_cases, verdict
from .subprocesses import peak_memory, time_imports
from .verify import verify
from .workloads import GEOMETRIC_MEAN_GOAL, WORKLOADS

OURS, PEER = "gpugrad", "torch"
BUSY = 0.5  # processes running on average over the last minute, at the start
IMPORT_TITLE, IMPORT_GOAL = "`import gpugrad` against `import numpy`", 1.3


def arguments():
    """The command line."""
    names = [workload.name for workload in WORKLOADS] + ["import"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help="workloads to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append rows here instead of benchmarks/results/")
    parser.add_argument("--markdown", action="store_true", help="print the table for a README at the end")
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no workload called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options.names = options.names or names
    return options


def compared(ours, peer, peer_name, goal):
    """The numbers of a row from the times of both sides (`peer` is None where there is no peer)."""
    row = {"goal": goal, "peer_name": peer_name, "ours": summary(ours)}
    if peer is not None:
        ratio = ratio_of(ours, peer)
        row |= {"peer": summary(peer), "ratio": ratio, "verdict": verdict(ratio, goal)}
    return row


def memory(workload, names, options, effort):
    """Peak memory of each side, and the ratio of the increases."""
    asked = workload.name, options.device, options.threads, effort.processes
    peaks = {side: peak_memory(name, *asked) for side, name in zip(("ours", "peer"), names, strict=False)}
    if "peer" in peaks:
        peaks["ratio"] = peaks["ours"]["increase"] / peaks["peer"]["increase"]
    return peaks


def run_workload(workload, libs, options, effort):
    """Verify, time and weigh one workload for our library and, where there is one, its peer."""
    cases = [workload.prepare(lib, options.device) for lib in libs.values()]
    if len(cases) == 2:
        verify(cases[0], cases[1], libs[OURS], options.device, workload.tolerance)
    times = time_cases(cases, effort, workload.name, workload.operations)
    del cases
    row = compared(times[0], times[1] if len(times) == 2 else None, PEER, workload.goal)
    return row | {"memory": memory(workload, libs, options, effort)}


def run_import(effort):
    """The time to import our library against that of NumPy."""
    ours, numpys = time_imports([OURS, "numpy"], effort.rounds)
    return compared(ours, numpys, "numpy", IMPORT_GOAL)


def attempt(run, *args):
    """The row that `run` makes, or one that says why there is none: a broken row must not end the others."""
    try:
        return run(*args)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def rows_of(options, libs):
    """Each selected row as soon as it is measured."""
    effort = QUICK if options.quick else FULL
    for workload in WORKLOADS:
        if workload.name in options.names:
            row = attempt(run_workload, workload, libs, options, effort)
            yield {"workload": workload.name, "title": workload.title} | row
    if "import" in options.names:
        yield {"workload": "import", "title": IMPORT_TITLE} | attempt(run_import, effort)


def mean_line(rows):
    """The geometric mean of all ratios to the peer, as a sentence."""
    mean, count = report.geometric_mean(rows, PEER)
    return f"Geometric mean of {count} ratios to PyTorch: {mean:.2f} (goal {GEOMETRIC_MEAN_GOAL})" if count else ""


def main():
    """Run what the command line asks for and return the exit status."""
    options = arguments()
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:14} goal {workload.goal:<5g} {workload.title}")
        print(f"{'import':14} goal {IMPORT_GOAL:<5g} {IMPORT_TITLE}")
        return 0
    names = [OURS, PEER] if find_spec(PEER) else [OURS]
    libs = {name: load(name, options.threads) for name in names}
    facts = report.environment(options.threads, options.device)
    path = options.json or report.results_file(facts)
    print(report.describe(facts))
    if facts["load"] > BUSY:
        print(f"the machine is busy (load {facts['load']:.1f}): numbers will be noisy, times too long")
    if PEER not in libs:
        print("PyTorch is not installed: only our own times, compared with nothing and unverified")
    print(report.line(report.WIDTHS))
    rows, status = [], 0
    try:
        for row in rows_of(options, libs):
            rows.append(row)
            report.save(row | facts, path)
            print(report.line(report.cells(row)), flush=True)
    except KeyboardInterrupt:
        print("stopped: the rows above are complete")
        status = 130
    print(f"{mean_line(rows)}\nrows saved in {path}")
    if options.markdown:
        print("\n" + report.markdown(rows, facts, mean_line(rows)))
    return status or int(any("error" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main())
