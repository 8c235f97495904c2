"""Other wheels of CuPy, whose names are compared and which run nothing: CUDA 12, the oldest and the newest versions."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from . import libraries
from .environment import CUPY, ROOT, Environment

_DISTRIBUTIONS = ("cupy-cuda12x", "cupy-cuda13x")


def make(environment: Environment, newest: bool) -> list[Path]:
    """Return the folders with the wheels: CUDA 12's of the pinned version; with newest also the ends of the range."""
    wanted = {("cupy-cuda12x", CUPY)}
    if newest:
        wanted |= {(name, _newest(environment, name)) for name in _DISTRIBUTIONS}
        wanted |= {("cupy-cuda12x", oldest())}
    return list(_installed(environment, sorted(wanted - {("cupy-cuda13x", CUPY)})))


def oldest() -> str:
    """Return the oldest version that gpugrad's extra cuda12 allows, "14"."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return next(text.partition(">=")[2] for text in extras["cuda12"] if text.startswith("cupy"))


def _newest(environment: Environment, name: str) -> str:
    """Return the newest version that pip would install."""
    command = [environment.python, "-m", "pip", "install", "-q", "--dry-run", "--no-deps", "--ignore-installed"]
    asked = subprocess.run([*command, "--report", "-", name], capture_output=True, text=True, check=True)
    return json.loads(asked.stdout)["install"][0]["metadata"]["version"]


def _installed(environment: Environment, wanted: list[tuple[str, str]]) -> Iterator[Path]:
    for name, version in wanted:
        folder = environment.folder / f"{name}-{version}"
        if not (folder / "made").exists():
            command = [environment.python, "-m", "pip", "install", "-q", "--no-deps", "--upgrade"]
            subprocess.run([*command, "--target", folder, f"{name}=={version}"], check=True)
            libraries.build(folder, folder)
            (folder / "made").touch()
        yield folder
