"""Hooks of optimizers: functions that are called before and after a step, and around saving and loading of state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

from ..autograd.tensor import Handle

_keys = count()


class HookList:
    """A list of functions, in the order in which they are called."""

    def __init__(self) -> None:
        self.hooks: dict[int, Callable] = {}

    def add(self, hook: Callable, prepend: bool = False) -> Handle:
        """Register `hook` behind the others, or in front of them with `prepend`."""
        entry = {next(_keys): hook}
        self.hooks = {**entry, **self.hooks} if prepend else {**self.hooks, **entry}
        return Handle(self, *entry)

    def call(self, *args: Any) -> Any:
        """Call all hooks and return the last argument, which each hook may replace by returning another one."""
        *first, last = args
        for hook in list(self.hooks.values()):
            result = hook(*first, last)
            last = last if result is None else result
        return last


class OptimizerHooks:
    """The part of an optimizer that registers hooks and calls them around `step`, which a subclass may define anew.

    >>> optimizer = gg.optim.SGD([gg.ones(1, requires_grad=True)])
    >>> handle = optimizer.register_step_post_hook(lambda optimizer, args, kwargs: print("stepped"))
    >>> optimizer.step()
    stepped
    >>> handle.remove()
    >>> optimizer.step()
    """

    def __init__(self) -> None:
        self._hooks: defaultdict[str, HookList] = defaultdict(HookList)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in vars(cls):
            setattr(cls, "step", _with_hooks(vars(cls)["step"]))  # noqa: B010

    def register_step_pre_hook(self, hook: Callable) -> Handle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other (args, kwargs)."""
        return self._hooks["before step"].add(hook)

    def register_step_post_hook(self, hook: Callable) -> Handle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return self._hooks["after step"].add(hook)

    def register_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(optimizer)` before state_dict()."""
        return self._hooks["before state_dict"].add(lambda optimizer: hook(optimizer), prepend)

    def register_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(optimizer, state_dict)` after state_dict(); it may return another one."""
        return self._hooks["after state_dict"].add(hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(optimizer, state_dict)` before load_state_dict(); it may return another one."""
        return self._hooks["before load"].add(hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable, prepend: bool = False) -> Handle:
        """Call `hook(optimizer)` after load_state_dict()."""
        return self._hooks["after load"].add(hook, prepend)


def _with_hooks(step: Callable) -> Callable:
    """Return `step` with its hooks before and after it. It also notes that it was called, which schedulers ask for."""

    @wraps(step)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._hooks:
            result = step(self, *args, **kwargs)
        else:
            for hook in list(self._hooks["before step"].hooks.values()):
                args, kwargs = hook(self, args, kwargs) or (args, kwargs)
            result = step(self, *args, **kwargs)
            for hook in list(self._hooks["after step"].hooks.values()):
                hook(self, args, kwargs)
        self._opt_called = True
        return result

    return call
