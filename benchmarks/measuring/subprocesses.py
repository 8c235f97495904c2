"""Starts fresh Python processes: for code of its own, and to time imports."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from .clock import interleave

ROOT = Path(__file__).resolve().parents[str(__package__).count(".") + 1]
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def python(*arguments):
    """Runs Python in the root of the checkout, and returns what it printed."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return done.stdout


def import_seconds(name):
    """Returns how long a fresh process takes to import a module (the start of Python itself not counted)."""
    return float(python("-c", IMPORT.format(name)))


def time_imports(names, rounds):
    """Times imports of modules in turns, after one import each to fill the file cache; returns a list for each."""
    measures = [partial(import_seconds, name) for name in names]
    interleave(measures, 1)
    return interleave(measures, rounds)
