"""Find the benchmark suite, of which commands use the clock, the tables and the description of the machine."""

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def suite(module: str) -> Any:
    """Import a module of the suite: beside the package in a checkout, inside it if gpugrad is installed."""
    if not (ROOT / "benchmarks" / "cli.py").is_file():
        return importlib.import_module(f"gpugrad._benchmarks.{module}")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"benchmarks.{module}")
