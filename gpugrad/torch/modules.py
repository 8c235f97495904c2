"""Layers in PyTorch's language: the classes of `gpugrad.nn`, whose parameters, buffers and layers speak PyTorch.

Every class of modules has a twin, made when it is first asked for, which derives from it and from the twins of its
bases and adds nothing but the language: what is assigned to its attributes is adopted. An adopted Parameter, buffer or
layer is the same object, whose class becomes the twin. So the layers that a layer of `gpugrad.nn` makes inside of
itself speak PyTorch as well, and `isinstance(x, nn.Linear)` holds in both languages.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from .. import nn
from ..autograd.tensor import Tensor as NumPyTensor
from ..nn.loss import _Loss
from ..nn.parameter import Buffer as NumPyBuffer
from ..nn.parameter import Parameter as NumPyParameter
from ..ops.creation import zeros
from .language import Tensor, passed_through


class Parameter(Tensor, NumPyParameter):
    """A leaf that requires gradients and that a Module registers; it speaks PyTorch."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Any:
        return NumPyParameter.__new__(cls, zeros(0) if data is None else data, requires_grad)

    __repr__ = NumPyParameter.__repr__


class Buffer(Tensor, NumPyBuffer):
    """A Tensor that a Module registers as a buffer; it speaks PyTorch."""

    __slots__ = ()

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Any:
        return NumPyBuffer.__new__(cls, zeros(0) if data is None else data, persistent)


class Module(nn.Module):
    """The base of layers and networks, as in PyTorch; all that is assigned to its attributes speaks PyTorch."""

    def register_parameter(self, name: str, param: Any) -> None:
        """Add a parameter as attribute `name`; None reserves the name."""
        super().register_parameter(name, adopt(param))

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a Tensor that is part of the state but is not trained."""
        super().register_buffer(name, adopt(tensor), persistent)

    def add_module(self, name: str, module: Any) -> None:
        """Add a submodule as attribute `name`."""
        super().add_module(name, adopt(module))

    register_module = add_module

    def to(self, *args: Any, memory_format: Any = None, **kwargs: Any) -> Any:
        """Move parameters and buffers to a device, to a dtype, or both; where memory lies is gpugrad's choice."""
        return super().to(*args, **kwargs)

    def share_memory(self) -> Any:
        """Return this module; processes that are to share it are given its state."""
        return self

    def register_backward_hook(self, hook: Callable) -> Any:
        """Call `hook(module, grad_input, grad_output)` in backward: `register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)


_TENSORS: dict[type, type] = {NumPyTensor: Tensor, NumPyParameter: Parameter, NumPyBuffer: Buffer}


def adopt(value: Any) -> Any:
    """Let a Tensor, Parameter or Module, with all that is in it, speak PyTorch; returns it."""
    kind = type(value)
    if kind in _TENSORS:
        value.__class__ = _TENSORS[kind]
    elif isinstance(value, nn.Module) and not isinstance(value, Module):
        if kind.__module__.startswith("gpugrad."):
            value.__class__ = twin(kind)
        for member in [*value._parameters.values(), *value._buffers.values(), *value._modules.values()]:
            adopt(member)
    return value


@cache
def twin(cls: type) -> type:
    """Return the class of a gpugrad's modules that speaks PyTorch."""
    if cls is nn.Module:
        return Module
    if not issubclass(cls, nn.Module):
        return _TENSORS.get(cls, cls)
    bases = [cls, *[twin(base) for base in cls.__bases__ if issubclass(base, nn.Module)]]
    names: dict[str, Any] = {"__module__": "gpugrad.torch.nn", "__doc__": cls.__doc__, "_shared": cls}
    if isinstance(vars(cls).get("layer"), type):  # what a lazy layer becomes
        names["layer"] = twin(vars(cls)["layer"])
    if issubclass(cls, _Loss) and "__init__" in vars(cls):
        names["__init__"] = _with_legacy_words(vars(cls)["__init__"])
    return type(cls.__name__, tuple(bases), names)


def reduction_of(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a loss with PyTorch's old words, size_average and reduce, as `reduction`."""
    average, reduce = kwargs.pop("size_average", None), kwargs.pop("reduce", None)
    if average is not None or reduce is not None:
        kwargs["reduction"] = "none" if reduce is False else "sum" if average is False else "mean"
    return kwargs


def _with_legacy_words(construct: Callable) -> Callable:
    @wraps(construct)
    def construct_loss(self: Any, *args: Any, **kwargs: Any) -> None:
        construct(self, *args, **reduction_of(kwargs))

    return construct_loss


def in_torch(value: Any) -> Any:
    """Return what a name of `gpugrad.nn` is in PyTorch's language."""
    return twin(value) if isinstance(value, type) else passed_through(value)
