"""Module: the base of layers and networks, with PyTorch's semantics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

from ..autograd.tensor import Handle, Tensor, wrap
from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, bfloat16, float16, float32, float64, is_float
from ..errors import DTypeError
from .hooks import Hook, HookList, call
from .registry import Registry, join
from .state import Keys, compare, drop_gradient, only_floats, refuse, replace, take_over

EXTRA = "_extra_state"  # the name of `get_extra_state`'s result in a state dict


if TYPE_CHECKING:
    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)

    class _HasForward(Protocol[P, R]):
        @property
        def forward(self) -> Callable[P, R]: ...

    class _Call:  # a call has the arguments and the result of the module's own `forward`
        def __get__(self, module: _HasForward[P, R], owner: Any = None) -> Callable[P, R]: ...


class Module(Registry):
    """The base of all layers and networks. Subclasses assign parameters and modules in __init__ and define `forward`.

    A Parameter or Module assigned to an attribute, and a buffer registered, is found by `parameters()`, `state_dict()`,
    `to()` and the like, under the attribute's name.
    """

    _hooks: dict[str, HookList] | None = None  # by kind; None until there are any

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    if TYPE_CHECKING:
        __call__ = _Call()
    else:

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return call(self, args, kwargs)

    def _joined(self, after: Module) -> Callable | None:
        """What does this module's work and then that of `after` by one op; None if nothing does."""
        return None

    def _is_plain(self, cls: type) -> bool:
        """Whether calling this module is no more and no less than the forward of `cls`."""
        return type(self) is cls and self._hooks is None and "forward" not in vars(self)

    # Hooks

    def _add_hook(self, kind: str, hook: Callable, prepend: bool = False, **options: bool) -> Handle:
        if self._hooks is None:
            self._hooks = {}
        return self._hooks.setdefault(kind, HookList()).add(hook, prepend, options)

    def _hooks_of(self, kind: str) -> list[Hook]:
        return list(self._hooks[kind]) if self._hooks is not None and kind in self._hooks else []

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before forward; what it returns, if anything, replaces the arguments.

        with_kwargs: call `hook(module, args, kwargs)`, which returns (args, kwargs) or None.
        """
        return self._add_hook("forward_pre", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call `hook(module, args, output)` after forward; what it returns, if anything, replaces the output.

        with_kwargs: call `hook(module, args, kwargs, output)`. always_call: also when forward raised; output is None.
        """
        return self._add_hook("forward", hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` before the gradients of the inputs are computed.

        grad_output: the gradients of the outputs, a tuple; what the hook returns, if anything, replaces them.
        """
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        grad_input has an entry for each positional argument, None where it needs no gradient; what the hook returns,
        if anything, replaces it.
        """
        return self._add_hook("backward", hook, prepend)

    def register_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict` reads this module."""
        return self._add_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after `state_dict` has read this module; it may
        change the dictionary."""
        return self._add_hook("state_dict_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)`
        before values are loaded; it may change the dictionary, which is a copy, and add to the lists."""
        return self._add_hook("load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(module, incompatible_keys)` after values were loaded; it may change the two lists of names.

        What is then left in them is an error with `strict`, which without such a hook is found before loading.
        """
        return self._add_hook("load_post", hook)

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

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without copying the values, which are not set afterwards."""
        where = find_device(device)
        modules = self.modules() if recurse else [self]
        return self._apply(lambda t: wrap(where.xp.empty(t.shape, t.dtype), where, None), modules)

    def type(self, dst_type: Any) -> Self:
        """Make floating-point parameters and buffers `dst_type`."""
        return self.to(dtype=dst_type)

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

    def _apply(self, move: Callable[[Tensor], Tensor], modules: Iterable[Module] | None = None) -> Self:
        for module in self.modules() if modules is None else modules:
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
        for hook, _ in self._hooks_of("state_dict_pre"):
            hook(self, prefix, keep_vars)
        for name, member in self._state():
            state[prefix + name] = member if keep_vars or not isinstance(member, Tensor) else member.detach()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=state, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook, _ in self._hooks_of("state_dict_post"):
            hook(self, state, prefix, {})
        return state

    def _state(self) -> Iterator[tuple[str, Any]]:
        """This module's own entries in a state dict."""
        for name, member in [*self._parameters.items(), *self._buffers.items()]:
            if member is not None and name not in self._non_persistent:
                yield name, member
        if type(self).get_extra_state is not Module.get_extra_state:
            yield EXTRA, self.get_extra_state()

    def get_extra_state(self) -> Any:
        """What a subclass adds to its state dict, under `_extra_state`; define `set_extra_state` as well."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` gave."""
        raise NotImplementedError(f"{type(self).__name__} does not define set_extra_state()")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Copy values by dotted name into parameters and buffers; returns the missing and the unexpected names.

        state_dict: maps names to Tensors, NumPy arrays or PyTorch tensors. assign: take over the given memory, dtype
        and device instead of copying. Raises StateDictError, before anything is changed, that lists every wrong shape
        and, with `strict`, every missing and unexpected name.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected a mapping of names to values, got {type(state_dict).__name__}")
        given, members = dict(state_dict), list(self.named_modules(remove_duplicate=False))
        missing, unexpected, errors = [], [], []
        for path, module in members:
            for hook, _ in module._hooks_of("load_pre"):
                hook(module, given, join(path, ""), {}, strict, missing, unexpected, errors)
        own = {join(path, name): (module, member) for path, module in members for name, member in module._state()}
        keys, wrong = compare({name: member for name, (_, member) in own.items()}, given)
        keys = Keys([*missing, *keys.missing_keys], [*unexpected, *keys.unexpected_keys])
        after = [(module, hook) for _, module in reversed(members) for hook, _ in module._hooks_of("load_post")]
        refuse(self, keys if strict and not after else Keys([], []), [*errors, *wrong])
        for name, (module, member) in own.items():
            if name in given and isinstance(member, Tensor):
                take_over(member, given[name], assign)
            elif name in given:
                module.set_extra_state(given[name])
        for module, hook in after:
            hook(module, keys)
        refuse(self, keys if strict else Keys([], []), [])
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
