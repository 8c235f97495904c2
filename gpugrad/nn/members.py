"""The members of a Module: parameters, buffers and submodules under their names, and the walks over them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from ..autograd.tensor import Tensor
from ..errors import DTypeError, OptionError
from .parameter import Buffer, Parameter


class ComputedAttributes:
    """Stands in a module under NAME and computes some of its attributes from other parameters."""

    NAME = "parametrizations"

    def __contains__(self, name: object) -> bool:
        raise NotImplementedError

    def value(self, name: str) -> Any:
        """Return the attribute `name` of the module."""
        raise NotImplementedError

    def assign(self, name: str, value: Any) -> None:
        """Change what the attribute `name` is computed from, so that it becomes `value`."""
        raise NotImplementedError


class MemberRegistry:
    """Keeps what is assigned to its attributes in one dictionary per kind, in the order of assignment."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent: set[str]

    def __init__(self) -> None:
        vars(self).update(training=True, _parameters={}, _buffers={}, _modules={}, _non_persistent=set())

    def __getattr__(self, name: str) -> Any:
        # Runs only where ordinary lookup fails. The dictionaries themselves are missing while a copy is being built.
        for kind in _KINDS:
            members = self.__dict__.get(kind)
            if members is not None and name in members:
                return members[name]
        computed = self._computed(name)
        if computed is not None:
            return computed.value(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _computed(self, name: str) -> ComputedAttributes | None:
        """Return what computes the attribute `name` (see `utils.parametrize`), or None if it is an ordinary one."""
        computed = self.__dict__.get("_modules", {}).get(ComputedAttributes.NAME)
        return computed if isinstance(computed, ComputedAttributes) and name in computed else None

    def __setattr__(self, name: str, value: Any) -> None:
        members = vars(self)
        computed = self._computed(name)
        if computed is not None:
            computed.assign(name, value)
            return
        if isinstance(value, (Parameter, MemberRegistry)):
            if "_modules" not in members:
                raise AttributeError(
                    f"{type(self).__name__}: call super().__init__() before assigning parameters or modules"
                )
            kind = "_parameters" if isinstance(value, Parameter) else "_modules"
            for other in (members, *(members[k] for k in _KINDS if k != kind)):
                other.pop(name, None)
            if isinstance(value, Parameter):
                self.register_parameter(name, value)
            else:
                self.register_module(name, value)
            return
        if isinstance(value, Buffer):
            members.pop(name, None)
            self.register_buffer(name, value, getattr(value, "persistent", True))
            return
        for kind, expected in _KINDS.items():
            if name in members.get(kind, ()):
                if value is not None and not isinstance(value, expected):
                    raise DTypeError(f"{name!r} is a {kind[1:-1]} and cannot become a {type(value).__name__}")
                members[kind][name] = value
                return
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in vars(self)[kind]:
                del vars(self)[kind][name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        computed = self._modules.get(ComputedAttributes.NAME, ())
        return [*super().__dir__(), *self._parameters, *self._buffers, *self._modules, *computed]

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter as attribute `name`; None reserves the name."""
        self._check_name(name, param, Parameter, self._parameters)
        if param is not None and not param.is_leaf:
            raise OptionError(f"register_parameter: {name!r} was made by a recorded op; a parameter must be a leaf")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is part of the state but is not trained; `persistent=False` keeps it out of state_dict."""
        self._check_name(name, tensor, Tensor, self._buffers)
        self._buffers[name] = tensor
        (self._non_persistent.discard if persistent else self._non_persistent.add)(name)

    def add_module(self, name: str, module: MemberRegistry | None) -> None:
        """Add a submodule as attribute `name`."""
        self._check_name(name, module, MemberRegistry, self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, name: str, value: Any, expected: type, members: dict) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(
                f"a {expected.__name__.lower()}'s name must be a non-empty string without dots, got {name!r}"
            )
        if hasattr(self, name) and name not in members:
            raise KeyError(f"{type(self).__name__} has an attribute {name!r} already")
        if value is not None and not isinstance(value, expected):
            raise DTypeError(f"{name!r}: expected a {expected.__name__} or None, got {type(value).__name__}")

    # Walking

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Self]]:
        """Yield this module and all below it with dotted names, each once (unless `remove_duplicate` is False)."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Self]:
        """Return an iterator over this module and all below it, each once (unless `remove_duplicate` is False)."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Self]]:
        """Yield the direct submodules with their names, each once."""
        seen: set = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Self]:
        """Return an iterator over the direct submodules, each once."""
        return (module for _, module in self.named_children())

    def _members(self, kind: str) -> dict[str, Any]:
        """Return this module's own members of one kind."""
        return getattr(self, kind)

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in owners:
            for name, member in module._members(kind).items():
                if member is None or member in seen:
                    continue
                if remove_duplicate:
                    seen.add(member)
                yield join(path, name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Return an iterator over all parameters with their dotted names; a shared one comes once, under its first
        name."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Return an iterator over all parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Return an iterator over all buffers with their dotted names, each once."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Return an iterator over all buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> MemberRegistry:
        """Return the module of the dotted name `target`; "" is this one. Raises AttributeError if there is none."""
        module = self
        for name in target.split(".") if target else ():
            found = getattr(module, name)
            if not isinstance(found, MemberRegistry):
                raise AttributeError(f"{name!r} in {target!r} is not a Module but a {type(found).__name__}")
            module = found
        return module

    def set_submodule(self, target: str, module: MemberRegistry, strict: bool = False) -> None:
        """Put `module` at the dotted name `target`; with `strict` there must be one already. Raises AttributeError
        otherwise."""
        if not target or not isinstance(module, MemberRegistry):
            raise OptionError(
                f"set_submodule: expected a name and a Module, got {target!r} and {type(module).__name__}"
            )
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if not isinstance(getattr(parent, name, module), MemberRegistry) or strict and not hasattr(parent, name):
            raise AttributeError(f"set_submodule: {type(parent).__name__} has no module {name!r}")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of the dotted name `target`. Raises AttributeError if there is none."""
        return self._get(target, "_parameters")

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of the dotted name `target`. Raises AttributeError if there is none."""
        return self._get(target, "_buffers")

    def _get(self, target: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in getattr(module, kind):
            raise AttributeError(f"{type(module).__name__} has no {kind[1:-1]} {name!r}")
        return getattr(module, kind)[name]


_KINDS: dict[str, type] = {"_parameters": Parameter, "_buffers": Tensor, "_modules": MemberRegistry}


def join(path: str, name: str) -> str:
    """Return the dotted name of `name` below `path`."""
    return f"{path}.{name}" if path else name
