"""Checkpoints: named tensors and metadata in a safetensors file.

The metadata, any JSON values, is one string under the key "gpugrad" of the file's own metadata, so the same values
always give the same bytes. A file appears under its name only when it is complete.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype
from ..errors import CheckpointError, DTypeError, MissingPackageError

_NAMES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
}  # fmt: skip
_KEY = "gpugrad"


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise MissingPackageError("checkpoints need safetensors: pip install 'gpugrad[demo]'") from None
    return safetensors


def save(path: str | os.PathLike, tensors: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
    """Write tensors (Tensors or NumPy arrays, on any device) and metadata to `path`, replacing a file that is there.

    The new file is complete or absent, even after a power failure. Raises MissingPackageError without safetensors.
    """
    safetensors = _safetensors()
    arrays = {name: _host(name, value) for name, value in tensors.items()}
    text = {_KEY: json.dumps(metadata, sort_keys=True)} if metadata is not None else None
    _replace(Path(path), safetensors.numpy.save(arrays, text))


def _host(name: str, value: Any) -> np.ndarray:
    """A C-contiguous little-endian NumPy array of the values."""
    array = value.device.to_host(value._array) if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"save: {name!r} must be a Tensor or a NumPy array, got {type(value).__name__}")
    # ascontiguousarray would give a 0-d array an axis.
    return np.asarray(array, as_dtype(array.dtype), order="C")


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place in one step: written beside it, flushed to the disk, renamed."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp's own mode is for the owner alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load(path: str | os.PathLike, device: Any = "cpu") -> tuple[dict[str, Tensor], Any]:
    """(tensors by name, on `device`; metadata) of a safetensors file; the metadata of a foreign file is as it stands.

    Raises CheckpointError, which names the file, where it is truncated or of another format.
    """
    safetensors = _safetensors()
    content = Path(path).read_bytes()
    try:
        entries = safetensors.deserialize(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        arrays = {name: _array(entry) for name, entry in entries}
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{os.fspath(path)}: not a complete safetensors file ({error})") from None
    notes = header.get("__metadata__") or {}
    where = find_device(device)
    tensors = {name: wrap(where.asarray(array), where, None) for name, array in sorted(arrays.items())}
    return tensors, json.loads(notes[_KEY]) if _KEY in notes else notes


def _array(entry: Mapping[str, Any]) -> np.ndarray:
    if entry["dtype"] not in _NAMES:
        raise ValueError(f"unsupported dtype {entry['dtype']}")
    # A copy of the bytes: the array must be writable.
    return np.frombuffer(bytearray(entry["data"]), as_dtype(_NAMES[entry["dtype"]])).reshape(entry["shape"])
