"""Open files by names that can also stand for a directory, a pipe or a device."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


def open_regular(path: str | os.PathLike, error: type[Exception]) -> BinaryIO:
    """Open the regular file `path` for reading bytes.

    Raises `error`, which names the path and what is there, for anything else: reading a pipe could wait for ever.
    """
    file = open(path, "rb", opener=_without_waiting)
    what = kind_of(os.fstat(file.fileno()).st_mode)
    if what is not None:
        file.close()
        raise error(f"{os.fspath(path)}: expected a regular file, but this is {what}")
    return file


def kind_of(mode: int) -> str | None:
    """Return what a file of this mode is, in words; None for a regular file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # without it, opening a pipe waits for a writer
