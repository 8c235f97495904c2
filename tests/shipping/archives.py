"""Wheel and sdist of this checkout, and the wheel that the sdist builds."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(source: Path, out: Path, kind: str) -> Path:
    """Build "wheel" or "sdist" of a source tree into the folder `out`, by its own build backend."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True, text=True)
    return out / done.stdout.split()[-1]


def built(folder: Path) -> tuple[Path, Path, Path]:
    """Return (wheel, sdist, the sdist's wheel), made in `folder`."""
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    wheel, sdist = build(ROOT, folder, "wheel"), build(ROOT, folder, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    return wheel, sdist, build(next(path for path in unpacked.iterdir() if path.is_dir()), unpacked, "wheel")


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def differences(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Return the names of files that are in one wheel only, or are not the same in both."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def versions(files: dict[str, bytes], changelog: str) -> dict[str, str | None]:
    """Return the version in each place: the package, its metadata, the newest heading of the changelog."""
    metadata = next(text for name, text in files.items() if name.endswith(".dist-info/METADATA"))
    package = re.search(r'^__version__ = "(.+)"$', files["gpugrad/__init__.py"].decode(), re.MULTILINE)
    heading = re.search(r"^## (\S+)", changelog, re.MULTILINE)
    return {
        "gpugrad.__version__": package and package[1],
        "metadata": HeaderParser().parsestr(metadata.decode())["Version"],
        "CHANGELOG.md": heading and heading[1],
    }


def check(wheel: Path, again: Path) -> list[str]:
    """Return what is wrong with the two wheels."""
    files = contents(wheel)
    problems = [f"{name}: not the same in the sdist's wheel" for name in differences(files, contents(again))]
    named = versions(files, (ROOT / "CHANGELOG.md").read_text())
    if len(set(named.values())) != 1:
        problems.append(f"the versions differ: {named}")
    kernels = {f"gpugrad/_kernels/{file.name}" for file in (ROOT / "kernels").iterdir()}
    return problems + [f"{name}: not in the wheel" for name in sorted({*kernels, "gpugrad/py.typed"} - files.keys())]
