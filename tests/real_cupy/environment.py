"""The virtual environment of these tests: CuPy's wheel, with its runtime module rebuilt over host memory.

It is kept in gpugrad's cache folder, `$GPUGRAD_CACHE` or `~/.cache/gpugrad`; making it takes some minutes, mostly
downloads. A change of the requirements makes it anew, a change of the files in `runtime/` only rebuilds them.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpugrad.backend import builds

from . import build, libraries

ROOT = Path(__file__).parents[2]
CUPY = "14.2.0"
_REQUIREMENTS = [
    f"cupy-cuda13x[ctk]=={CUPY}", "cuda-bindings==13.*", "nvidia-cuda-crt", "nvmath-python>=0.5", "numpy>=2.1.2",
    "ml_dtypes>=0.5", "threadpoolctl>=3.5", "cython>=3.1", "setuptools>=77", "wheel",
]  # fmt: skip
# Python reads this when it starts: packages that only the caller's environment has (pytest, torch) come from there.
_CALLER = 'import os, sys; sys.path.extend(filter(None, [os.environ.get("GPUGRAD_CALLER_SITE")]))\n'


class Environment:
    """A folder with the environment (`venv`), and what was built for it (`fake`)."""

    def __init__(self, cupy: str = CUPY):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.folder = builds.folder("real-cupy") / f"cupy{cupy}-python{version}"
        self.python = self.folder / "venv" / "bin" / "python"
        self._built = build.digest() + libraries.digest()
        self.fake = self.folder / f"fake-{self._built[:12]}"
        self.site = self.folder / "venv" / "lib" / f"python{version}" / "site-packages"

    def make(self) -> Environment:
        """Make what is missing or out of date."""
        with _locked(self.folder):
            with _once(self.folder / "venv.made", "\n".join([*_REQUIREMENTS, _CALLER])) as missing:
                if missing:
                    self._install()
            with _once(self.folder / "fake.made", self._built) as missing:
                if missing:
                    build.build(self.python, self.site, self.fake, build.source_package(self.python, self.folder, CUPY))
                    libraries.build(self.site, self.fake)
        return self

    def _install(self) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(self.folder / "venv")], check=True)
        subprocess.run([str(self.python), "-m", "pip", "install", "-q", *_REQUIREMENTS], check=True)
        (self.site / "gpugrad_caller.pth").write_text(_CALLER)

    def variables(self, cublaslt: bool = False) -> dict[str, str]:
        """Return the environment variables of a process that uses it; `cublaslt`: one that loads the real cuBLASLt."""
        found = {name: value for name, value in os.environ.items() if name != "GPUGRAD_CUDA"}
        found |= {
            "PYTHONPATH": str(ROOT),
            "GPUGRAD_CALLER_SITE": sysconfig.get_path("purelib"),
            "CUPY_CACHE_DIR": str(self.folder / "cupy"),
            "CUPY_ACCELERATORS": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        folders = [self.fake / "cublaslt"] if cublaslt else [self.fake]
        folders += sorted({file.parent for file in self.site.glob("nvidia/**/libnvrtc.so.*")})
        found["LD_LIBRARY_PATH"] = ":".join(map(str, folders))
        if not cublaslt:
            found["LD_PRELOAD"] = " ".join(map(str, sorted(self.fake.glob("lib*.so.*[0-9]"))))
        return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time make this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _once(marker: Path, content: str) -> Iterator[bool]:
    """Yield whether `marker` lacks `content`; it has it after a block that raises nothing."""
    missing = not marker.is_file() or marker.read_text() != content
    if missing:
        marker.unlink(missing_ok=True)
    yield missing
    if missing:
        marker.write_text(content)
