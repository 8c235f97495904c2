"""Checkpoints of all ranks together, in Hugging Face's layout of shards with an index.

    run/model.safetensors.index.json              {"metadata": {"total_size": ...}, "weight_map": {name: file}}
    run/model-5f0c93d1-00001-of-00004.safetensors     whole tensors, of which each rank writes about the same bytes
    run/optimizer-5f0c93d1-00001-of-00004.safetensors

The index is replaced last, in one step, and only then are the shards of the one before removed. So a reader finds the
old checkpoint or the new one, whichever rank was killed at whatever moment. What the optimizer's shards hold is in the
metadata of the same index, under "gpugrad". Tensors are stored whole, by name, so that any number of ranks, and a
program that knows nothing of ranks, can read them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..autograd.tensor import Tensor, wrap
from ..errors import CheckpointError, StateDictError
from ..io.checkpoint import load, save
from ..io.replace import replace_file
from ..nn import Module
from ..optim import Optimizer
from .collectives import gathered
from .data_parallel import DistributedDataParallel
from .group import ProcessGroup, of
from .layouts import buffers, layouts
from .zero import ZeroRedundancyOptimizer

INDEX = "model.safetensors.index.json"


def save_sharded(
    folder: str | os.PathLike,
    model: Module,
    optimizer: Optimizer | None = None,
    extra: Mapping[str, Any] | None = None,
    group: ProcessGroup | None = None,
) -> None:
    """Write the state of a model, and of its optimizer, into `folder`; all ranks call it, and each writes a part.

    model: any module that is the same on all ranks, or a FullyShardedDataParallel. optimizer: over its parameters, also
    a ZeroRedundancyOptimizer. extra: JSON values, of which rank 0's are kept. A checkpoint that is there stays whole
    until the new one is.

    >>> model = nn.Linear(2, 1)
    >>> gg.distributed.save_sharded("run", model, extra={"step": 3})
    >>> gg.distributed.load_sharded("run", model)
    {'step': 3}
    """
    group, path = of(group), Path(folder)
    model = model.module if isinstance(model, DistributedDataParallel) else model
    path.mkdir(parents=True, exist_ok=True)
    token = gathered(secrets.token_hex(4), group)[0]
    kinds = {"model": _own_tensors(model, group)}
    options: Any = None
    if optimizer is not None:
        tensors, options = _own_state(model, optimizer, group)
        kinds["optimizer"] = tensors
    maps: dict[str, dict[str, str]] = {}
    size = 0
    for kind, own in kinds.items():
        name = f"{kind}-{token}-{group.rank + 1:05d}-of-{group.size:05d}.safetensors"
        save(path / name, own)
        parts = gathered(({key: name for key in own}, sum(t.nbytes for t in own.values())), group)
        maps[kind] = {key: file for part, _ in parts for key, file in part.items()}
        size += sum(count for _, count in parts) if kind == "model" else 0
    if group.rank == 0:
        notes = {"optimizer_map": maps.get("optimizer"), "optimizer": options, "extra": dict(extra or {})}
        index = {"metadata": {"total_size": size, "gpugrad": notes}, "weight_map": dict(sorted(maps["model"].items()))}
        replace_file(path / INDEX, [json.dumps(index, indent=1).encode()])
        _remove_others(path, {file for found in maps.values() for file in found.values()})
    group.begin("save_sharded").barrier().wait()


def load_sharded(
    folder: str | os.PathLike,
    model: Module,
    optimizer: Optimizer | None = None,
) -> dict[str, Any]:
    """Load what `save_sharded` wrote, on any number of ranks, and return the extra values.

    Each rank reads what it keeps, without the others. A folder of Hugging Face's shards, which holds no optimizer, can
    be read as well. Raises CheckpointError for a folder without a whole checkpoint, and StateDictError, before anything
    is changed, for one of another model.

    >>> gg.distributed.save_sharded("run", nn.Linear(2, 1))
    >>> gg.distributed.load_sharded("run", nn.Linear(2, 1))
    {}
    """
    path = Path(folder)
    index = _read_index(path)
    weights, notes = index["weight_map"], index.get("metadata", {}).get("gpugrad") or {}
    model = model.module if isinstance(model, DistributedDataParallel) else model
    _check_names(model, _Reader(path, weights))
    if optimizer is not None and notes.get("optimizer") is None:
        raise CheckpointError(f"{path}: the checkpoint holds no state of an optimizer; load the model alone")
    _load_model(model, _Reader(path, weights))
    if optimizer is not None:
        _load_optimizer(model, optimizer, _Reader(path, notes["optimizer_map"]), notes["optimizer"])
    return notes.get("extra", {})


class _Reader:
    """Reads tensors of a checkpoint by name."""

    def __init__(self, folder: Path, files: Mapping[str, str]):
        self.folder, self.files = folder, files

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def __getitem__(self, name: str) -> Tensor:
        return load(self.folder / self.files[name], names=[name])[0][name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, without its values."""
        return load(self.folder / self.files[name], names=[name], mmap=True)[0][name].shape


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / INDEX).read_text())
        if not all(isinstance(file, str) and Path(file).name == file for file in index["weight_map"].values()):
            raise ValueError("a file's name leads out of the folder")
        return index
    except FileNotFoundError:
        raise CheckpointError(f"{folder}: there is no checkpoint ({INDEX}); a save may have been broken off") from None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{folder / INDEX}: not an index of shards ({error})") from None


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove the shards of other checkpoints, and of those that were broken off."""
    for kind in ("model", "optimizer"):
        for file in folder.glob(f"{kind}-????????-?????-of-?????.safetensors"):
            if file.name not in kept:
                with suppress(FileNotFoundError):
                    file.unlink()


# What a rank writes


class _Dealer:
    """Deals tensors out to ranks: each goes to the one that has least so far. All ranks deal alike."""

    def __init__(self, group: ProcessGroup):
        self.group, self.loads = group, [0] * group.size
        self.own: dict[str, Tensor] = {}  # what this rank writes

    def deal(self, tensors: Mapping[str, Tensor], suffix: str = "") -> None:
        """Deal tensors out by name."""
        for name, value in tensors.items():
            rank = self.loads.index(min(self.loads))
            self.loads[rank] += value.nbytes
            if rank == self.group.rank:
                self.own[name + suffix] = value.detach().to("cpu", copy=True)


def _own_tensors(model: Module, group: ProcessGroup) -> dict[str, Tensor]:
    """Return the model's tensors that this rank writes."""
    dealer = _Dealer(group)
    for layout in layouts(model):
        dealer.deal(layout.whole(layout.parameter.detach()))
    dealer.deal(buffers(model))
    return dealer.own


