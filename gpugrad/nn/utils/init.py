"""Modules without start values."""

from typing import Any, TypeVar

from ...errors import DTypeError
from ..init import skip_filling
from ..module import Module

AnyModule = TypeVar("AnyModule", bound=Module)


def skip_init(module_cls: type[AnyModule], *args: Any, **kwargs: Any) -> AnyModule:
    """Return `module_cls(*args, **kwargs)` with parameters and buffers that are not set yet, for values that are loaded
    later.

    No random numbers are drawn and no memory is filled. Raises TypeError unless module_cls is a class of modules.

    >>> nn.utils.skip_init(nn.Linear, 4, 3).weight.shape
    (3, 4)
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise DTypeError(f"skip_init: expected a subclass of Module, got {module_cls!r}")
    with skip_filling():
        return module_cls(*args, **kwargs)
