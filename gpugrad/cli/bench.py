"""`gpugrad bench [NAME|FILE.py]`: run the benchmark suite; `compare A B` and `table A B` for earlier runs."""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def _suite() -> Any:
    """Import the suite's command line: beside the package in a checkout, inside it if gpugrad is installed."""
    if not (ROOT / "benchmarks" / "cli.py").is_file():
        return importlib.import_module("gpugrad._benchmarks.cli")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module("benchmarks.cli")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    _suite().arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure; returns 0 if every row was measured, 1 if one failed or got slower, 2 if nothing can be measured."""
    return _suite().run(args)
