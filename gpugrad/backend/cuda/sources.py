"""The CUDA sources: where they are, and which files a build of one depends on."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from ...errors import KernelError

_PACKAGE = Path(__file__).parents[2]
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.MULTILINE)


@cache
def kernels() -> Path:
    """Return the folder of gpugrad's .cu and .cuh files: in the wheel, or beside the package in a checkout.

    Raises KernelError if the installation lacks it.
    """
    for folder in (_PACKAGE / "_kernels", _PACKAGE.parent / "kernels"):
        if (folder / "common.cuh").is_file():
            return folder
    raise KernelError(f"the CUDA sources are missing beside {_PACKAGE}; reinstall gpugrad")


class Source:
    """One translation unit of CUDA C++: a `.cu` file, or a text (`name` then stands for the file).

    `#include "..."` is looked up beside the including file, then among gpugrad's own kernels.

    >>> gg.cuda.Source(text="__global__ void nothing() {}", name="nothing.cu")
    <CUDA source nothing.cu>
    """

    def __init__(self, path: Path | None = None, *, text: str | None = None, name: str = "kernel.cu"):
        if (path is None) == (text is None):
            raise KernelError("a CUDA source is a path or a text: give one of them")
        self.path = path.resolve() if path is not None else None
        self.name = path.name if path is not None else name
        self._text = text

    def __repr__(self) -> str:
        return f"<CUDA source {self.path or self.name}>"

    @property
    def text(self) -> str:
        """Return the CUDA C++ itself. Raises KernelError if the file cannot be read."""
        return _read(self.path) if self.path is not None else self._text or ""

    @property
    def include_folders(self) -> list[Path]:
        """List the folders in which quoted includes are looked up."""
        own = [self.path.parent] if self.path is not None else []
        return list(dict.fromkeys([*own, kernels()]))

    def headers(self) -> dict[Path, str]:
        """Return the local headers that it includes, directly or not, with their texts."""
        found: dict[Path, str] = {}
        waiting = [(self.path, self.text)]
        while waiting:
            at, text = waiting.pop()
            for included in _INCLUDE.findall(text):
                folders = [at.parent] if at is not None else []
                path = next((p for f in [*folders, *self.include_folders] if (p := (f / included)).is_file()), None)
                if path is not None and path.resolve() not in found:
                    found[path.resolve()] = _read(path)
                    waiting.append((path.resolve(), found[path.resolve()]))
        return found

    def digest(self) -> str:
        """Return a hash of the text and of every header that it includes, for keys of the cache."""
        parts = [self.text, *(text for _, text in sorted(self.headers().items()))]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise KernelError(f"cannot read the CUDA source {path}: {error.strerror}") from None
