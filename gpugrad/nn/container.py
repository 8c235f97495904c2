"""Containers of modules and of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import groupby
from typing import Any, Self

from .module import Module
from .parameter import Parameter


class _IndexedModules(Module):
    """Holds submodules named "0", "1", ... in order."""

    def _set(self, modules: Iterable[Module]) -> None:
        self._modules.clear()
        for i, module in enumerate(modules):
            self.add_module(str(i), module)

    def _position(self, index: int, end: int) -> int:
        at = index + end if index < 0 else index
        if not 0 <= at < end:
            raise IndexError(f"index {index} is out of range for {len(self)} modules")
        return at

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is own for own in self)

    def _key(self, index: int) -> str:
        return list(self._modules)[self._position(index, len(self))]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._key(index), module)

    def append(self, module: Module) -> Self:
        """Add `module` at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end; returns the container."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put `module` before position `index`; returns the container."""
        modules = list(self)
        modules.insert(index, module)
        self._set(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove a module and return it."""
        modules = list(self)
        module = modules.pop(self._position(index, len(self)))
        self._set(modules)
        return module

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._set(modules)


class Sequential(_IndexedModules):
    """Calls modules one after the other. It takes modules, or one mapping of names to modules.

    Neighbours for which there is one op, as for Linear and ReLU, are called as one, unless they have hooks.

    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))(gg.ones((3, 4))).shape
    (3, 2)
    """

    def __init__(self, *args: Any):
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], Mapping) else enumerate(args)
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        modules, i = tuple(self._modules.values()), 0
        while i < len(modules):
            joined = modules[i]._joined_with(modules[i + 1]) if i + 1 < len(modules) else None
            input = modules[i](input) if joined is None else joined(input)
            i += 1 if joined is None else 2
        return input

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def __add__(self, other: Iterable[Module]) -> Sequential:
        return Sequential(*self, *other)

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list(self) * (times - 1))


class ModuleList(_IndexedModules):
    """Is a list of modules whose parameters are registered.

    >>> layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] | None = None):
        super().__init__()
        self.extend(() if modules is None else modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]

    def __add__(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *modules])

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Show neighbours with the same text once: "(0-2): 3 x Linear(...)"."""
        lines, start = [], 0
        for text, group in groupby(map(repr, self)):
            count = len(list(group))
            name = f"({start})" if count == 1 else f"({start}-{start + count - 1}): {count} x"
            lines.append(f"{name + ':' if count == 1 else name} {text}".replace("\n", "\n  "))
            start += count
        return f"{self._get_name()}(" + ("\n  " + "\n  ".join(lines) + "\n" if lines else "") + ")"


class ModuleDict(Module):
    """Is a dictionary of modules whose parameters are registered, in the order of insertion.

    >>> layers = nn.ModuleDict({"linear": nn.Linear(4, 4), "act": nn.ReLU()})
    >>> list(layers), layers["act"]
    (['linear', 'act'], ReLU())
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None):
        super().__init__()
        self.update(() if modules is None else modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules."""
        for name, module in dict(modules).items():
            self[name] = module

    def __getitem__(self, name: str) -> Module:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        del self._modules[name]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return pairs of name and module."""
        return self._modules.items()

    def pop(self, name: str) -> Module:
        """Remove a module and return it."""
        return self._modules.pop(name)

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()


class ParameterList(Module):
    """Is a list of parameters that are registered; Tensors become parameters, and modules (lists like this one) stay.

    >>> nn.ParameterList([gg.ones(2), gg.zeros(3)])[1].requires_grad
    True
    """

    def __init__(self, values: Iterable[Any] | None = None):
        super().__init__()
        self._size = 0
        self.extend(() if values is None else values)

    def append(self, value: Any) -> Self:
        """Add a parameter at the end; returns the list."""
        setattr(self, str(self._size), _member(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several parameters at the end; returns the list."""
        for value in list(values):
            self.append(value)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        return list(self)[index]

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(range(self._size)[index]), _member(value))

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(i)) for i in range(self._size))

    def extra_repr(self) -> str:
        return _listed(enumerate(self))


class ParameterDict(Module, MutableMapping):
    """Is a dictionary of parameters that are registered; Tensors become parameters, and modules (dictionaries) stay.

    >>> list(nn.ParameterDict({"scale": gg.ones(2), "shift": gg.zeros(2)}))
    ['scale', 'shift']
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None):
        super().__init__()
        self._names: dict[str, None] = {}  # in order, of both kinds
        self.update(() if parameters is None else parameters)

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return getattr(self, name)

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._names:
            setattr(self, name, _member(value))
            return
        member = _member(value)
        if isinstance(member, Module):
            self.register_module(name, member)
        else:
            self.register_parameter(name, member)
        self._names[name] = None

    def __delitem__(self, name: str) -> None:
        del self._names[name]
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def extra_repr(self) -> str:
        return _listed(self.items())

    def copy(self) -> ParameterDict:
        """Return another dictionary of the same parameters."""
        return ParameterDict(self)

    def __or__(self, other: Mapping[str, Any]) -> ParameterDict:
        return ParameterDict({**self, **other})

    def __ior__(self, other: Mapping[str, Any]) -> Self:
        self.update(other)
        return self


def _member(value: Any) -> Any:
    """`value` as what a list or dictionary of parameters registers."""
    return value if isinstance(value, (Parameter, Module)) else Parameter(value)


def _listed(members: Iterable[tuple[Any, Any]]) -> str:
    """Return a line for each parameter by its name: its dtype, size, and device if it is not the CPU."""
    lines = []
    for name, member in members:
        if isinstance(member, Module):
            lines.append(f"  ({name}): Object of type: {type(member).__name__}")
        else:
            size, where = "x".join(map(str, member.shape)), "" if member.device == "cpu" else f" ({member.device})"
            lines.append(f"  ({name}): Parameter containing: [{member.dtype.name} of size {size}{where}]")
    return "\n".join(lines)
