"""`save` and `load`: Tensors, numbers, texts, lists and dicts of these, in a safetensors file; and PyTorch's own files.

What is saved is data: a state dict, not a network, whose class a file could only name. PyTorch's files are pickles,
which can run any program; `load` reads them through an unpickler that knows how PyTorch stores tensors, and plain
containers, and nothing else (see `pickled.py`).
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from ..autograd.nests import map_tensors
from ..errors import DTypeError
from ..io.checkpoint import load as read_tensors
from ..io.checkpoint import save as write_tensors
from ..io.tree import put_together, take_apart
from ..nn import Module
from .language import speak
from .pickled import is_pickled, read_pickled

_KIND = "nest"


def save(obj: Any, f: Any, **options: Any) -> None:
    """Write Tensors, numbers, texts, lists and dicts of these to a path or an open file.

    The file is a safetensors file, whatever its name. Raises DTypeError for anything else, networks included: save
    their state_dict().

    >>> import gpugrad.torch as torch
    >>> torch.save({"weight": torch.ones(2), "epoch": 3}, "state.pt")
    >>> torch.load("state.pt")
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if isinstance(obj, Module):
        raise DTypeError(
            "save: a network is saved as its state: save(net.state_dict(), f), and net.load_state_dict(load(f)) later"
        )
    tensors: dict[str, Any] = {}
    notes = {"kind": _KIND, "nest": take_apart(obj, "saved", tensors)}
    if isinstance(f, (str, os.PathLike)):
        write_tensors(f, tensors, notes)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        write_tensors(path, tensors, notes)
        f.write(path.read_bytes())


def load(
    f: Any, map_location: Any = None, pickle_module: Any = None, *, weights_only: bool = True, **options: Any
) -> Any:
    """Return what `save` wrote, or what is in a safetensors file or in a file of PyTorch's.

    map_location: the device of the Tensors, or a dict or function of old programs, which mean the CPU. Raises
    CheckpointError for a file that is neither, is damaged, or holds more than Tensors, numbers, texts and containers.
    """
    data = None if isinstance(f, (str, os.PathLike)) else f.read()
    path = Path(f) if data is None else None
    start = path.open("rb") if path is not None else io.BytesIO(data or b"")
    with start:
        found = read_pickled(start) if is_pickled(start) else None
    if found is None:
        found = (_read(path) if path is not None else _read_bytes(data or b""),)
    where = map_location if isinstance(map_location, (str, int)) or hasattr(map_location, "type") else "cpu"
    return speak(map_tensors(lambda t: t.to(device=where), found[0]))


def _read_bytes(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        path.write_bytes(data)
        return _read(path)


def _read(path: Path) -> Any:
    tensors, notes = read_tensors(path)
    if not isinstance(notes, dict) or notes.get("kind") != _KIND:
        return tensors
    return put_together(notes["nest"], tensors)
