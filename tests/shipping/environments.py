"""Fresh environments: with the wheel alone, and with the oldest dependencies."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from .archives import ROOT

# Tests of the engine and of the ops that need nothing but pytest; the checks of all ops run beside them.
FAST = [
    "tests/autograd/test_graph.py", "tests/autograd/test_gradcheck.py", "tests/autograd/test_numpy_calls.py",
    "tests/autograd/test_tensor.py", "tests/ops/test_index.py", "tests/ops/test_numpy_names.py",
]  # fmt: skip


def oldest(requirements: list[str]) -> list[str]:
    """Return the requirements with the oldest version that each allows: "numpy>=2.1.2" -> "numpy==2.1.2".

    Raises ValueError for a requirement without a lower bound.
    """
    found = [re.fullmatch(r"([\w.-]+)>=([\w.]+)(,.*)?", requirement.replace(" ", "")) for requirement in requirements]
    unbound = [text for text, match in zip(requirements, found, strict=True) if match is None]
    if unbound:
        raise ValueError(f"expected a lower bound, name>=version, got {unbound}")
    return [f"{match[1]}=={match[2]}" for match in found if match]


def make(folder: Path, *requirements: str) -> Path:
    """Return the Python of a new environment in `folder`, in which these are installed."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements], check=True)
    return python


def run(python: Path, *arguments: str, where: Path, **variables: str) -> None:
    """Run Python with these arguments in the folder `where`, without this checkout. Raises CalledProcessError."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GPUGRAD"))}
    subprocess.run([python, *arguments], cwd=where, env=kept | variables, check=True)


def try_wheel(folder: Path, wheel: Path) -> None:
    """Install the wheel alone: its doctor, a training, and kernels on the emulator."""
    python = make(folder / "empty", f"{wheel}[demo]")
    where = folder / "elsewhere"
    where.mkdir()
    run(python, "-c", "import gpugrad as gg, sys; assert 'site-packages' in gg.__file__, gg.__file__", where=where)
    run(python, "-m", "gpugrad", "doctor", where=where)
    run(python, "-m", "gpugrad", "train", "digits", "--quick", where=where)
    kernels = ["check", "--device", "cuda", "--op", "softmax", "layer_norm", "--only", "forward", "gradient"]
    run(python, "-m", "gpugrad", *kernels, where=where, GPUGRAD_CUDA="emulate", GPUGRAD_CACHE=str(folder / "cache"))


def try_oldest(folder: Path, wheel: Path) -> None:
    """Install the wheel with the oldest dependencies: the checks of all ops, and the fast tests."""
    pins = oldest(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    python = make(folder / "oldest", str(wheel), "pytest", *pins)
    print(f"with {' '.join(pins)}", flush=True)
    run(python, "-m", "gpugrad", "check", "--device", "cpu", where=folder)
    installed = ["-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", f"--rootdir={ROOT}"]
    run(python, "-m", "pytest", "-q", *installed, *(str(ROOT / file) for file in FAST), where=folder)
