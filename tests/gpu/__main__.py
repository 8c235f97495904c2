"""The command line of a hardware run."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import tests.gpu

from .parts import LIMIT, chosen, commands
from .report import Report
from .running import ROOT, machine, run


def main(given: list[str] | None = None) -> int:
    """Run the parts and write the report; return 1 if something failed or was cut off, 2 if there is no device."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.gpu", description=tests.gpu.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="a letter or a name; without, all")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR", help="of the report"
    )
    parser.add_argument("--device", choices=["cuda", "emulate"], default="cuda", help="the GPU, or the emulated device")
    parser.add_argument(
        "--limit", type=float, default=LIMIT, metavar="SECONDS", help="of a part (default: %(default)g)"
    )
    options = parser.parse_args(given)
    try:
        parts = chosen(options.parts)
    except ValueError as error:
        parser.error(str(error))
    environment = {"GPUGRAD_CUDA": "emulate" if options.device == "emulate" else ""}
    if problem := _problem(environment):
        print(f"no device to test: {problem}", file=sys.stderr)
        return 2
    report = Report(options.out.resolve(), machine(environment))
    print(report.about, flush=True)
    for part in parts:
        end, done = time.monotonic() + options.limit, report.parts.setdefault(part, [])
        for step in commands(part, str(options.out.resolve())):
            run(step, max(end - time.monotonic(), 0), environment, report.write, done)
            report.write()
    print(report.markdown(), f"\nwritten to {report.path}", sep="")
    return int(report.failed())


def _problem(environment: dict[str, str]) -> str:
    """Why there is no cuda device in this environment; asked of another process, which may use it."""
    code = "from gpugrad.backend.cuda import diagnose; print(diagnose() or '')"
    asked = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True
    )
    return asked.stdout.strip() if asked.returncode == 0 else asked.stderr.strip()


if __name__ == "__main__":
    sys.exit(main())
