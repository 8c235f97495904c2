"""`python -m tests.gpu`: everything that only a machine with a GPU can show, in one run and one report.

Compiles every kernel for this GPU, runs the test suite with device cuda, runs the kernels' tests under
compute-sanitizer (memory, races) where it is installed, and times the benchmarks. The report, with GPU, driver,
versions, commit and date, is written to benchmarks/results/. The exit status is 1 if a part failed.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SANITIZED = "test_softmax or test_layer_norm or test_attention or test_conv or test_pool or test_elementwise"


class Part(NamedTuple):
    """One command of the run and what it gave."""

    title: str
    status: str
    seconds: float
    tail: str


def main() -> int:
    """Run all parts; write and print the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="without compute-sanitizer and benchmarks")
    parser.add_argument("--report", type=Path, help="where to write the report (default: benchmarks/results/)")
    options = parser.parse_args()
    os.environ.pop("GPUGRAD_CUDA", None)  # the GPU itself, not its emulation
    from gpugrad.backend.cuda import diagnose

    if problem := diagnose():
        print(f"no GPU to test: {problem}", file=sys.stderr)
        return 2
    parts = [run(title, command) for title, command in commands(options.quick)]
    text = report(parts)
    path = options.report or RESULTS / f"gpu-{datetime.date.today()}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(text, f"\nwritten to {path}", sep="")
    return int(any(part.status not in ("passed", "not installed") for part in parts))


def commands(quick: bool) -> list[tuple[str, list[str]]]:
    """The parts in the order of how soon they tell of a fault."""
    python, sanitizer = sys.executable, shutil.which("compute-sanitizer") or "compute-sanitizer"
    tests = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    parts = [
        ("doctor", [python, "-m", "gpugrad", "doctor"]),
        ("every kernel compiles", [python, "-m", "gpugrad", "precompile", "--check"]),
        ("test suite", [*tests, "tests"]),
    ]
    if quick:
        return parts
    for tool in ("memcheck", "racecheck"):
        command = [sanitizer, "--tool", tool, "--error-exitcode", "9", "--target-processes", "all"]
        parts.append(
            (f"compute-sanitizer {tool}", [*command, *tests, "tests/ops/cuda", "tests/backend/cuda", "-k", SANITIZED])
        )
    return [*parts, ("benchmarks", [python, "-m", "benchmarks", "--device", "cuda", "--quick", "--markdown"])]


def run(title: str, command: list[str]) -> Part:
    """Run one part, showing its output as it comes."""
    print(f"== {title}", flush=True)
    if shutil.which(command[0]) is None:
        return Part(title, "not installed", 0.0, f"{command[0]} is not on the PATH")
    start, lines = time.perf_counter(), []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    status = "passed" if process.returncode == 0 else f"failed with status {process.returncode}"
    return Part(title, status, time.perf_counter() - start, "".join(lines[-40:]))


def report(parts: list[Part]) -> str:
    """The run in Markdown."""
    rows = [f"| {part.title} | {part.status} | {part.seconds:.0f} |" for part in parts]
    details = [f"## {part.title}\n\n```\n{part.tail.rstrip()}\n```\n" for part in parts]
    head = [
        f"# Hardware run of {datetime.date.today()}",
        "",
        machine(),
        "",
        "| part | result | seconds |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, "", *details])


def machine() -> str:
    """GPU, driver, versions and commit in one line."""
    import cupy
    import numpy

    import gpugrad

    runtime = cupy.cuda.runtime
    name = runtime.getDeviceProperties(0)["name"].decode()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    versions = f"gpugrad {gpugrad.__version__}, CuPy {cupy.__version__}, NumPy {numpy.__version__}"
    cuda = f"CUDA driver {runtime.driverGetVersion()}, runtime {runtime.runtimeGetVersion()}"
    return f"{name}; {cuda}; {versions}, Python {sys.version.split()[0]}; commit {commit.strip() or 'unknown'}"


if __name__ == "__main__":
    sys.exit(main())
