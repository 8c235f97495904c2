"""Measures what is asked for: the command line of `python -m benchmarks` and `gpugrad bench` alike.

    python -m benchmarks                              # everything, on every device that is there
    python -m benchmarks --quick softmax attention    # by name: ops, workloads; kernels, models, overheads, growth
    python -m benchmarks launch classes               # an empty kernel's launch; nn's classes against raw ops
    python -m benchmarks --html page.html             # and one page with charts
    python -m benchmarks --markdown --svg bars.svg    # the table and the picture of a README, from one run
    python -m benchmarks my_ops.py                    # the ops that a file declares
    python -m benchmarks compare A.jsonl B.jsonl      # what changed beyond noise; status 1: slower
    python -m benchmarks table A.jsonl B.jsonl        # runs of several kinds of CPU in one table for a README
    python -m benchmarks page A.jsonl --html FILE     # the page of an earlier run; with --svg FILE the picture

Results are verified before they are timed, contenders take turns, and every library has the same threads and, for
whole workloads, a process of its own, because malloc's settings are the process's. --threads N also keeps the processes
to N cores, where the system can, for those libraries that cannot be told. Triton takes part on a GPU, or with
TRITON_INTERPRET=1. A ratio is our time divided by the peer's: below 1 we are faster. The exit status is 1 if a row
failed.
"""

import argparse
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import gpugrad
from gpugrad.autograd.op import OPS
from gpugrad.cli.op_files import declared_ops
from gpugrad.cli.usage import Parser, number
from gpugrad.errors import GpugradError, UsageError

from .cases import ops
from .cases.tasks import Task, all_tasks, chosen, plain
from .cases.workloads import GEOMETRIC_MEAN_GOAL
from .measuring.clock import LEVELS, load
from .measuring.cores import CORES, pinned
from .measuring.environment import environment
from .measuring.limits import Limits, noise
from .peers.libraries import CHOSEN, PEERS
from .reports import readme, table
from .reports.compare import compare
from .reports.page import page
from .reports.picture import picture
from .reports.progress import Progress
from .reports.result_files import read, results_file, save

UNSTEADY, BUSY = 0.15, 0.5  # spread of a fixed computation; processes running on average over the last minute


def arguments(parser):
    """Declares the options."""
    parser.add_argument(
        "names", nargs="*", metavar="name", help="ops, workloads or kinds; FILE.py; compare A B; table A ...; page A"
    )
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--quick", dest="level", action="store_const", const="quick", help="under two minutes")
    level.add_argument("--full", dest="level", action="store_const", const="full", help="all sizes, dtypes and peers")
    parser.add_argument("--device", choices=["cpu", "cuda", "both"], help="default: every device that is there")
    parser.add_argument(
        "--threads", type=number(int, 1), default=len(CORES), metavar="N", help="and cores; default: all"
    )
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append rows here instead of benchmarks/results/")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the ratios with a goal as a picture")
    parser.add_argument("--markdown", action="store_true", help="print the table for a README at the end")
    parser.add_argument("--list", action="store_true", help="list what would be measured and stop")
    parser.set_defaults(level="default")


def devices(asked):
    """Returns the devices to measure. Raises UsageError if one that was asked for is not there."""
    there = gpugrad.cuda.is_available()
    if asked in ("cuda", "both") and not there:
        raise UsageError("there is no cuda device; `gpugrad doctor` says what is missing")
    if asked is None:
        return ["cpu", "cuda"] if there and not gpugrad.cuda.is_emulated() else ["cpu"]
    return ["cpu", "cuda"] if asked == "both" else [asked]


def tasks_of(options, libs, limits):
    """Returns the tasks of a run. Raises UsageError for a name that is none."""
    effort = LEVELS[options.level]
    files = [name for name in options.names if name.endswith(".py")]
    names = [name for name in options.names if name not in files]
    found = []
    for file in files:
        declared = declared_ops(Path(file))
        for device, limit in limits.items():
            for op in declared.values():
                rows = partial(ops.rows_of, op, device, options.level, limit, effort, options.peers)
                found.append(Task("kernel", op.name, device, rows))
    if names or not files:
        tasks = []
        for device, limit in limits.items():
            here = {name: lib for name, lib in libs.items() if device == "cpu" or lib.cuda.is_available()}
            tasks += all_tasks(here, device, options.level, options.threads, limit, effort, options.peers)
        if unknown := [name for name in names if not list(chosen(tasks, [name], "full"))]:
            raise UsageError(f"there is nothing called {', '.join(unknown)}; --list shows what there is")
        found += chosen(tasks, names, options.level)
    return found


def warn(facts):
    """Prints why the numbers may be doubtful."""
    if facts["noise"]["load"] > BUSY:
        print(f"the machine is busy (load {facts['noise']['load']:.1f}): times will be too long, verdicts unsure")
    if facts["noise"]["spread"] > UNSTEADY:
        print(f"the machine is unsteady: a fixed computation varies by {facts['noise']['spread']:.0%}")
    for name in PEERS:
        if name in facts["peers"] and not find_spec(PEERS[name].package):
            print(f"{name} is not installed: skipped")
    if "cuda" in facts["devices"] and gpugrad.cuda.is_emulated():
        print("cuda is emulated: its times say nothing about a GPU")


