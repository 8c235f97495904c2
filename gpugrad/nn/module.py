"""Module: the base of layers and networks, with PyTorch's semantics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

from ..autograd.convert import destination
from ..autograd.explain import TOLD, retell
from ..autograd.tensor import Handle, Tensor, wrap
from ..backend.devices import device as find_device
from ..backend.dtypes import bfloat16, float16, float32, float64, is_float
from ..errors import DTypeError
from .arguments import checked, function_checks
from .hooks import Hook, ModuleHooks
from .members import MemberRegistry, join
from .state_dict import Keys, compare_states, drop_gradient, float_dtype, load_value, raise_mismatches, set_data

EXTRA_STATE = "_extra_state"  # the name of `get_extra_state`'s result in a state dict


if TYPE_CHECKING:
    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)

    class _HasForward(Protocol[P, R]):
        @property
        def forward(self) -> Callable[P, R]: ...

    class _Call:  # a call has the arguments and the result of the module's own `forward`
        def __get__(self, module: _HasForward[P, R], owner: Any = None) -> Callable[P, R]: ...


class Module(MemberRegistry):
    """Is the base of all layers and networks: a subclass assigns parameters and modules in __init__ and defines
    `forward`.

    A Parameter or Module that is assigned to an attribute, and a buffer that is registered, is found by `parameters()`,
    `state_dict()`, `to()` and the like, under the attribute's name.

    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(gg.tensor(2.0))
    ...     def forward(self, input):
    ...         return input * self.factor
    >>> Scale()(gg.tensor([1.0, 3.0])).tolist(), list(Scale().state_dict())
    ([2.0, 6.0], ['factor'])
    """

    _hooks: ModuleHooks | None = None  # None until there are any: a module without hooks is called directly

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    if TYPE_CHECKING:
        __call__ = _Call()
    else:

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            try:
                if self._hooks is None:
                    return self.forward(*args, **kwargs)
                return self._hooks.call(self, args, kwargs)
            except TOLD as caught:
                if not type(self).__module__.startswith(("gpugrad.nn.", "gpugrad.torch.nn")):
                    raise
                error = caught
            return retell(self.forward, type(self).__name__, error, function_checks(""), args, kwargs)

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes to copy or pickle; those that were computed, like a normed weight, without graph."""
        detach = {name: t.detach() for name, t in vars(self).items() if isinstance(t, Tensor) and not t.is_leaf}
        return vars(self) | detach

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("gpugrad.nn.") and "__init__" in vars(cls):
            cls.__init__ = checked(vars(cls)["__init__"])

    def _joined_with(self, after: Module) -> Callable | None:
        """Return the function that does this module's work and then that of `after` by one op, or None if there is
        none."""
        return None

    def _is_plain(self, cls: type) -> bool:
        """Return whether calling this module does no more and no less than the forward of `cls`."""
        return self._shared_class() is cls and self._hooks is None and "forward" not in vars(self)

    def _shared_class(self) -> type:
        """Return the class of gpugrad's that does this module's work (a class that adds a language is another)."""
        return vars(type(self)).get("_shared", type(self))

    # Hooks

    def _add_hook(self, kind: str, hook: Callable, prepend: bool = False, **options: bool) -> Handle:
        if self._hooks is None:
            self._hooks = ModuleHooks()
        return self._hooks.add(kind, hook, prepend, options)

    def _hooks_of(self, kind: str) -> list[Hook]:
        return [] if self._hooks is None else self._hooks.of(kind)

    def register_forward_pre_hook(self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False) -> Handle:
        """Call `hook(module, args)` before forward; its result, unless None, replaces the arguments.

        With with_kwargs the call is `hook(module, args, kwargs)`, which returns (args, kwargs) or None.
        """
        return self._add_hook("forward_pre", hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> Handle:
        """Call `hook(module, args, output)` after forward; its result, unless None, replaces the output.

        With with_kwargs the call is `hook(module, args, kwargs, output)`. With always_call the hook is also called when
        forward raised, with None as the output.
        """
        return self._add_hook("forward", hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_output)` before the gradients of the inputs are computed.

        grad_output holds the gradients of the outputs, a tuple; the hook's result, unless None, replaces them.
        """
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        grad_input has an entry for each positional argument, None if it needs no gradient; the hook's result, unless
        None, replaces it.
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

        With `strict`, the names then left in them are an error, which without such a hook is found before loading.
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
        """Put this module and all below it into training mode (dropout drops, batch norm uses the batch); returns this
        module."""
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Put this module and all below it into evaluation mode; returns this module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Start or stop recording gradients for all parameters; returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Remove the gradients of all parameters, or make them zeros."""
        for parameter in self.parameters():
            drop_gradient(parameter, set_to_none)

    # Places and types

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without copying the values, which are not set afterwards; returns this module."""
        target = find_device(device)
        modules = self.modules() if recurse else [self]
        return self._apply(lambda t: wrap(target.xp.empty(t.shape, t.dtype), target, None), modules)

    def type(self, dst_type: Any) -> Self:
        """Convert floating-point parameters and buffers to `dst_type`; returns this module."""
        return self.to(dtype=dst_type)

    def to(self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Self:
        """Move parameters and buffers, in place, to a device, to a dtype (floating-point ones only), or both.

        The arguments are those of Tensor.to: a device, a dtype, or a Tensor to be like. Parameters stay the same
        objects. Returns this module.
        """
        asked = destination("Module.to", args, dtype=dtype, device=device, non_blocking=non_blocking)
        if asked.dtype is not None and not is_float(asked.dtype):
            raise DTypeError(f"Module.to: expected a floating-point dtype, got {asked.dtype}")
        return self._apply(
            lambda tensor: tensor.to(
                device=asked.device, dtype=float_dtype(asked.dtype, tensor), non_blocking=asked.non_blocking
            )
        )

    def _apply(self, move: Callable[[Tensor], Tensor], modules: Iterable[Module] | None = None) -> Self:
        for module in self.modules() if modules is None else modules:
            for parameter in module._parameters.values():
                if parameter is not None:
                    set_data(parameter, move(parameter.detach()))
                    if parameter.grad is not None:
                        parameter.grad = move(parameter.grad.detach())
            for name, buffer in module._buffers.items():
                module._buffers[name] = None if buffer is None else move(buffer)
        return self

    def cpu(self) -> Self:
        """Move to the host's memory; returns this module."""
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Self:
        """Move to a GPU's memory; returns this module."""
        return self.to("cuda" if device is None else device)

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32; returns this module."""
        return self.to(float32)

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64; returns this module."""
        return self.to(float64)

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16; returns this module."""
        return self.to(float16)

    def bfloat16(self) -> Self:
        """Convert floating-point parameters and buffers to bfloat16; returns this module."""
        return self.to(bfloat16())

    # State

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by dotted name, sharing memory; outside the graph unless
        `keep_vars`."""
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
        """Yield this module's own entries in a state dict."""
        for name, member in [*self._parameters.items(), *self._buffers.items()]:
            if member is not None and name not in self._non_persistent:
                yield name, member
        if type(self).get_extra_state is not Module.get_extra_state:
            yield EXTRA_STATE, self.get_extra_state()

    def get_extra_state(self) -> Any:
        """Return an addition to the state dict, under `_extra_state`; a subclass that defines this defines
        `set_extra_state` too."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise NotImplementedError(f"{type(self).__name__} does not define set_extra_state()")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Keys:
        """Copy values by dotted name into parameters and buffers; returns the missing and the unexpected names.

        state_dict maps names to Tensors, NumPy arrays or PyTorch tensors. assign takes over the given memory, dtype and
        device instead of copying. Raises StateDictError, before anything is changed, that lists every wrong shape and,
        with `strict`, every missing and unexpected name.
        """
        if not isinstance(state_dict, Mapping):
            raise DTypeError(f"load_state_dict: expected a mapping of names to values, got {type(state_dict).__name__}")
        given, members = dict(state_dict), list(self.named_modules(remove_duplicate=False))
        missing, unexpected, errors = [], [], []
        for path, module in members:
            for hook, _ in module._hooks_of("load_pre"):
                hook(module, given, join(path, ""), {}, strict, missing, unexpected, errors)
        own = {join(path, name): (module, member) for path, module in members for name, member in module._state()}
        keys, wrong = compare_states({name: member for name, (_, member) in own.items()}, given)
        keys = Keys([*missing, *keys.missing_keys], [*unexpected, *keys.unexpected_keys])
        after = [(module, hook) for _, module in reversed(members) for hook, _ in module._hooks_of("load_post")]
        raise_mismatches(self, keys if strict and not after else Keys([], []), [*errors, *wrong])
        for name, (module, member) in own.items():
            if name in given and isinstance(member, Tensor):
                load_value(member, given[name], assign)
            elif name in given:
                module.set_extra_state(given[name])
        for module, hook in after:
            hook(module, keys)
        raise_mismatches(self, keys if strict else Keys([], []), [])
        return keys

    # Text

    def extra_repr(self) -> str:
        """Return the text that stands between the parentheses of a layer's repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        lines = self.extra_repr().splitlines()
        if not self._modules and len(lines) < 2:
            return f"{self._get_name()}({''.join(lines)})"
        lines += [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"
