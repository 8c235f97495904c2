"""Switches of the autograd graph, one set per thread."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any


class _Mode(threading.local):
    grad = True  # record ops for backward
    inference = False  # no_grad, and results can never be recorded later
    anomaly = False  # check every gradient for NaN
    autocast: Any = None  # the Region (see autocast.py) whose policy casts the inputs of ops


mode = _Mode()


class _Switch:
    """Sets attributes of `mode` inside a `with` block or a decorated function."""

    def __init__(self, **settings: Any):
        self._settings = settings
        self._saved: list[dict[str, Any]] = []

    def __enter__(self) -> None:
        self._saved.append({name: getattr(mode, name) for name in self._settings})
        vars(mode).update(self._settings)

    def __exit__(self, *exc: object) -> None:
        vars(mode).update(self._saved.pop())

    def __call__(self, function: Callable) -> Callable:
        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.__class__.__new__(self.__class__)._like(self):
                return function(*args, **kwargs)

        return inside

    def _like(self, other: "_Switch") -> "_Switch":
        _Switch.__init__(self, **other._settings)
        return self


class no_grad(_Switch):
    """Records nothing inside a `with` block or a decorated function: results do not require gradients.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(grad=False)


class enable_grad(_Switch):
    """Records again, inside `no_grad`.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad(), gg.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(grad=True)


class set_grad_enabled(_Switch):
    """Records or not, as `enabled` says; it takes effect at once and is undone at the end of a `with` block.

    >>> with gg.set_grad_enabled(False):
    ...     print(gg.is_grad_enabled())
    False
    """

    def __init__(self, enabled: bool):
        super().__init__(grad=bool(enabled))
        self._before = mode.grad
        mode.grad = bool(enabled)

    def __enter__(self) -> None:
        self._saved.append({"grad": self._before})
        mode.grad = self._settings["grad"]


class inference_mode(_Switch):
    """Records nothing, for code whose results never meet a gradient: they cannot require one later.

    >>> with gg.inference_mode():
    ...     print(gg.is_inference_mode_enabled())
    True
    """

    def __init__(self, enabled: bool = True):
        super().__init__(inference=enabled, grad=mode.grad and not enabled)


class detect_anomaly(_Switch):
    """Makes backward raise AnomalyError at the first NaN gradient; the error names the op and the line that made it.

    >>> x = gg.ones(1, requires_grad=True)
    >>> with gg.detect_anomaly():
    ...     (x * float("nan")).backward()
    Traceback (most recent call last):
        ...
    gpugrad.errors.AnomalyError: ...multiply...
    """

    def __init__(self) -> None:
        super().__init__(anomaly=True)


def is_grad_enabled() -> bool:
    """Return whether ops are recorded now.

    >>> gg.is_grad_enabled()
    True
    """
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on.

    >>> gg.is_inference_mode_enabled()
    False
    """
    return mode.inference
