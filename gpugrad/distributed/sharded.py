"""FullyShardedDataParallel: each rank keeps a part of the parameters, gradients and optimizer state of every module.

A unit is a module whose parameters are gathered together: before its forward, and again in backward, where its forward
is computed anew (`checkpoint`). Gathering is the op `all_gather`, whose gradient rule adds up the parts of all ranks
and leaves each rank its own: so the gradient of the part that a rank keeps is what the optimizer needs, and nothing
else is stored.

S. Rajbhandari et al. 2020, "ZeRO", section 5.3 (stage 3); Y. Zhao et al. 2023, "PyTorch FSDP", section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..autograd.checkpoint import checkpoint
from ..autograd.mode import mode, no_grad
from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..errors import OptionError
from ..nn import Module, Parameter
from ..nn.members import join
from ..nn.state_dict import Keys, as_tensor, compare_states, raise_mismatches
from ..nn.utils import clip_grads_with_norm_
from ..ops.join import stack
from .functional import all_gather, all_reduce
from .group import ProcessGroup, of

Places = list[tuple[Module, str]]  # the modules that have a parameter, and its name there


class Unit:
    """The parameters of one module and those below it that belong to no smaller unit, as one vector in equal parts."""

    def __init__(self, module: Module, places: dict[Parameter, Places], names: list[str], group: ProcessGroup):
        self.module, self.group, self.names = module, group, names
        self.places = list(places.values())
        parameters = list(places)
        first = parameters[0]
        self.shapes = [p.shape for p in parameters]
        self.sizes = [p._array.size for p in parameters]
        self.starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.part = -(-sum(self.sizes) // group.size)
        with first.device.selected():
            xp = first.device.xp
            rest = xp.zeros(self.part * group.size - sum(self.sizes), first.dtype)
            flat = xp.concatenate([*(p._array.reshape(-1) for p in parameters), rest])
            group.begin("FullyShardedDataParallel's parameters", flat).broadcast(flat, 0).wait()
            own = flat[self.part * group.rank : self.part * (group.rank + 1)].copy()
        self.shard = Parameter(wrap(own, first.device, None), first.requires_grad)
        self._take_away()

    def _take_away(self) -> None:
        for module, name in (place for places in self.places for place in places):
            module._parameters[name] = None

    @contextmanager
    def holding(self, flat: Tensor) -> Iterator[None]:
        """Give the modules their parameters, as parts of `flat`."""
        try:
            for start, size, shape, places in zip(self.starts, self.sizes, self.shapes, self.places, strict=True):
                value: Any = flat[start : start + size].reshape(shape)
                for module, name in places:
                    module._parameters[name] = value
            yield
        finally:
            self._take_away()

    def gather(self, part: Tensor) -> Tensor:
        """Return the whole vector of which `part` is this rank's, outside the graph."""
        with no_grad():
            return all_gather(part, group=self.group)

    def tensors(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the parameters in `flat` by name."""
        cut = zip(self.names, self.starts, self.sizes, self.shapes, strict=True)
        return {name: flat[start : start + size].reshape(shape) for name, start, size, shape in cut}

    def take(self, state: Any, into: Tensor) -> None:
        """Overwrite `into`, which is like the shard, with this rank's part of the tensors that `state` has by name."""
        first, last = self.part * self.group.rank, self.part * (self.group.rank + 1)
        own = into._array
        for name, start, size in zip(self.names, self.starts, self.sizes, strict=True):
            low, high = max(first, start), min(last, start + size)
            if low < high and name in state:
                values = state[name].detach().to(device=into.device, dtype=into.dtype)._array.reshape(-1)
                own[low - first : high - first] = values[low - start : high - start]
        changed(own, "load_state_dict")


class FullyShardedDataParallel(Module):
    """Calls `module`; each rank keeps a part of its parameters, which are gathered for as long as they are needed.

    The parameters are those of the ranks' shards: give `parameters()` to an optimizer after this. Gradients are means
    over the ranks, as in `DistributedDataParallel`. unit: which modules are gathered one by one (a Transformer's
    blocks, say): a class, a tuple of classes, or a function that says it of a module; what is in none of them is one
    more unit. reshard_after_forward=False keeps gathered parameters until backward, which then computes nothing anew.
    All ranks start with rank 0's values.

    Raises OptionError for parameters of several dtypes or devices in a unit, or one that two units share.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    >>> model = gg.distributed.FullyShardedDataParallel(model, unit=nn.Linear)
    >>> [tuple(p.shape) for p in model.parameters()]
    [(9,), (4,)]
    >>> model(gg.ones(4, 2)).mean().backward()
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '1.weight', '1.bias']
    """

    def __init__(
        self,
        module: Module,
        process_group: ProcessGroup | None = None,
        *,
        unit: type[Module] | tuple[type[Module], ...] | Callable[[Module], bool] = (),
        reshard_after_forward: bool = True,
    ):
        super().__init__()
        self.group, self.reshard_after_forward = of(process_group), reshard_after_forward
        self._order = list(module.state_dict())
        self.units = [
            Unit(inner, places, names, self.group)
            for inner, places, names in _find_units(module, _chooses(unit))
            if places
        ]
        if not self.units:
            raise OptionError("FullyShardedDataParallel: the module has no parameters")
        self.module = module
        for i, made in enumerate(self.units):
            self.register_parameter(f"shard_{i}", made.shard)
            if made.module is not module:
                vars(made.module)["forward"] = self._gathering(made, made.module.forward)
        self._root = next((made for made in self.units if made.module is module), None)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        if self._root is None:
            return self.module(*args, **kwargs)
        return self._run(
            self._root, self.module.__call__, args, kwargs, self.reshard_after_forward and len(self.units) == 1
        )

    def _gathering(self, unit: Unit, forward: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._run(unit, forward, args, kwargs, self.reshard_after_forward)

        return call

    def _run(self, unit: Unit, function: Callable, args: tuple, kwargs: dict, again: bool) -> Any:
        """Call `function` with the unit's parameters in place. again: backward gathers them anew."""

        def gather_and_call(shard: Tensor, *args: Any, **kwargs: Any) -> Any:
            flat = all_gather(shard, group=self.group)
            if shard.requires_grad and mode.grad:
                flat.register_hook(lambda g: g / self.group.size)
            with unit.holding(flat):
                return function(*args, **kwargs)

        if again:
            return checkpoint(gather_and_call, unit.shard, *args, **kwargs)
        return gather_and_call(unit.shard, *args, **kwargs)

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Return the whole state dict of the module, gathered; all ranks call it.

        `save_sharded` writes a checkpoint without having the whole on any rank.
        """
        found: dict[str, Any] = {name: b for name, b in self.module.state_dict().items()}
        for unit in self.units:
            found.update(self.by_all_names(unit, unit.tensors(unit.gather(unit.shard))))
        state = {} if destination is None else destination
        state.update({prefix + name: found[name] for name in self._order})
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Take each rank's part of a whole state dict of the module, of which all ranks are given the same."""
        own = self.state_dict()
        keys, wrong = compare_states(own, state_dict)
        raise_mismatches(self.module, keys if strict else Keys([], []), wrong)
        given = {name: as_tensor(value) for name, value in state_dict.items() if name in own}
        for unit in self.units:
            unit.take(given, unit.shard)
        self.module.load_state_dict({name: given[name] for name in self.module.state_dict() if name in given})
        return keys

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each entry of the whole state dict."""
        found = {name: buffer.shape for name, buffer in self.module.state_dict().items()}
        for unit in self.units:
            found.update(self.by_all_names(unit, dict(zip(unit.names, unit.shapes, strict=True))))
        return found

    def by_all_names(self, unit: Unit, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a unit's parameters by every name that these have in the state dict."""
        found = {}
        for places, name in zip(unit.places, unit.names, strict=True):
            for other in self._names_of(places):
                found[other] = values[name]
        return found

    def clip_grad_norm_(self, max_norm: float) -> Tensor:
        """Scale the gradients so that the 2-norm of those of all ranks together is at most max_norm; returns the norm
        before.

        >>> model = gg.distributed.FullyShardedDataParallel(nn.Linear(2, 1, bias=False))
        >>> (model(gg.tensor([[3.0, 4.0]])) * 2).sum().backward()
        >>> model.clip_grad_norm_(1.0)
        tensor(10.)
        """
        shards = [unit.shard for unit in self.units]
        with no_grad():
            squares = [(shard.grad * shard.grad).sum() for shard in shards if shard.grad is not None]
            norm = all_reduce(stack(squares).sum(), group=self.group).sqrt()
        clip_grads_with_norm_(shards, max_norm, norm)
        return norm

    def _names_of(self, places: Places) -> list[str]:
        """Return the names that a parameter has in the state dict."""
        known = {(id(module), name) for module, name in places}
        walked = self.module.named_modules(remove_duplicate=False)
        return [join(path, name) for path, m in walked for name in m._parameters if (id(m), name) in known]


def _chooses(unit: Any) -> Callable[[Module], bool]:
    """Return whether a module is a unit, as a function of it."""
    return (lambda inner: isinstance(inner, unit)) if isinstance(unit, (type, tuple)) else unit


def _find_units(
    module: Module, chosen: Callable[[Module], bool]
) -> list[tuple[Module, dict[Parameter, Places], list[str]]]:
    """Return (module, its parameters' places, their names) of each unit, the outermost last."""
    owner: dict[int, Module] = {}  # the unit of each module
    units: list[Module] = [module]

    def visit(inner: Module, unit: Module) -> None:
        if inner is not module and chosen(inner) and any(True for _ in inner.parameters()):
            unit = inner
            units.append(inner)
        owner[id(inner)] = unit
        for child in inner.children():
            if id(child) not in owner:
                visit(child, unit)

    visit(module, module)
    places: dict[Parameter, Places] = {}
    named: dict[Parameter, str] = {}
    for path, inner in module.named_modules():
        for name, parameter in inner._parameters.items():
            if parameter is not None:
                places.setdefault(parameter, []).append((inner, name))
                named.setdefault(parameter, join(path, name))
    found = []
    for unit in [*units[1:], module]:
        inside = {p: at for p, at in places.items() if owner[id(at[0][0])] is unit}
        for p, at in inside.items():
            if any(owner[id(inner)] is not unit for inner, _ in at):
                raise OptionError(f"FullyShardedDataParallel: {named[p]} belongs to two units; put them into one")
        if len({(p.dtype, p.device, p.requires_grad) for p in inside}) > 1:
            raise OptionError(
                f"FullyShardedDataParallel: the parameters of {type(unit).__name__} differ in dtype, device or whether "
                "they are trained; put those that differ into units of their own"
            )
        found.append((unit, inside, [named[p] for p in inside]))
    return found
