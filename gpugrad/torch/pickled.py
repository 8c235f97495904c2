"""PyTorch's files, read without running what they say.

A file of `torch.save` is a zip archive: a pickle of the object, in which each tensor is a call of
`torch._utils._rebuild_tensor_v2` with a reference to its storage, and one file of raw bytes per storage. The unpickler
below knows those calls, OrderedDict and the storages' names; any other name in the file is an error, as nothing else
can be needed for data.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.dtypes import as_dtype
from ..errors import CheckpointError
from .dtype_names import TENSOR_TYPES

_STORAGES = {kind.replace("Tensor", "Storage"): name for kind, name in TENSOR_TYPES.items()}
_ZIP, _OLD = b"PK", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def is_pickled(file: BinaryIO) -> bool:
    """Return whether an open file is one of PyTorch's; it is left at its start. Raises CheckpointError for a plain
    pickle, and for the format of PyTorch before 1.6."""
    start = file.read(len(_OLD))
    file.seek(0)
    if start.startswith(_ZIP):
        return True
    if start == _OLD:
        raise CheckpointError(
            "load: a file of PyTorch before 1.6; load it there and save it again, which writes the newer format"
        )
    if start[:1] == b"\x80":
        raise CheckpointError("load: a pickle, which could run any program, and not a file that holds tensors only")
    return False


def read_pickled(file: BinaryIO) -> tuple[Any]:
    """Return (what a file of PyTorch's holds,). Raises CheckpointError if that is more than tensors and containers."""
    try:
        with zipfile.ZipFile(file) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise CheckpointError(
                    f"load: a zip archive without one data.pkl, so not a file of PyTorch's: {pickles}"
                )
            with archive.open(pickles[0]) as data:
                return (_Unpickler(data, archive, pickles[0].removesuffix("data.pkl")).load(),)
    except (zipfile.BadZipFile, pickle.UnpicklingError, KeyError, ValueError, EOFError, TypeError, IndexError) as error:
        raise CheckpointError(f"load: not a complete file of PyTorch's ({type(error).__name__}: {error})") from None


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: Any, archive: zipfile.ZipFile, folder: str):
        super().__init__(data)
        self.archive, self.folder = archive, folder
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        if name in _KNOWN:
            return _KNOWN[name]
        if module_name in ("torch", "torch.storage") and global_name in _STORAGES:
            return as_dtype(_STORAGES[global_name])
        raise CheckpointError(
            f"load: the file names {name}, and only tensors, numbers, texts and containers are read; "
            "save a state dict instead"
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise CheckpointError(f"load: the file refers to {kind!r} where a storage is expected")
        if key not in self.storages:
            raw = bytearray(self.archive.read(f"{self.folder}data/{key}"))
            self.storages[key] = np.frombuffer(raw, dtype, count)
        return self.storages[key]


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *rest: Any) -> Tensor:
    """Return the tensor that begins at `offset` of its storage, checked to lie inside of it."""
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if 0 not in size else offset
    if min(offset, *size, *stride, 0) < 0 or 0 not in size and last >= len(storage):
        raise CheckpointError(f"load: a tensor of size {size} and stride {stride} lies outside its storage")
    steps = tuple(s * storage.itemsize for s in stride)
    return asarray(np.lib.stride_tricks.as_strided(storage[offset:], size, steps))


def _parameter(data: Tensor, requires_grad: bool, hooks: Any, *rest: Any) -> Tensor:
    return data.requires_grad_() if requires_grad else data


_KNOWN: dict[str, Any] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "collections.OrderedDict": OrderedDict,
    "torch.Size": tuple,
}