def _own_state(model: Module, optimizer: Optimizer, group: ProcessGroup) -> tuple[dict[str, Tensor], Any]:
    """Return (the optimizer's tensors that this rank writes, its options and numbers by name of parameter)."""
    zero = isinstance(optimizer, ZeroRedundancyOptimizer)
    kept: Any = optimizer.optim if zero else optimizer
    dealer = _Dealer(group)
    numbers: dict[str, dict[str, Any]] = {}
    names: dict[Tensor, str] = {}
    for layout in layouts(model):
        names[layout.parameter] = layout.names[0]
        for key, value in kept.state.get(layout.parameter, {}).items():
            if not isinstance(value, Tensor):
                for name in layout.names:
                    numbers.setdefault(name, {})[key] = value
            elif zero:  # only this rank has it
                dealer.own.update({f"{name}/{key}": t.to("cpu", copy=True) for name, t in layout.whole(value).items()})
            else:
                dealer.deal(layout.whole(value), f"/{key}")
    merged = {name: entry for other in gathered(numbers, group) for name, entry in other.items()}
    groups = [{**options, "params": [names[p] for p in options["params"]]} for options in kept.param_groups]
    return dealer.own, {"numbers": merged, "groups": groups}


# What a rank reads


def _check_names(model: Module, reader: _Reader) -> None:
    """Raise StateDictError if the checkpoint has other names or shapes than the model."""
    expected = {name: tuple(value.shape) for name, value in buffers(model).items()}
    for layout in layouts(model):
        expected.update(layout.shapes())
    given = set(reader.files)
    aliases = {name for layout in layouts(model) if given & set(layout.names) for name in layout.names}
    missing, unexpected = sorted(expected.keys() - given - aliases), sorted(given - expected.keys())
    lines = [
        f"{what}: {', '.join(names)}" for what, names in (("missing", missing), ("unexpected", unexpected)) if names
    ]
    for name in sorted(expected.keys() & given):
        if (shape := reader.shape(name)) != expected[name]:
            lines.append(f"{name}: shape {shape} given, {expected[name]} expected")
    if lines:
        raise StateDictError(f"{reader.folder}: the checkpoint is of another model:\n  " + "\n  ".join(lines))


def _load_model(model: Module, reader: _Reader) -> None:
    for layout in layouts(model):
        layout.take(reader, layout.parameter)
    for name, target in buffers(model).items():
        target.copy_(reader[name].to(device=target.device))


class _Suffixed:
    """The tensors of a reader whose names end in one key of an optimizer's state."""

    def __init__(self, reader: _Reader, key: str):
        self.reader, self.key = reader, key

    def __contains__(self, name: object) -> bool:
        return f"{name}/{self.key}" in self.reader

    def __getitem__(self, name: str) -> Tensor:
        return self.reader[f"{name}/{self.key}"]


def _load_optimizer(model: Module, optimizer: Optimizer, reader: _Reader, notes: Mapping[str, Any]) -> None:
    zero = isinstance(optimizer, ZeroRedundancyOptimizer)
    kept: Any = optimizer.optim if zero else optimizer
    if len(notes["groups"]) != len(kept.param_groups):
        raise StateDictError(
            f"{reader.folder}: the optimizer's state has {len(notes['groups'])} groups, {type(kept).__name__} has "
            f"{len(kept.param_groups)}"
        )
    keys: dict[str, set[str]] = {}
    for name in reader.files:
        parameter, _, key = name.rpartition("/")
        keys.setdefault(parameter, set()).add(key)
    kept.state.clear()
    for layout in layouts(model):
        parameter = layout.parameter
        if zero and optimizer.owners[parameter] != optimizer.group.rank:
            continue
        found: dict[str, Any] = dict(notes["numbers"].get(layout.names[0], {}))
        for key in sorted(set().union(*(keys.get(name, set()) for name in layout.names))):
            xp = parameter.device.xp
            found[key] = wrap(xp.zeros(parameter.shape, parameter.dtype), parameter.device, None)
            layout.take(_Suffixed(reader, key), found[key])
        if found:
            kept.state[parameter] = found
    for mine, given in zip(kept.param_groups, notes["groups"], strict=True):
        mine.update({name: value for name, value in given.items() if name != "params"})
