"""`gpugrad.distributions` in PyTorch's language: samples and densities speak PyTorch, also those of plain numbers."""

from __future__ import annotations

import inspect
from functools import cache, wraps
from typing import Any

from .language import passed_through, passing, speak, speaking


@cache
def twin(cls: type) -> type:
    """Return a class of distributions whose methods and properties speak PyTorch."""
    names: dict[str, Any] = {"__module__": __name__, "__doc__": cls.__doc__}
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            names[name] = speaking(member)
        elif isinstance(member, property) and member.fget is not None:
            names[name] = property(speaking(member.fget))

    @wraps(cls.__init__)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        cls.__init__(self, *args, **kwargs)
        speak(vars(self), args)

    return type(cls.__name__, (cls,), {**names, "__init__": construct})


def in_torch(value: Any) -> Any:
    """Return what a name of `gpugrad.distributions` is in PyTorch's language."""
    return twin(value) if isinstance(value, type) and not issubclass(value, Exception) else passed_through(value)


_find = passing(__name__, "gpugrad.distributions", adapt=in_torch)


def __getattr__(name: str) -> Any:
    return _find(name)
