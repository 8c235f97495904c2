"""The parts of a hardware run: which commands they are."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from typing import NamedTuple

LIMIT = 240.0  # seconds that a part may take
PROCESSES = 8
SANITIZED = [
    "test_softmax.py::test_dtypes", "test_layer_norm.py::test_hard_rows", "test_attention.py::test_widths",
    "test_pool.py::test_max_pool_is_pytorchs", "test_embedding.py::test_widths",
]  # fmt: skip
_PYTEST = [sys.executable, "-m", "pytest", "-vv", "-rs", "-p", "no:cacheprovider", "-W", "default"]


class Command(NamedTuple):
    """One process of a part. missing: what it needs and this machine lacks, so that it is skipped."""

    title: str
    arguments: list[str]
    missing: str = ""


NAMES = {"a": "smoke", "b": "kernels", "c": "ops", "d": "benchmarks", "e": "sanitizer"}


def chosen(given: list[str]) -> list[str]:
    """The letters of the parts that are given by letter or name, in the order of the run; all for none.

    Raises ValueError for what is no part.
    """
    letters = {name: letter for letter, name in NAMES.items()}
    wrong = [part for part in given if part not in NAMES and part not in letters]
    if wrong:
        raise ValueError(
            f"there is no part {', '.join(wrong)}; the parts are {', '.join(map(' '.join, NAMES.items()))}"
        )
    return sorted({letters.get(part, part) for part in given} or NAMES)


def commands(part: str, out: str) -> list[list[Command]]:
    """The steps of a part, one after the other; the commands of one step run at the same time."""
    python = [sys.executable, "-m"]
    if part == "a":
        doctor = Command("doctor", [*python, "gpugrad", "doctor"])
        return [[doctor], [Command("smoke", [*python, "tests.gpu.smoke"])]]
    if part == "b":
        parallel = ["-n", str(PROCESSES)] if find_spec("xdist") else []
        paths = ["tests/ops/cuda", "tests/optim/test_cuda.py", "tests/cuda/test_graph.py", "tests/cuda/test_devices.py"]
        return [[Command("tests of kernels", [*_PYTEST, *parallel, *paths], _missing("pytest", "torch"))]]
    if part == "c":
        shares = [f"{i + 1}/{PROCESSES}" for i in range(PROCESSES)]
        return [[Command(f"checks {share}", [*python, "tests.gpu.checks", share]) for share in shares]]
    if part == "d":
        arguments = [*python, "benchmarks", "--device", "cuda", "--quick", "--markdown", "--json", f"{out}/quick.jsonl"]
        return [[Command("quick benchmarks", arguments)]]
    return [[_sanitized(tool)] for tool in ("memcheck", "racecheck")]


def _sanitized(tool: str) -> Command:
    path = shutil.which("compute-sanitizer")
    missing = _missing("pytest", "torch") if path else "compute-sanitizer is not on the PATH"
    sanitizer = [path or "", "--tool", tool, "--error-exitcode", "9", "--target-processes", "all"]
    return Command(tool, [*sanitizer, *_PYTEST, *(f"tests/ops/cuda/{test}" for test in SANITIZED)], missing)


def _missing(*packages: str) -> str:
    absent = [name for name in packages if find_spec(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""
