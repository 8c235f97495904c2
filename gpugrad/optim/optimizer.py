"""Optimizer: parameter groups, their options and state. A subclass says how one block of a parameter changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from ..autograd.mode import enable_grad
from ..autograd.tensor import Tensor
from ..errors import GradientError, StateDictError
from ..nn.state_dict import as_tensor, drop_gradient
from .blocks import GroupUpdate
from .hooks import OptimizerHooks

_IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")  # PyTorch has several; here there is one
_ANY_SIGN = ("beta2_decay", "dampening")


class Optimizer(OptimizerHooks):
    """The base of optimizers.

    params: Tensors, or dicts with "params" and options that differ from the defaults, or pairs (name, Tensor).
    Options are in `param_groups`, state per parameter in `state`; both have PyTorch's layout.
    """

    _functor: str | None = None  # of kernels/optim.cu: does on cuda what `_update` of the same class does
    _scalar_state: tuple[str, ...] = ("step",)  # what state holds besides arrays: "step" an int, the others floats

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        super().__init__()
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
        given = param_group["params"]
        given = [given] if isinstance(given, Tensor) else list(given)
        named = {"param_names": [p[0] for p in given]} if given and isinstance(given[0], tuple) else {}
        params = [p[1] if isinstance(p, tuple) else p for p in given]
        known = {p for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{type(self).__name__}: a parameter must be a Tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(f"{type(self).__name__}: a tensor of shape {p.shape} is not a leaf; optimize leaves")
            if p in known:
                raise ValueError(f"{type(self).__name__}: a parameter of shape {p.shape} is given twice")
            known.add(p)
        self.param_groups.append({**self.defaults, **param_group, **named, "params": params})

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
            self._step_group(group, [parameter for parameter in group["params"] if parameter.grad is not None])
        return loss

    def _step_group(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update these parameters of a group: elementwise, by `_update` on blocks."""
        work = GroupUpdate(self, group)
        work.add(parameters)
        work.run()

    # What subclasses define

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the arrays that an update needs besides the parameter and its gradient."""
        raise NotImplementedError

    def _initial_value(self, name: str, group: dict[str, Any]) -> float:
        """What the array called `name` holds before the first step."""
        return 0

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        """Count a step in the state of one parameter; returns what `_update` needs to know for all its blocks."""
        count_step(state)
        return ()

    def _update(
        self,
        xp: Any,
        group: dict[str, Any],
        scalars: tuple,
        param: Any,
        grad: Any,
        scratch1: Any,
        scratch2: Any,
        *state: Any,
    ) -> None:
        """Change the block `param` and its `state` in place, given its gradient. Both scratch arrays have its shape."""
        raise NotImplementedError

    def _functor_fields(self, group: dict[str, Any], scalars: tuple) -> tuple[float, ...]:
        """The fields of `_functor`, in order; `scalars` are what `_step_scalars` returned."""
        raise NotImplementedError

    # State

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: {name: Tensor or number}}, "param_groups": [options with the parameters' numbers]}."""
        self._hooks["before state_dict"].call(self)
        indices: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                indices[p] = len(indices)
            groups.append({**group, "params": [indices[p] for p in group["params"]]})
        made = {"state": {indices[p]: dict(state) for p, state in self.state.items()}, "param_groups": groups}
        return self._hooks["after state_dict"].call(self, made)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the options and a copy of the state of an optimizer over parameters of the same number and shapes.

        Raises StateDictError where they differ.
        """
        state_dict = self._hooks["before load"].call(self, state_dict)
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise StateDictError(f"the state dict has groups of {sizes} parameters, {type(self).__name__} has {own}")
        order = [number for group in groups for number in group["params"]]
        by_number = dict(zip(order, (p for group in self.param_groups for p in group["params"]), strict=True))
        loaded = {
            by_number[n]: {name: self._load_value(n, by_number[n], name, value) for name, value in state.items()}
            for n, state in state_dict["state"].items()
        }
        self.state = defaultdict(dict, loaded)
        for mine, given in zip(self.param_groups, groups, strict=True):
            mine.update({name: copy(value) for name, value in given.items() if name != "params"})
        self._hooks["after load"].call(self)

    def _load_value(self, number: int, parameter: Tensor, name: str, value: Any) -> Any:
        """A value of one parameter's state: arrays on its device and in its dtype, counts as Python numbers."""
        if name in self._scalar_state:
            return int(value) if name == "step" else float(value)
        if not hasattr(value, "shape"):
            return copy(value)
        if tuple(value.shape) != self._state_shape(name, parameter):
            raise StateDictError(
                f"parameter {number}: {name} has shape {tuple(value.shape)}, the parameter {parameter.shape}"
            )
        return as_tensor(value).detach().to(device=parameter.device, dtype=parameter.dtype, copy=True)

    def _state_shape(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        """The shape of the array called `name` in the state of `parameter`."""
        return parameter.shape

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {value}" for name, value in sorted(group.items()) if name != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


class PerParameterOptimizer(Optimizer):
    """An optimizer whose step depends on a parameter as a whole: subclasses define `_update_parameter`."""

    def _step_group(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        for parameter in parameters:
            self._update_parameter(group, parameter, self.state[parameter])

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        """Update one parameter in place."""
        raise NotImplementedError


def count_step(state: dict[str, Any]) -> int:
    """Count a step of one parameter; returns its number, from 1."""
    state["step"] = step = state.get("step", 0) + 1
    return step


def options(optimizer: Optimizer, given: dict[str, Any]) -> dict[str, Any]:
    """The options of a group, from the arguments (`locals()`) of an optimizer's __init__.

    Arguments that choose among PyTorch's implementations are left out. Raises ValueError for negative numbers and for
    betas outside of [0, 1), GradientError for differentiable=True.
    """
    name = type(optimizer).__name__
    if given.get("differentiable"):
        raise GradientError(f"{name}: differentiable=True is not supported: a step is not recorded in the graph")
    left_out = ("self", "params", "__class__", *_IMPLEMENTATION)
    made = {key: v.item() if isinstance(v, Tensor) else v for key, v in given.items() if key not in left_out}
    for key, value in made.items():
        if isinstance(value, (int, float)) and key not in _ANY_SIGN and not value >= 0:
            raise ValueError(f"{name}: {key} must not be negative, got {value}")
    if not all(0 <= beta < 1 for beta in made.get("betas", ())):
        raise ValueError(f"{name}: betas must be at least 0 and below 1, got {made['betas']}")
    return made
