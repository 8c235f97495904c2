"""A file is put in place in one step, so that a reader finds the old one or the new one, both complete."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from ..backend.files import kind_of
from ..errors import CheckpointError

# Short, so that every name that the file system allows can be saved under; the same for all, so that the next save
# knows what a killed one has left.
_PREFIX, _SUFFIX = ".gpugrad-", ".tmp"


def replace_file(path: str | os.PathLike, contents: Iterable[Any]) -> None:
    """Write `contents`, bytes after bytes, to the file `path`: beside it, flushed to the disk, then renamed.

    The new file gets the permissions of the one that was there, and a symbolic link leads to it as to the old one.
    Files that killed programs have left in the folder are removed. Raises CheckpointError if `path` is there and no
    regular file.
    """
    target = Path(os.path.realpath(path))
    status = _status(path, target)
    _remove_leftovers(target.parent)
    with _temporary(target.parent, 0o666 if status is None else 0o600) as (file, temporary):
        for content in contents:
            file.write(content)
        file.flush()
        if status is not None:
            with suppress(PermissionError):  # only the superuser gives files away
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
        os.fsync(file.fileno())
        os.replace(temporary, target)
    _flush_folder(target.parent)


def _status(path: str | os.PathLike, target: Path) -> os.stat_result | None:
    """Return the status of the file that is there, None if there is none."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return None
    kind = kind_of(status.st_mode)
    if kind is not None:
        raise CheckpointError(f"{os.fspath(path)}: cannot be replaced by a file, because it is {kind}")
    return status


@contextmanager
def _temporary(folder: Path, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """Make a new file in `folder`, and give it with its name; it is removed if it is still there at the end.

    It is locked, and the system unlocks it when the process ends in whatever way: unlocked, it is a leftover.
    """
    while True:
        temporary = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(handle, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink == 0:  # taken for a leftover before it was locked
                    continue
                yield file, temporary
                return
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def _remove_leftovers(folder: Path) -> None:
    """Remove the temporary files in `folder` that no process is writing."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]
    except PermissionError:  # a folder that can be written and not listed
        return
    for path in (folder / name for name in names):
        with suppress(OSError):  # in use, gone already, or not ours to remove
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
            finally:
                os.close(handle)


def _flush_folder(folder: Path) -> None:
    """Flush the folder to the disk: until then the new name may be lost with the machine's power."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
