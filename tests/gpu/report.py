"""The report of a hardware run, as JSON and as Markdown, which are written anew whenever something is known."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .parts import NAMES
from .running import ROOT, Outcome

_PACKAGES = ("numpy", "torch", "nvmath-python", "ml_dtypes", "hatchling", "tensorboardX")


class Report:
    """Everything that a run has found so far."""

    def __init__(self, folder: Path, about: str):
        self.about, self.date = about, datetime.date.today()
        self.parts: dict[str, list[Outcome]] = {}
        self.path = folder / f"gpu-{self.date}.md"
        folder.mkdir(parents=True, exist_ok=True)

    def failed(self) -> bool:
        """Whether something failed or was cut off."""
        return any(o.status in ("failed", "cut off") for outcomes in self.parts.values() for o in outcomes)

    def write(self) -> None:
        """Write both files, each whole or not at all."""
        for path, text in ((self.path, self.markdown()), (self.path.with_suffix(".json"), self.json())):
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(text)
            os.replace(unfinished, path)

    def json(self) -> str:
        """The run for programs."""
        parts = {NAMES[part]: [o.as_dict() for o in outcomes] for part, outcomes in self.parts.items()}
        content: dict[str, Any] = {"date": str(self.date), "machine": self.about, "parts": parts}
        return json.dumps(content, indent=1) + "\n"

    def markdown(self) -> str:
        """The run to read."""
        lines = [f"# Hardware run of {self.date}", "", self.about, ""]
        lines += [
            "| part | command | result | passed | failed | skipped | seconds |",
            "|---|---|---|---:|---:|---:|---:|",
        ]
        for part, outcomes in self.parts.items():
            for o in outcomes:
                counts = " | ".join(str(o.counts.get(kind, 0)) for kind in ("passed", "failed", "skipped"))
                lines.append(f"| {part} {NAMES[part]} | {o.title} | {o.status} | {counts} | {o.seconds:.0f} |")
        for outcomes in self.parts.values():
            for o in outcomes:
                lines += _details(o)
        return "\n".join(lines) + "\n"


def _details(o: Outcome) -> list[str]:
    lines = [*(f"- skipped: {reason}" for reason in dict.fromkeys(o.skips)), *(f"- {line}" for line in o.failures)]
    if o.status in ("failed", "cut off") or not o.counts:  # a command that only talks, or one that needs an explanation
        told = {*o.failures}
        lines += ["", "```", *(line for line in o.tail if line not in told), "```"] if o.tail else []
    return ["", f"## {o.title}: {o.status}", "", *lines] if lines else []


def describe() -> str:
    """GPU, driver, versions, cores and commit of this machine in one line."""
    import gpugrad
    from gpugrad.backend.cuda import is_emulated

    name = "emulated device"
    if not is_emulated():
        import cupy

        runtime = cupy.cuda.runtime
        gpu = runtime.getDeviceProperties(0)["name"].decode()
        drivers = f"CUDA driver {runtime.driverGetVersion()}, runtime {runtime.runtimeGetVersion()}"
        name = f"{gpu}, {drivers}, CuPy {cupy.__version__}"
    versions = [f"gpugrad {gpugrad.__version__}", f"Python {platform.python_version()}", *map(_version, _PACKAGES)]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
    return f"{name}; {', '.join(versions)}; {os.cpu_count()} cores; commit {commit.strip() or 'unknown'}"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"
