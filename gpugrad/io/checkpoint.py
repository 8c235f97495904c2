"""Checkpoints: named tensors and metadata in a safetensors file.

The metadata, any JSON values, is one string under the key "gpugrad" of the file's own metadata, so the same values
always give the same bytes. Checksums of the header and of every tensor are stored with it. A file appears under its
name only when it is complete. Nothing in a file is ever executed.
"""

from __future__ import annotations

import json
import mmap as memory_map
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype
from ..backend.files import open_regular
from ..errors import CheckpointError, DTypeError
from .format import Entry, checksum, read_header, write_header
from .replace import replace_file

_KEY = "gpugrad"


def save(path: str | os.PathLike, tensors: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors (Tensors or NumPy arrays, on any device) and metadata to `path`, and replace a file that is there.

    The new file is complete or absent, whenever the program or the machine stops. Raises DTypeError for tensors, names
    and metadata of other types, and CheckpointError for a file that could not be loaded again; then nothing is written.

    >>> gg.io.save("model.safetensors", {"weight": gg.ones(2)}, {"epoch": 3})
    >>> tensors, metadata = gg.io.load("model.safetensors")
    >>> tensors["weight"], metadata
    (tensor([1., 1.]), {'epoch': 3})
    """
    if not isinstance(tensors, Mapping):
        raise DTypeError(
            f"save: expected a path and a mapping of names to tensors, got {type(path).__name__} and "
            f"{type(tensors).__name__}"
        )
    arrays = {name: _host(name, value) for name, value in tensors.items()}
    notes = {_KEY: _text_of(metadata)} if metadata is not None else {}
    header, order = write_header(arrays, notes)
    replace_file(path, [header, *(arrays[name].reshape(-1).view(np.uint8) for name in order)])


def _host(name: Any, value: Any) -> np.ndarray:
    """Return a C-contiguous little-endian NumPy array of the values."""
    if not isinstance(name, str):
        raise DTypeError(f"save: a tensor's name must be a string, got {name!r} ({type(name).__name__})")
    array = value.device.to_host(value._array) if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"save: {name!r} must be a Tensor or a NumPy array, got {type(value).__name__}")
    # ascontiguousarray would give a 0-d array an axis.
    return np.asarray(array, as_dtype(array.dtype), order="C")


def _text_of(metadata: Any) -> str:
    """Return the metadata as JSON that `load` can read."""
    try:
        text = json.dumps(metadata, sort_keys=True)
        json.loads(text)  # reads less deep than it writes
    except (TypeError, ValueError, RecursionError) as error:
        raise DTypeError(f"save: the metadata must be JSON values ({type(error).__name__}: {error})") from None
    return text


def load(
    path: str | os.PathLike, device: Any = "cpu", *, names: Iterable[str] | None = None, mmap: bool = False
) -> tuple[dict[str, Tensor], Any]:
    """Return (tensors by name, metadata) of a safetensors file; the tensors are on `device`.

    The metadata of a file that gpugrad did not write is given as it is. names: only these tensors are read. mmap:
    values are read from the file when they are first used, without a look at their checksums; values written to them
    stay in memory. Raises CheckpointError, which names the file, if it is truncated, damaged, of another format or
    lacks a name; nothing is loaded then.

    >>> gg.io.save("model.safetensors", {"weight": gg.ones(2), "bias": gg.zeros(1)})
    >>> tensors, _ = gg.io.load("model.safetensors", names=["bias"])
    >>> tensors
    {'bias': tensor([0.])}
    """
    chosen = None if names is None else list(names)
    with open_regular(path, CheckpointError) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            entries, notes = read_header(file, size)
            metadata = json.loads(notes[_KEY]) if _KEY in notes else notes
            if chosen is not None:
                _check_names(chosen, entries)
                entries = {name: entries[name] for name in chosen}
            if mmap and entries:
                mapped = memory_map.mmap(file.fileno(), size, access=memory_map.ACCESS_COPY)
                arrays = {n: e.array(memoryview(mapped)[e.start : e.start + e.size]) for n, e in entries.items()}
            else:
                arrays = {name: _read(file, name, entry) for name, entry in entries.items()}
        except (ValueError, OverflowError, RecursionError) as error:
            raise CheckpointError(f"{os.fspath(path)}: not a complete safetensors file ({error})") from None
    where = find_device(device)
    return {name: wrap(where.asarray(array), where, None) for name, array in arrays.items()}, metadata


def _check_names(names: list[str], entries: Mapping[str, Entry]) -> None:
    missing = [name for name in names if name not in entries]
    if missing:
        raise ValueError(f"it has no tensor {', '.join(map(repr, missing))}; it has {', '.join(list(entries)[:20])}")


def _read(file: Any, name: str, entry: Entry) -> np.ndarray:
    values = np.empty(entry.size, np.uint8)
    file.seek(entry.start)
    if file.readinto(values) != entry.size:
        raise ValueError(f"it ends within {name!r}")
    if entry.sum is not None and checksum(values) != entry.sum:
        raise ValueError(f"the checksum of {name!r} is another; the file was changed or damaged")
    return entry.array(values)


def tensor_names(path: str | os.PathLike) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the shape and dtype of each tensor in a safetensors file, by name, without reading the values.

    Raises CheckpointError as `load` does.

    >>> gg.io.save("model.safetensors", {"weight": gg.ones(2, 3)})
    >>> gg.io.tensor_names("model.safetensors")
    {'weight': ((2, 3), 'float32')}
    """
    found, _ = load(path, mmap=True)
    return {name: (tensor.shape, tensor.dtype.name) for name, tensor in found.items()}
