"""Parametrizations: an attribute of a module that is computed, at each access, from other parameters.

The module gets a submodule `parametrizations`, which holds what each attribute is computed from under PyTorch's names:
`parametrizations.weight.original` (or original0, original1, ...) and the parametrizations "0", "1", ... . The module's
class stays what it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ..container import ModuleDict, ModuleList
from ..members import ComputedAttributes
from ..module import Module
from ..parameter import Parameter
from ..state_dict import set_data

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip


class _Cached(threading.local):
    values: dict[tuple[int, str], Any] | None = None  # of this thread, while it is inside of `cached`


_cached = _Cached()


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized attribute once inside the block; parameters must not change meanwhile."""
    outer = _cached.values
    _cached.values = {} if outer is None else outer
    try:
        yield
    finally:
        _cached.values = outer


class ParametrizationList(ModuleList):
    """Holds the parametrizations of one attribute, and the tensors that the first of them is applied to."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False):
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            start = self._originals_of(original)
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if self.is_tensor else len(start)
        for name, tensor in zip(self._names(), [start] if self.is_tensor else start, strict=True):
            if not isinstance(original, Parameter):
                self.register_buffer(name, tensor)
            elif self.is_tensor:  # stays the same object, which an optimizer may hold
                set_data(original, tensor.detach())
                self.register_parameter(name, original)
            else:
                self.register_parameter(name, Parameter(tensor.detach(), original.requires_grad))
        if not unsafe and tuple(self().shape) != tuple(original.shape):
            raise ShapeError(f"the parametrization changes the shape {original.shape} to {self().shape}")

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _originals_of(self, value: Tensor) -> Any:
        """Return what the parametrizations turn into `value`, as far as their `right_inverse` says."""
        start: Any = value
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                try:
                    start = module.right_inverse(start)
                except NotImplementedError:
                    continue
        return start

    def right_inverse(self, value: Tensor) -> None:
        """Change the originals so that the attribute becomes `value`."""
        with no_grad():
            start = self._originals_of(value)
            for name, tensor in zip(self._names(), [start] if self.is_tensor else start, strict=True):
                set_data(getattr(self, name), tensor.detach())

    def forward(self) -> Tensor:
        first, *others = self
        value = first(*(getattr(self, name) for name in self._names()))
        for module in others:
            value = module(value)
        return value


class _Parametrizations(ModuleDict, ComputedAttributes):
    """Holds the parametrizations of a module's attributes, by name."""

    def _get_name(self) -> str:
        return "ModuleDict"

    def value(self, name: str) -> Tensor:
        values = _cached.values
        if values is None:
            return self[name]()
        key = (id(self), name)
        if key not in values:
            values[key] = self[name]()
        return values[key]

    def assign(self, name: str, value: Any) -> None:
        self[name].right_inverse(value)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether the attribute `tensor_name` (or any) of `module` is parametrized."""
    found = module._modules.get(ComputedAttributes.NAME)
    return isinstance(found, _Parametrizations) and (tensor_name is None or tensor_name in found)


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute the parameter or buffer `tensor_name` of `module` by `parametrization(original)` from now on.

    If the parametrization has a `right_inverse`, the original becomes right_inverse(value); a sequence of tensors makes
    several originals, which are its arguments. Another one for the same attribute is applied after those before. With
    unsafe the shape may change. Returns the module. Raises OptionError if there is no such parameter or buffer, and
    ShapeError for another shape.

    >>> class Symmetric(nn.Module):
    ...     def forward(self, weight):
    ...         return weight + weight.T
    >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        value = getattr(module, tensor_name)
        if not unsafe and tuple(parametrization(value).shape) != tuple(value.shape):
            raise ShapeError(f"{type(parametrization).__name__} changes the shape {value.shape} of {tensor_name!r}")
        parametrizations = module.parametrizations[tensor_name]
        parametrizations.append(parametrization)
        parametrizations.unsafe |= unsafe
        parametrizations.right_inverse(value)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise OptionError(f"{type(module).__name__} has no parameter or buffer {tensor_name!r} to parametrize")
    made = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.parametrizations = _Parametrizations()
    module.parametrizations[tensor_name] = made
    return module


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make `tensor_name` an ordinary parameter or buffer again, with its present value.

    With leave_parametrized=False it gets the original's value. Returns the module. Raises OptionError if it is not
    parametrized, or has several originals and leave_parametrized is False.
    """
    if not is_parametrized(module, tensor_name):
        raise OptionError(f"{type(module).__name__} has no parametrization of {tensor_name!r}")
    parametrizations = module.parametrizations[tensor_name]
    if not parametrizations.is_tensor and not leave_parametrized:
        raise OptionError(f"{tensor_name!r} has {parametrizations.ntensors} originals: no one value to leave it with")
    value = parametrizations().detach() if leave_parametrized else None
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
    trained = parametrizations._parameters
    if parametrizations.is_tensor:
        value, found = parametrizations.original, value
        if found is not None:
            set_data(value, found)
    elif trained:
        value = Parameter(value, any(p.requires_grad for p in trained.values()))
    (module.register_parameter if trained else module.register_buffer)(tensor_name, value)
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the module's class, which parametrizations do not change."""
    return type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Parametrize `to_module` like `from_module`, with the same parametrization modules and copies of the originals."""
    if not is_parametrized(from_module):
        return to_module
    for name in [tensor_name] if tensor_name is not None else list(from_module.parametrizations):
        source = from_module.parametrizations[name]
        for parametrization in source:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        target = to_module.parametrizations[name]
        for original in source._names():
            set_data(getattr(target, original), getattr(source, original).detach().clone())
    return to_module
