"""Weights that someone trained before: files of safetensors, and of PyTorch if that is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..autograd.tensor import Tensor
from ..errors import CheckpointError
from ..nn.state_dict import as_tensor
from ..optional import need
from .checkpoint import load

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training programs keep the weights


def load_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """Return the state dict in a file: `.safetensors`, or `.pth`, `.pt` or `.bin` as PyTorch writes them.

    The latter need PyTorch, which reads tensors only (weights_only=True): nothing in the file is executed. A state dict
    that lies in a checkpoint under "state_dict", "model_state_dict" or "model" is found. Raises CheckpointError for a
    file that is damaged, has another ending, or holds something else, and MissingPackageError without PyTorch.

    >>> gg.io.save("line.safetensors", nn.Linear(2, 1).state_dict())
    >>> nn.Linear(2, 1).load_state_dict(gg.io.load_weights("line.safetensors"))
    <All keys matched successfully>
    """
    ending = Path(path).suffix
    if ending == ".safetensors":
        return load(path)[0]
    if ending not in (".pth", ".pt", ".bin"):
        raise CheckpointError(f"{os.fspath(path)}: expected .safetensors, .pth, .pt or .bin as the ending")
    found = _read_with_torch(path)
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(hasattr(value, "detach") for value in found.values()):
        raise CheckpointError(f"{os.fspath(path)}: holds no state dict, but {_told(found)}")
    return {str(name): as_tensor(value) for name, value in found.items()}


def _read_with_torch(path: str | os.PathLike) -> Any:
    torch = need("torch", "reading a file of PyTorch's", "bench")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of many kinds: the file may hold anything
        raise CheckpointError(
            f"{os.fspath(path)}: PyTorch cannot read it as weights ({str(error).splitlines()[0]})"
        ) from None


def _told(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"a table of {', '.join(map(str, list(found)[:10]))}"
    return f"a {type(found).__name__}"
