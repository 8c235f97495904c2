"""Switches of the autograd graph, one set per thread."""

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any

from .stepwise import decorated


class _Mode(threading.local):
    grad = True  # record ops for backward
    inference = False  # no_grad, and results can never be recorded later
    anomaly = False  # check every gradient for NaN
    autocast: Any = None  # the Region (see autocast.py) whose policy casts the inputs of ops

    def snapshot(self) -> dict[str, Any]:
        """Return all of them, as the arguments of a Switch."""
        return {name: getattr(self, name) for name in ("grad", "inference", "anomaly", "autocast")}


mode = _Mode()


class Switch:
    """Sets attributes of `mode` inside a `with` block or a decorated function, for the thread that runs it.

    A switch that needs no arguments decorates with or without brackets. A decorated generator or coroutine has its
    setting while it runs, and whoever waits for it between two steps keeps their own.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and callable(args[0]):
            return cls()(args[0])
        return super().__new__(cls)

    def __init__(self, **settings: Any):
        self._settings = settings
        self._outside: dict[int, Any] = {}  # by thread, as several may be inside of one object

    def __enter__(self) -> Any:
        settings = self._inside()
        before = {name: getattr(mode, name) for name in settings}
        vars(mode).update(settings)
        self._keep(before)

    def __exit__(self, *exc: object) -> None:
        before, outer = self._outside.pop(get_ident())
        vars(mode).update(before)
        if outer is not None:
            self._outside[get_ident()] = outer

    def __call__(self, function: Callable) -> Callable:
        return decorated(function, self)

    def _inside(self) -> dict[str, Any]:
        """Return the settings of the block that is entered now."""
        return self._settings

    def _keep(self, before: dict[str, Any]) -> None:
        """Keep what `__exit__` puts back; the object may be entered again inside of its block."""
        self._outside[get_ident()] = before, self._outside.get(get_ident())


class _GradSwitch(Switch):
    """Sets `mode.grad`, which stays off in inference mode."""

    def __init__(self, enabled: bool):
        super().__init__(grad=bool(enabled))

    def _inside(self) -> dict[str, Any]:
        return {"grad": self._settings["grad"] and not mode.inference}


class no_grad(_GradSwitch):
    """Record nothing: results do not require gradients.

    >>> @gg.no_grad()
    ... def double(x):
    ...     return x + x
    >>> double(gg.ones(2, requires_grad=True)).requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_GradSwitch):
    """Record again, inside `no_grad` (not inside `inference_mode`)."""

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_GradSwitch):
    """Record or not, as `enabled` says; takes effect at once and is undone at the end of a `with` block.

    As a decorator it takes effect only inside of the function.
    """

    def __init__(self, enabled: bool):
        super().__init__(enabled)
        self._before = {"grad": mode.grad}
        vars(mode).update(self._inside())

    def __enter__(self) -> None:
        vars(mode).update(self._inside())
        self._keep(self._before)

    def __call__(self, function: Callable) -> Callable:
        vars(mode).update(self._before)
        return decorated(function, _GradSwitch(self._settings["grad"]))


class inference_mode(Switch):
    """`no_grad` for code whose results never meet a gradient: they cannot require one later.

    With enabled=False, gradients are recorded again.
    """

    def __init__(self, enabled: bool = True):
        super().__init__(inference=bool(enabled), grad=not enabled)


class detect_anomaly(Switch):
    """Make backward raise AnomalyError at the first NaN gradient, naming the op and the line that made it."""

    def __init__(self) -> None:
        super().__init__(anomaly=True)


def is_grad_enabled() -> bool:
    """Whether ops are recorded now."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on."""
    return mode.inference
