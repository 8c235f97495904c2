"""Optimizer: parameter groups, their options and state. A subclass says how one block of a parameter changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from ..autograd.mode import enable_grad
from ..autograd.tensor import Tensor
from ..backend.capture import current
from ..errors import DTypeError, OptionError, StateDictError
from ..nn.state_dict import as_tensor, drop_gradient
from .blocks import GroupUpdate
from .captured import refuse
from .hooks import OptimizerHooks
from .options import checked_options


class Optimizer(OptimizerHooks):
    """The base of all optimizers.

    params holds Tensors, or pairs (name, Tensor), or dicts with "params" and the options in which that group differs
    from the others. The options are in `param_groups` and the state of each parameter is in `state`; both are laid out
    as in PyTorch (torch.optim.Optimizer).

    A subclass defines `_state_names` and `_update`, or for a step that needs a parameter as a whole it derives from
    `PerParameterOptimizer`:

    >>> class SignDescent(gg.optim.Optimizer):
    ...     def _state_names(self, group):
    ...         return ()
    ...     def _update(self, xp, group, scalars, param, grad, scratch1, scratch2):
    ...         param -= group["lr"] * xp.sign(grad)
    >>> x = gg.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = SignDescent([x], {"lr": 0.5})
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x.tolist()
    [0.5, -1.5]
    """

    _functor: str | None = None  # of kernels/optim.cu; it does on cuda what `_update` of the same class does
    _scalar_state: tuple[str, ...] = ("step",)  # the state that is not an array: "step" is an int, the rest are floats

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        super().__init__()
        name = type(self).__name__
        self.defaults = checked_options(name, defaults, defaults)
        self._check_options(self.defaults)
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._tables: dict = {}
        if isinstance(params, Tensor):
            raise DTypeError(f"{name}: params must be a sequence of tensors or dicts, got one tensor")
        given = list(params)
        if not given:
            raise OptionError(f"{name}: params must hold at least one parameter to optimize, got no parameters")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize more parameters too: those of "params", with the options that the dict holds besides.

        Raises OptionError for an option that the optimizer does not allow and for a parameter that it already has.

        >>> a, b = gg.ones(2, requires_grad=True), gg.ones(2, requires_grad=True)
        >>> optimizer = gg.optim.SGD([a], lr=0.1)
        >>> optimizer.add_param_group({"params": [b], "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]
        """
        name = type(self).__name__
        given = param_group["params"]
        given = [given] if isinstance(given, Tensor) else list(given)
        named = {"param_names": [p[0] for p in given]} if given and isinstance(given[0], tuple) else {}
        params = [p[1] if isinstance(p, tuple) else p for p in given]
        known = {p for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise DTypeError(f"{name}: a parameter must be a Tensor, got {type(p).__name__}")
            if not p.is_leaf:
                raise OptionError(f"{name}: a tensor of shape {p.shape} is not a leaf; optimize leaves")
            if p in known:
                raise OptionError(f"{name}: a parameter of shape {p.shape} is given twice")
            known.add(p)
        group = checked_options(name, self.defaults, {**self.defaults, **param_group, **named, "params": params})
        self._check_options(group)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or make them zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                drop_gradient(parameter, set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        `closure` is called first if it is given: it computes the gradients and returns the loss, which `step` returns.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group, [parameter for parameter in group["params"] if parameter._grad is not None])
        return loss

    def _step_group(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update these parameters of a group."""
        update = GroupUpdate(self, group)
        update.add(parameters)
        update.run()

    # What subclasses define

    def _check_options(self, group: dict[str, Any]) -> None:
        """Raise OptionError for options that this optimizer does not allow. `checked_options` has seen them before."""

    def _state_names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Return the names of the arrays that an update needs besides the parameter and its gradient."""
        raise NotImplementedError

    def _initial_value(self, name: str, group: dict[str, Any]) -> float:
        """Return the value that fills the array called `name` before the first step."""
        return 0

    def _step_scalars(self, state: dict[str, Any], group: dict[str, Any]) -> tuple:
        """Count a step in the state of one parameter and return the numbers that `_update` needs for its blocks."""
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
        """Return the fields of `_functor`, in order; `scalars` are what `_step_scalars` returned."""
        raise NotImplementedError

    # State

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": {index: {name: Tensor or number}}, "param_groups": [options]}.

        In both, an index stands for a parameter: its place among the parameters of all groups.
        """
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
        """Take over the options, and a copy of the state, of an optimizer over parameters of the same shapes.

        Raises StateDictError if the numbers or shapes of the parameters differ, and OptionError for an option that the
        optimizer does not allow.
        """
        state_dict = self._hooks["before load"].call(self, state_dict)
        groups = state_dict["param_groups"]
        sizes, own = [len(g["params"]) for g in groups], [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise StateDictError(f"the state dict has groups of {sizes} parameters, {type(self).__name__} has {own}")
        options = [self._load_options(group) for group in groups]
        order = [index for group in groups for index in group["params"]]
        by_index = dict(zip(order, (p for group in self.param_groups for p in group["params"]), strict=True))
        loaded = {
            by_index[i]: {name: self._load_value(i, by_index[i], name, value) for name, value in state.items()}
            for i, state in state_dict["state"].items()
        }
        self.state = defaultdict(dict, loaded)
        for mine, given in zip(self.param_groups, options, strict=True):
            mine.update(given)
        self._hooks["after load"].call(self)

    def _load_options(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of the options of a group, which are checked, without its parameters."""
        given = {name: copy(value) for name, value in group.items() if name != "params"}
        made = checked_options(type(self).__name__, self.defaults, given)
        self._check_options({**self.defaults, **made})
        return made

    def _load_value(self, index: int, parameter: Tensor, name: str, value: Any) -> Any:
        """Return one entry of a parameter's state: an array on its device and in its dtype, or a Python number."""
        if name in self._scalar_state:
            return int(value) if name == "step" else float(value)
        if not hasattr(value, "shape"):
            return copy(value)
        if tuple(value.shape) != self._state_shape(name, parameter):
            raise StateDictError(
                f"parameter {index}: {name} has shape {tuple(value.shape)}, the parameter {parameter.shape}"
            )
        return as_tensor(value).detach().to(device=parameter.device, dtype=parameter.dtype, copy=True)

    def _state_shape(self, name: str, parameter: Tensor) -> tuple[int, ...]:
        """Return the shape of the array called `name` in the state of `parameter`."""
        return parameter.shape

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {value}" for name, value in sorted(group.items()) if name != "params"]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


class PerParameterOptimizer(Optimizer):
    """The base of optimizers whose step needs a parameter as a whole; a subclass defines `_update_parameter`."""

    def _step_group(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        if current() is not None:
            raise refuse(self, "its step is not one kernel")
        for parameter in parameters:
            self._update_parameter(group, parameter, self.state[parameter])

    def _update_parameter(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        """Update one parameter in place."""
        raise NotImplementedError


def count_step(state: dict[str, Any]) -> int:
    """Count a step of one parameter and return its number, which starts from 1."""
    state["step"] = step = state.get("step", 0) + 1
    return step


def require_one_group(optimizer: Optimizer) -> None:
    """Raise OptionError if an optimizer of one group, whose step needs all parameters as one vector, has its group."""
    if optimizer.param_groups:
        raise OptionError(f"{type(optimizer).__name__}: parameters must be in one group, got a second one")
