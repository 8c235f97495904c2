"""Optimizer: parameter groups, state, and the walk that updates parameters in cache-sized blocks.

A subclass says how one block changes (`_update`); the walk cuts parameters, gradients and state into blocks that
stay in cache through all the passes of a formula, and shares them between threads when there are many. Blocks are
updated elementwise and in place, so the result does not depend on how they were cut.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import cache
from typing import Any

import numpy as np

from ..autograd.mode import enable_grad
from ..autograd.tensor import Tensor, wrap
from ..autograd.versions import changed
from ..backend.cpu import threads
from ..backend.devices import CPU
from ..backend.dtypes import float32, is_low
from ..errors import StateDictError
from ..nn.state import as_tensor, drop_gradient

BLOCK = 1 << 17  # elements of a block: few enough for the caches, yet long enough a call for threads to overlap
SHARE = 1 << 18  # elements that are worth a thread


class Optimizer:
    """The base of optimizers.

    params: Tensors, or dicts with "params" and options that differ from the defaults, or pairs (name, Tensor).
    Options are in `param_groups`, state per parameter in `state`; both have PyTorch's layout.
    """

    _functor: str | None = (
        None  # of kernels/optimizer.cu, which then does on cuda what `_update` of the same class does
    )

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._tables: dict = {}
        if isinstance(params, Tensor):
            raise TypeError(f"{type(self).__name__}: params must be a sequence of tensors or dicts, got one tensor")
        given = list(params)
        if not given:
            raise ValueError(f"{type(self).__name__}: there are no parameters to optimize")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters, with options of their own."""
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else [p[1] if isinstance(p, tuple) else p for p in params]
        known = {p for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{type(self).__name__}: a parameter must be a Tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{type(self).__name__}: a tensor of shape {p.shape} is not a leaf; optimize leaves")
            if p in known:
                raise ValueError(f"{type(self).__name__}: a parameter of shape {p.shape} is given twice")
            known.add(p)
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or make them zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                drop_gradient(parameter, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient. `closure`, if given, computes it first and returns the loss."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            work = Work(self, group)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    work.add(parameter)
            work.run()
        return loss

    # What subclasses define

    def _slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the arrays that an update needs besides the parameter and its gradient."""
        raise NotImplementedError

    def _start(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        """Count a step in the state of one parameter; returns what `_update` needs to know for all its blocks."""
        raise NotImplementedError

    def _update(
        self, ns: Any, group: dict[str, Any], numbers: tuple, p: Any, g: Any, t: Any, u: Any, *state: Any
    ) -> None:
        """Change the block `p` (and `state`) in place, given its gradient `g`; `t` and `u` are scratch of its shape."""
        raise NotImplementedError

    def _scalars(self, group: dict[str, Any], numbers: tuple) -> tuple[float, ...]:
        """The fields of `_functor`, in order; `numbers` are what `_start` returned."""
        raise NotImplementedError

    # State

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: {name: Tensor or number}}, "param_groups": [options with the parameters' numbers]}."""
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers[p] = len(numbers)
            groups.append({**group, "params": [numbers[p] for p in group["params"]]})
        return {"state": {numbers[p]: dict(state) for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the options and a copy of the state of an optimizer over parameters of the same number and shapes.

        Raises StateDictError where they differ.
        """
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise StateDictError(f"the state dict has groups of {sizes} parameters, {type(self).__name__} has {own}")
        order = [number for group in groups for number in group["params"]]
        by_number = dict(zip(order, (p for group in self.param_groups for p in group["params"]), strict=True))
        loaded = {by_number[n]: _loaded(n, by_number[n], state) for n, state in state_dict["state"].items()}
        self.state = defaultdict(dict, loaded)
        for mine, given in zip(self.param_groups, groups, strict=True):
            mine.update({name: copy(value) for name, value in given.items() if name != "params"})

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {value}" for name, value in sorted(group.items()) if name != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def _loaded(number: int, parameter: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter's state on its device and in its dtype; a step count becomes an int."""
    made: dict[str, Any] = {}
    for name, value in state.items():
        if name == "step":
            made[name] = int(value)
        elif hasattr(value, "shape"):
            if tuple(value.shape) != parameter.shape:
                raise StateDictError(
                    f"parameter {number}: {name} has shape {tuple(value.shape)}, the parameter {parameter.shape}"
                )
            made[name] = as_tensor(value).detach().to(device=parameter.device, dtype=parameter.dtype, copy=True)
        else:
            made[name] = copy(value)
    return made


class Work:
    """The blocks of one group that one step updates."""

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]):
        self.optimizer, self.group = optimizer, group
        self.blocks: list[tuple] = []
        self.launches: defaultdict[tuple, list] = defaultdict(list)  # by device, dtype and numbers
        self.elements = 0

    def add(self, parameter: Tensor) -> None:
        """Count a step of `parameter` and cut its arrays into blocks."""
        optimizer, group = self.optimizer, self.group
        state = optimizer.state[parameter]
        names = optimizer._slots(group)
        numbers = optimizer._start(state, group)
        array, device = parameter._array, parameter.device
        for name in names:
            if name not in state:
                state[name] = wrap(device.xp.zeros_like(array), device, None)
        arrays = [array, parameter.grad._array, *[state[name]._array for name in names]]
        changed(array, f"{type(optimizer).__name__}.step")
        if all(a.flags.c_contiguous for a in arrays):
            if device.type == "cuda" and _functor_of(type(optimizer)) and {a.dtype for a in arrays} == {array.dtype}:
                self.launches[device, array.dtype, numbers].append(arrays)
                return
            arrays = [a.reshape(-1) for a in arrays]
        length = len(arrays[0]) if array.ndim else 1
        count = min(-(-array.size // BLOCK), length) if device is CPU else 1
        if count <= 1:
            self.blocks.append((device.xp, numbers, *arrays))
        else:
            for i in range(count):
                part = slice(length * i // count, length * (i + 1) // count)
                self.blocks.append((device.xp, numbers, *[a[part] for a in arrays]))
        self.elements += array.size

    def run(self) -> None:
        """Update all blocks, on several threads where that pays, and what one launch can do at once by one."""
        optimizer = self.optimizer
        for (device, _, numbers), tensors in self.launches.items():
            from . import cuda

            scalars = optimizer._scalars(self.group, numbers)
            cuda.step(_functor_of(type(optimizer)) or "", scalars, device, tensors, optimizer._tables)
        on_host = all(block[0] is CPU.xp for block in self.blocks)
        parts: list[list] = [[] for _ in threads.chunks(self.elements, SHARE if on_host else self.elements)]
        sizes = [0] * len(parts)
        for block in sorted(self.blocks, key=lambda block: block[2].size, reverse=True):
            least = sizes.index(min(sizes))
            parts[least].append(block)
            sizes[least] += block[2].size
        threads.parallel(self._update, parts)

    def _update(self, blocks: list[tuple]) -> None:
        update, group = self.optimizer._update, self.group
        scratch: dict[np.dtype, tuple] = {}
        for ns, numbers, p, *others in blocks:
            if is_low(p.dtype):
                _update_low(update, ns, group, numbers, p, others)
                continue
            if p.dtype not in scratch or scratch[p.dtype][0].size < p.size:
                scratch[p.dtype] = ns.empty(p.size, p.dtype), ns.empty(p.size, p.dtype)
            t, u = (s[: p.size].reshape(p.shape) for s in scratch[p.dtype])
            update(ns, group, numbers, p, others[0], t, u, *others[1:])


@cache
def _functor_of(cls: type[Optimizer]) -> str | None:
    """The functor that does what `_update` does: None if a subclass has changed `_update`."""
    for base in cls.__mro__:
        if "_functor" in vars(base) or "_update" in vars(base):
            return vars(base).get("_functor")
    return None


def _update_low(update: Callable, ns: Any, group: dict, numbers: tuple, p: Any, others: list) -> None:
    """Update a block of 16-bit floats: computed in float32, rounded once."""
    raised = [array.astype(float32) for array in (p, *others)]
    t, u = ns.empty_like(raised[0]), ns.empty_like(raised[0])
    update(ns, group, numbers, raised[0], raised[1], t, u, *raised[2:])
    for array, values in zip((p, *others[1:]), (raised[0], *raised[2:]), strict=True):
        array[...] = values
