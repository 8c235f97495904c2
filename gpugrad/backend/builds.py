"""The disk cache of compiled kernels and loops: `$GPUGRAD_CACHE`, or else `~/.cache/gpugrad`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import KernelError


def folder(kind: str) -> Path:
    """Return the folder of one kind of builds: "cubin", "emulator" or "loops"."""
    given = os.environ.get("GPUGRAD_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "gpugrad") / kind


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path to write to, and rename it to `target` at the end: so others see a whole file or none.

    Raises KernelError if its folder cannot be made.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(target, error) from None
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def store(target: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises KernelError if it cannot be kept."""
    try:
        with replacing(target) as unfinished:
            unfinished.write_bytes(content)
    except OSError as error:
        raise _refused(target, error) from None


def _refused(target: Path, error: OSError) -> KernelError:
    return KernelError(f"cannot keep builds in {target.parent}: {error.strerror}; set GPUGRAD_CACHE to a folder")
