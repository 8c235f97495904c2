"""Module: the base of layers and networks, with PyTorch's semantics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Self

from ..autograd.tensor import Handle, Tensor
from ..backend.devices import Device
from ..backend.dtypes import as_dtype, bfloat16, float16, float32, float64, is_float
from ..errors import DTypeError, StateDictError
from .registry import Registry, join
from .state import Keys, as_tensor, compare, copy_into, drop_gradient, only_floats, replace

_hook_keys = count()


class Hooks:
    """The hooks of one module: key -> (is it called before forward, does it take kwargs, the function)."""

    def __init__(self) -> None:
        self.hooks: dict[int, tuple[bool, bool, Callable]] = {}

    def add(self, before: bool, kwargs: bool, hook: Callable, prepend: bool) -> Handle:
        """Register `hook`, in front of the others with `prepend`."""
        key = next(_hook_keys)
        entry = {key: (before, kwargs, hook)}
        self.hooks = {**entry, **self.hooks} if prepend else {**self.hooks, **entry}
        return Handle(self, key)

    def call(self, module: Module, args: tuple, kwargs: dict) -> Any:
        """Call `module.forward` between its hooks."""
        for before, takes_kwargs, hook in list(self.hooks.values()):
            if before:
                result = hook(module, args, kwargs) if takes_kwargs else hook(module, args)
                if result is not None and takes_kwargs:
                    args, kwargs = result
                elif result is not None:
                    args = result if isinstance(result, tuple) else (result,)
        output = module.forward(*args, **kwargs)
        for before, takes_kwargs, hook in list(self.hooks.values()):
            if not before:
                result = hook(module, args, kwargs, output) if takes_kwargs else hook(module, args, output)
                output = output if result is None else result
        return output


class Module(Registry):
    """The base of all layers and networks. Subclasses assign parameters and modules in __init__ and define `forward`.

    A Parameter or Module assigned to an attribute, and a buffer registered, is found by `parameters()`, `state_dict()`,
    `to()` and the like, under the attribute's name.
    """

    _hooks: Hooks | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return self._hooks.call(self, args, kwargs)

    def _add_hook(self, before: bool, kwargs: bool, hook: Callable, prepend: bool) -> Handle:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks.add(before, kwargs, hook, prepend)

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before forward; what it returns, if anything, replaces the arguments.

        with_kwargs: call `hook(module, args, kwargs)`, which returns (args, kwargs) or None.
        """
        return self._add_hook(True, with_kwargs, hook, prepend)

    def register_forward_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns, if anything, replaces the output.

        with_kwargs: call `hook(module, args, kwargs, output)`.
        """
        return self._add_hook(False, with_kwargs, hook, prepend)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module, submodules first; returns this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Modes and gradients

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it into training mode (dropout drops, batch norm uses the batch)."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Leave training mode."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Start or stop recording gradients for all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or make them zeros."""
        for parameter in self.parameters():
            drop_gradient(parameter, set_to_none)

    # Places and types

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Move parameters and buffers, in place, to a device, to a dtype (floating-point ones only), or both.

        Arguments as for Tensor.to: a device, a dtype, or a Tensor to be like. Parameters stay the same objects.
        """
        for given in args:
            if isinstance(given, Tensor):
                dtype, device = given.dtype, given.device
            elif isinstance(given, (Device, int)) or isinstance(given, str) and given.split(":")[0] in ("cpu", "cuda"):
                device = given
            else:
                dtype = given
        if dtype is not None and not is_float(as_dtype(dtype)):
            raise DTypeError(f"Module.to: expected a floating-point dtype, got {dtype}")
        return self._apply(lambda tensor: tensor.to(device=device, dtype=only_floats(dtype, tensor)))

    def _apply(self, move: Callable[[Tensor], Tensor]) -> Self:
        for module in self.modules():
            for parameter in module._parameters.values():
                if parameter is not None:
                    replace(parameter, move(parameter.detach()))
                    if parameter.grad is not None:
                        parameter.grad = move(parameter.grad.detach())
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else move(buffer)
        return self

    def cpu(self) -> Self:
        """Move to the host's memory."""
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Self:
        """Move to a GPU's memory."""
        return self.to("cuda" if device is None else device)

    def float(self) -> Self:
        """Make floating-point parameters and buffers float32."""
        return self.to(float32)

    def double(self) -> Self:
        """Make floating-point parameters and buffers float64."""
        return self.to(float64)

    def half(self) -> Self:
        """Make floating-point parameters and buffers float16."""
        return self.to(float16)

    def bfloat16(self) -> Self:
        """Make floating-point parameters and buffers bfloat16."""
        return self.to(bfloat16())

    # State

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, sharing memory; outside the graph unless `keep_vars`."""
        state = {} if destination is None else destination
        for path, module in self.named_modules(prefix=prefix.removesuffix("."), remove_duplicate=False):
            for name, member in module._state():
                state[join(path, name)] = member if keep_vars else member.detach()
        return state

    def _state(self) -> Iterator[tuple[str, Tensor]]:
        """This module's own entries in a state dict."""
        for name, member in [*self._parameters.items(), *self._buffers.items()]:
            if member is not None and name not in self._non_persistent:
                yield name, member

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Copy values by dotted name into parameters and buffers; returns the missing and the unexpected names.

        state_dict: maps names to Tensors, NumPy arrays or PyTorch tensors. assign: take over the given memory, dtype
        and device instead of copying. Raises StateDictError, before anything is changed, that lists every wrong shape
        and, with `strict`, every missing and unexpected name.
        """
        own = self.state_dict(keep_vars=True)
        keys, problems = compare(own, state_dict, strict)
        if problems:
            raise StateDictError(f"the state dict does not fit {type(self).__name__}:\n  " + "\n  ".join(problems))
        for name, tensor in own.items():
            if name in state_dict:
                value = as_tensor(state_dict[name])
                if assign:
                    replace(tensor, value)
                else:
                    copy_into(tensor, value, "load_state_dict")
        return keys

    # Text

    def extra_repr(self) -> str:
        """What stands between the parentheses of a layer's repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        if not self._modules:
            return f"{self._get_name()}({extra})"
        lines = extra.splitlines()
        lines += [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"
