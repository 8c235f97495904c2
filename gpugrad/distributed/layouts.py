"""How the ranks keep a parameter: whole on each, cut along an axis, or as a part of a unit's vector.

A checkpoint holds whole tensors by name, so what it needs to know of a parameter is how to make these of the ranks'
parts, and this rank's part of these. State of an optimizer that is like the parameter is kept like it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..autograd.versions import changed
from ..nn import Module
from ..nn.members import join
from .functional import all_gather
from .group import ProcessGroup
from .sharded import FullyShardedDataParallel, Unit

PARALLEL = "parallel"  # the attribute of a parameter that says how it is cut


class Cut(NamedTuple):
    """A parameter of which each rank of `group` has a part along `axis`; the axis holds `blocks` tensors side by side,
    each of which is cut for itself (queries, keys and values, say)."""

    axis: int
    group: ProcessGroup
    blocks: int = 1

    def part(self, whole: Any) -> Any:
        """Return this rank's part of an array or Tensor."""
        size, rank = self.group.size, self.group.rank
        shape = whole.shape
        cut = (*shape[: self.axis], self.blocks, size, shape[self.axis] // self.blocks // size, *shape[self.axis + 1 :])
        index = (*(slice(None),) * (self.axis + 1), rank)
        return whole.reshape(cut)[index].reshape(self.shape(shape, 1, size))

    def whole(self, part: Tensor) -> Tensor:
        """Return the tensor of which each rank has a part."""
        size = self.group.size
        with no_grad():
            rows = all_gather(part.unsqueeze(0), group=self.group)
            each = part.shape[self.axis] // self.blocks
            rows = rows.reshape(size, *part.shape[: self.axis], self.blocks, each, *part.shape[self.axis + 1 :])
            return rows.movedim(0, self.axis + 1).reshape(self.shape(part.shape, size, 1))

    def shape(self, shape: tuple[int, ...], factor: int, divisor: int) -> tuple[int, ...]:
        """Return a shape whose cut axis is longer or shorter."""
        return (*shape[: self.axis], shape[self.axis] * factor // divisor, *shape[self.axis + 1 :])


class Layout:
    """A parameter that is whole on each rank, under one or several names."""

    def __init__(self, parameter: Tensor, names: list[str]):
        self.parameter, self.names = parameter, names

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the whole tensors by name."""
        return dict.fromkeys(self.names, self.parameter.shape)

    def whole(self, value: Tensor) -> dict[str, Tensor]:
        """Return the whole tensors by name, of which `value`, which is like the parameter, is this rank's part."""
        return dict.fromkeys(self.names, value)

    def take(self, state: Any, into: Tensor) -> None:
        """Overwrite `into`, which is like the parameter, with this rank's part of the tensors in `state`."""
        name = next(name for name in self.names if name in state)
        into._array[...] = self.part(state[name].to(device=into.device, dtype=into.dtype)._array)
        changed(into._array, "load_sharded")

    def part(self, array: Any) -> Any:
        """Return this rank's part of an array."""
        return array


class CutLayout(Layout):
    """A parameter that is cut along an axis."""

    def __init__(self, parameter: Tensor, names: list[str], cut: Cut):
        super().__init__(parameter, names)
        self.cut = cut

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.names, self.cut.shape(self.parameter.shape, self.cut.group.size, 1))

    def whole(self, value: Tensor) -> dict[str, Tensor]:
        return dict.fromkeys(self.names, self.cut.whole(value))

    def part(self, array: Any) -> Any:
        return self.cut.part(array)


class UnitLayout(Layout):
    """The part of a unit of FullyShardedDataParallel."""

    def __init__(self, model: FullyShardedDataParallel, unit: Unit):
        self.model, self.unit = model, unit
        super().__init__(unit.shard, list(model.by_all_names(unit, dict.fromkeys(unit.names))))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return self.model.by_all_names(self.unit, dict(zip(self.unit.names, self.unit.shapes, strict=True)))

    def whole(self, value: Tensor) -> dict[str, Tensor]:
        return self.model.by_all_names(self.unit, self.unit.tensors(self.unit.gather(value)))

    def take(self, state: Any, into: Tensor) -> None:
        self.unit.take(state, into)


def layouts(model: Module) -> Iterator[Layout]:
    """Yield how each parameter of a module is kept."""
    if isinstance(model, FullyShardedDataParallel):
        yield from (UnitLayout(model, unit) for unit in model.units)
        return
    names: dict[Tensor, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        for name, parameter in module._parameters.items():
            if parameter is not None:
                names.setdefault(parameter, []).append(join(path, name))
    for parameter, known in names.items():
        cut = getattr(parameter, PARALLEL, None)
        yield Layout(parameter, known) if cut is None else CutLayout(parameter, known, cut)


def buffers(model: Module) -> Mapping[str, Tensor]:
    """Return what a state dict holds besides parameters."""
    known = {name for layout in layouts(model) for name in layout.names}
    inner = model.module if isinstance(model, FullyShardedDataParallel) else model
    return {name: value for name, value in inner.state_dict().items() if name not in known}
