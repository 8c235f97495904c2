"""A training run is kept in one file, and continues from it bit for bit as if it had not been interrupted."""

from __future__ import annotations

import copy
import os
import random
from typing import Any

import numpy as np

from ..backend.random import get_rng_state, set_rng_state
from ..errors import CheckpointError, StateDictError
from .checkpoint import load, save
from .tree import put_together, take_apart

_FORMAT, _RANDOM = "training", "random generators"


def save_training(
    path: str | os.PathLike,
    model: Any = None,
    optimizer: Any = None,
    scheduler: Any = None,
    scaler: Any = None,
    loader: Any = None,
    **extra: Any,
) -> None:
    """Write the state of a training run to `path`, a safetensors file, and replace the one that is there.

    Arguments with a `state_dict()` (these, and any of `extra`) give that; other extra values are numbers, texts,
    tensors, lists or dicts. The positions of the random generators (gpugrad's default one, Python's, NumPy's) are saved
    as well. The file is complete or absent, whenever the program stops. Call it between two steps.

    >>> model = nn.Linear(2, 1)
    >>> optimizer = gg.optim.SGD(model.parameters(), lr=0.1)
    >>> gg.io.save_training("run.safetensors", model, optimizer, epoch=3)
    >>> gg.io.load_training("run.safetensors", model, optimizer)
    {'epoch': 3}
    """
    parts = _parts(locals())
    tensors: dict[str, Any] = {}
    owners = [name for name, part in parts.items() if _has_state(part)]
    states = {
        name: take_apart(part.state_dict() if name in owners else part, name, tensors) for name, part in parts.items()
    }
    save(path, tensors, {"kind": _FORMAT, "state": states, "owners": owners})


def load_training(
    path: str | os.PathLike,
    model: Any = None,
    optimizer: Any = None,
    scheduler: Any = None,
    scaler: Any = None,
    loader: Any = None,
    **extra: Any,
) -> dict[str, Any]:
    """Load the state that `save_training` wrote into the arguments, and return the extra values that have no state.

    The random generators go back as well. A part that is not given is left out: `load_training(path, model)` loads only
    the weights of a run. Raises CheckpointError, which names the file, if it is damaged, of another kind, lacks a part
    or has one that cannot be loaded, and StateDictError if a state does not fit; then nothing has changed.

    >>> gg.io.save_training("run.safetensors", nn.Linear(2, 1), note="first")
    >>> model = nn.Linear(2, 1)
    >>> gg.io.load_training("run.safetensors", model)
    {'note': 'first'}
    """
    parts = _parts(locals())
    tensors, metadata = load(path)
    if not isinstance(metadata, dict) or metadata.get("kind") != _FORMAT:
        raise CheckpointError(f"{os.fspath(path)}: not written by save_training")
    owners, states = metadata.get("owners"), metadata.get("state")
    if not (isinstance(owners, list) and all(isinstance(name, str) for name in owners) and isinstance(states, dict)):
        raise CheckpointError(f"{os.fspath(path)}: expected a list of owners and a table of states in its metadata")
    missing = [name for name in parts if name not in owners or name not in states]
    if missing:
        have = ", ".join(name for name in owners if name != _RANDOM)
        raise CheckpointError(f"{os.fspath(path)}: has no state of {', '.join(missing)}; it has that of {have}")
    try:
        states = {name: put_together(state, tensors) for name, state in states.items()}
        _load_all(parts, states)
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from error.__cause__
    return {name: state for name, state in states.items() if name not in owners}


class RandomState:
    """Reads and sets the positions of the random generators: gpugrad's default one, Python's and NumPy's."""

    def state_dict(self) -> dict[str, Any]:
        """Return the positions."""
        state: Any = np.random.get_state(legacy=True)
        name, keys, *rest = state
        return {"default": get_rng_state(), "python": random.getstate(), "numpy": (name, keys.tolist(), *rest)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the positions that `state_dict` returned."""
        set_rng_state(state_dict["default"])
        random.setstate(state_dict["python"])
        np.random.set_state(state_dict["numpy"])


def _parts(given: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the functions above that were given, by name, and the random generators."""
    named = {name: part for name, part in given.items() if name not in ("path", "extra")}
    parts = {**named, **given["extra"], _RANDOM: RandomState()}
    return {name: part for name, part in parts.items() if part is not None}


def _load_all(parts: dict[str, Any], states: dict[str, Any]) -> None:
    """Load every state, or none: after an error those already loaded get their old states back.

    Raises CheckpointError for a state that its owner fails on, because it came from a file.
    """
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    done = []
    try:
        for name, part in parts.items():
            done.append(name)
            part.load_state_dict(states[name])
    except BaseException as error:
        for name in done:
            parts[name].load_state_dict(before[name])
        if isinstance(error, (CheckpointError, StateDictError)) or not isinstance(error, Exception):
            raise
        text = f"{type(error).__name__}: {error}"
        raise CheckpointError(f"the state of {done[-1]} cannot be loaded ({text})") from error


def _has_state(part: Any) -> bool:
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")
