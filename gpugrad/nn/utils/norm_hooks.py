"""Hooks before forward that compute a parameter from others: the older form of weight norm and spectral norm."""

from typing import Any

from ...errors import OptionError
from ..module import Module


def install_hook(module: Module, hook: Any, kind: type) -> Module:
    """Let `hook`, of the class `kind`, compute its parameter before each forward of `module`; returns the module.

    Raises RuntimeError if a hook of this kind computes it already, and ValueError if there is no such parameter.
    """
    if any(isinstance(found, kind) and found.name == hook.name for found, _ in module._hooks_of("forward_pre")):
        raise RuntimeError(f"{kind.__name__}: {type(module).__name__}.{hook.name} has one already")
    if hook.name not in module._parameters:
        raise OptionError(f"{kind.__name__}: {type(module).__name__} has no parameter {hook.name!r}")
    hook.install(module)
    hook.handle = module.register_forward_pre_hook(hook)
    return module


def remove_hook(module: Module, name: str, kind: type) -> Module:
    """Undo `install_hook` for the parameter `name`; returns the module. Raises OptionError if there is no such hook."""
    for hook, _ in module._hooks_of("forward_pre"):
        if isinstance(hook, kind) and hook.name == name:
            hook.remove(module)
            hook.handle.remove()
            return module
    raise OptionError(f"{kind.__name__}: {type(module).__name__}.{name} has none")
