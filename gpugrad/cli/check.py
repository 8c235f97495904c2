"""`gpugrad check [FILE.py]` runs every check that an op's declaration implies, on gpugrad's ops or on those of a file.

The ops of a file are checked on the CPU, on a GPU if there is one, and on the emulated cuda device if they have
kernels.
"""

import argparse
import difflib
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from ..autograd.check.checks import CHECKS, Result, check_op
from ..autograd.op import OPS, Op
from ..backend import cuda
from ..backend.cuda import emulator
from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..errors import UsageError
from .op_files import TIMEOUT, declared_ops
from .usage import number, running_user_code


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", nargs="?", metavar="FILE.py", help="declares ops; without it, gpugrad's own")
    parser.add_argument("--device", help="where to run them: cpu, cuda, cuda:1 (default: every device that is there)")
    parser.add_argument("--op", nargs="+", action="extend", metavar="NAME", help="check only these ops")
    parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="CHECK", help=f"of: {', '.join(CHECKS)}")
    parser.add_argument("--paths", action="store_true", help="check only ops that have a path of their own there")
    parser.add_argument(
        "--timeout",
        type=number(float, 0, exclusive=True),
        default=TIMEOUT,
        metavar="SECONDS",
        help="for importing the file, and for each of its ops (default: %(default)g)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list every failing case and each op's seconds")


def run(args: argparse.Namespace) -> int:
    """Run the checks and print the tables; return 0 if all passed, else 1. Raises UsageError if nothing is to check."""
    ops = _chosen(declared_ops(Path(args.file), args.timeout) if args.file else dict(OPS), args.op)
    devices = [args.device] if args.device else ["cpu", *(["cuda"] if cuda.is_available() else [])]
    status = max([_check(ops, find_device(name), args) for name in devices])
    brings_kernels = any(op.paths["cuda"] for op in ops.values())
    if args.file and not args.device and brings_kernels and not cuda.is_emulated():
        status = max(status, _check_emulated(args))
    return status


def _check(ops: dict[str, Op], device: Device, args: argparse.Namespace) -> int:
    start, verbose = time.perf_counter(), args.verbose
    if args.paths:
        ops = {name: op for name, op in ops.items() if op.paths[device.type]}
    results = _results(ops, device, args)
    _print_table(results, verbose)
    failed = [name for name, found in results.items() if not all(r.passed for r in found)]
    _print_failures(results, verbose)
    seconds, where = time.perf_counter() - start, f"emulated {device}" if _is_emulated(device) else str(device)
    print(f"{len(ops)} ops on {where}: {len(ops) - len(failed)} ok, {len(failed)} failed, in {seconds:.1f} s")
    return 1 if failed else 0


def _is_emulated(device: Device) -> bool:
    return device.type == "cuda" and cuda.is_emulated()


def _check_emulated(args: argparse.Namespace) -> int:
    """Check on the emulated cuda device, in its check mode, which needs a process of its own."""
    problem = emulator.available()
    if problem:
        print(f"the kernels were not run on the CPU: {problem}")
        return 0
    names = ["--op", *args.op] if args.op else []
    command = [sys.executable, "-m", "gpugrad", "check", args.file, "--device", "cuda", *names]
    sys.stdout.flush()
    more = ["--timeout", str(args.timeout), *(["--verbose"] if args.verbose else [])]
    env = {**os.environ, "GPUGRAD_CUDA": "emulate", "GPUGRAD_EMULATOR": "check"}
    return subprocess.run(command + more, env=env, check=False).returncode


def _chosen(ops: dict[str, Op], names: list[str] | None) -> dict[str, Op]:
    for name in names or ():
        if name not in ops:
            near = difflib.get_close_matches(name, ops, 3)
            raise UsageError(f"there is no op {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""))
    return {name: ops[name] for name in names or sorted(ops)}


def _results(ops: dict[str, Op], device: Device, args: argparse.Namespace) -> dict[str, list[Result]]:
    results = {}
    show = sys.stderr.isatty()
    for i, (name, op) in enumerate(ops.items(), 1):
        if show:
            print(f"\r\033[K[{i}/{len(ops)}] {name}", end="", file=sys.stderr, flush=True)
        with running_user_code(f"checking {name}", args.timeout) if args.file else nullcontext():
            results[name] = check_op(op, device, args.only)
    if show:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return results


def _print_table(results: dict[str, list[Result]], verbose: bool) -> None:
    rows = [["op", "cases", *CHECKS, *(["seconds"] if verbose else [])]]
    for name, found in results.items():
        cases = len({id(r.case) for r in found if r.check == "forward" and r.case is not None})
        row = [name, str(cases), *(_verdict([r for r in found if r.check == check]) for check in CHECKS)]
        rows.append(row + ([f"{sum(r.seconds for r in found):.2f}"] if verbose else []))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _verdict(found: list[Result]) -> str:
    return "-" if not found else "ok" if all(r.passed for r in found) else "FAIL"


def _print_failures(results: dict[str, list[Result]], verbose: bool) -> None:
    for name, found in results.items():
        for check in CHECKS:
            failures = [r for r in found if r.check == check and not r.passed]
            for r in failures if verbose else failures[:1]:
                call = f"{name}({r.case})" if r.case is not None else name
                more = "" if verbose or len(failures) == 1 else f" (and {len(failures) - 1} more cases; -v lists them)"
                print(f"\n{check}: {call}{more}\n  {r.message}")
    if any(not r.passed for found in results.values() for r in found):
        print()