def attempt(task):
    """Yields a task's rows; an error becomes a row that says so, since a broken one must not end the others."""
    try:
        yield from task.rows()
    except Exception as error:
        head = {"id": f"{task.name} {task.device}", "kind": task.kind, "name": task.name, "device": task.device}
        yield head | {"failed": f"{type(error).__name__}: {error}"}


def measure(tasks, facts, path):
    """Runs the tasks, prints and saves each row as it comes, and returns (rows, exit status). Ctrl-C keeps what is
    finished."""
    rows, progress = [], Progress(tasks)
    try:
        for number, task in enumerate(tasks):
            progress.show(number)
            for row in attempt(task):
                rows.append(row)
                save(row | facts, path)
                progress.clear()
                print(table.line(table.cells(row)), flush=True)
                progress.show(number)
    except KeyboardInterrupt:
        print("\nstopped: the rows above are complete")
        return rows, 130
    finally:
        progress.clear()
    return rows, int(any("failed" in row for row in rows))


def summarise(rows, facts, options, path):
    """Prints the end of a run, and writes the page and the picture."""
    mean, count = table.geometric_mean(rows)
    line = f"Geometric mean of {count} ratios to PyTorch: {mean:.2f} (goal {GEOMETRIC_MEAN_GOAL})" if mean else ""
    print(f"{line}\nrows saved in {path}".strip())
    noisy = [row["id"] for row in rows if row.get("noisy")]
    if noisy:
        print(f"too noisy for a verdict: {len(noisy)} of {len(rows)} rows")
    write_files(rows, facts, options)
    if options.markdown:
        print("\n" + readme.table([facts | row for row in rows], GEOMETRIC_MEAN_GOAL))


def write_files(rows, facts, options):
    """Writes the page and the picture that were asked for."""
    for path, made in ((options.html, page), (options.svg, picture)):
        if path:
            path.write_text(made(rows, facts), encoding="utf-8")
            print(f"{made.__name__} written to {path}")


def rows_of(file):
    """Returns the rows of a result file. Raises UsageError where there are none."""
    rows = read(file)
    if not rows:
        raise UsageError(f"{file} holds no rows")
    return rows


def of_files(options):
    """Does `compare`, `table` or `page`, which read result files, and returns the exit status."""
    command, *files = options.names
    if command == "compare":
        if len(files) != 2:
            raise UsageError("compare takes two result files")
        for file in files:
            rows_of(file)
        lines, regressed = compare(*files)
        print("\n".join(lines))
        return int(regressed)
    if command == "table":
        if not files:
            raise UsageError("table takes result files, one or more")
        print(readme.table([row for file in files for row in rows_of(file)], GEOMETRIC_MEAN_GOAL))
        return 0
    if len(files) != 1 or not (options.html or options.svg):
        raise UsageError("page takes one result file, and --html FILE or --svg FILE to write to")
    rows = rows_of(files[0])
    write_files(rows, rows[-1], options)
    return 0


def start(options):
    """Measures what was asked for, and returns the exit status."""
    places = devices(options.device)
    names = [name for name in ("gpugrad", "torch") if find_spec(name)]
    libs = {name: load(name, options.threads) for name in names}
    limits = {device: Limits(device, options.threads) for device in places}
    tasks = tasks_of(options, libs, limits)
    if options.list:
        for task in tasks:
            print(f"{task.kind:9} {task.device:5} {plain(task.name) if task.name not in OPS else task.name}")
        return 0
    facts = environment(options.threads, places, options.level) | {"noise": noise()}
    facts["limits"] = {device: limit.facts() for device, limit in limits.items()}
    facts["peers"] = CHOSEN[options.level] if options.peers is None else options.peers
    print(table.describe(facts))
    for device, measured in facts["limits"].items():
        rate = measured["rates"]["float32"] / 1e9
        print(
            f"limits of {device}: copying {measured['bandwidth'] / 1e9:.1f} GB/s, float32 products {rate:.0f} GFLOP/s"
        )
    warn(facts)
    path = options.json or results_file(facts)
    print(table.line(table.WIDTHS))
    rows, status = measure(tasks, {k: v for k, v in facts.items() if k != "peers"}, path)
    summarise(rows, facts, options, path)
    return status


def run(options):
    """Does what the command line asks for, and returns the exit status."""
    try:
        if options.names[:1] in (["compare"], ["table"], ["page"]):
            return of_files(options)
        with pinned(options.threads):
            return start(options)
    except (GpugradError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def main(argv=None):
    """Runs `python -m benchmarks`, and returns the exit status."""
    form = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="python -m benchmarks", description=__doc__, formatter_class=form)
    arguments(parser)
    return run(parser.parse_args(argv))
