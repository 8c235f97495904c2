"""Hooks before forward that compute a parameter from others: the older form of weight norm and spectral norm."""

from typing import Any

from ..hooks import HookList
from ..module import Module


def install_hook(module: Module, hook: Any, kind: type) -> Module:
    if any(isinstance(found, kind) and found.name == hook.name for found, _ in module._hooks_of("forward_pre")):
        raise RuntimeError(f"{kind.__name__}: {type(module).__name__}.{hook.name} has one already")
    if hook.name not in module._parameters:
        raise ValueError(f"{kind.__name__}: {type(module).__name__} has no parameter {hook.name!r}")
    hook.install(module)
    module.register_forward_pre_hook(hook)
    return module


def remove_hook(module: Module, name: str, kind: type) -> Module:
    hooks = (module._hooks or {}).get("forward_pre", HookList()).hooks
    for key, (hook, _) in hooks.items():
        if isinstance(hook, kind) and hook.name == name:
            hook.remove(module)
            del hooks[key]
            return module
    raise ValueError(f"{kind.__name__}: {type(module).__name__}.{name} has none")
