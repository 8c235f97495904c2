"""The switches of the autograd graph: whether ops are recorded, whether gradients are checked. Each thread has its
own."""

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
    """A context manager and decorator that sets attributes of `mode` and restores them at the end."""

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
    """A context in which nothing is recorded: results do not require gradients. It is a decorator, too.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(grad=False)


class enable_grad(_Switch):
    """A context in which ops are recorded, even inside `no_grad`. It is a decorator, too.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad(), gg.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(grad=True)


class set_grad_enabled(_Switch):
    """A switch that starts or stops recording at once; as a `with` block it restores the old state at the end.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad, gg.is_grad_enabled()
    (False, True)
    """

    def __init__(self, enabled: bool):
        super().__init__(grad=bool(enabled))
        self._before = mode.grad
        mode.grad = bool(enabled)

    def __enter__(self) -> None:
        self._saved.append({"grad": self._before})
        mode.grad = self._settings["grad"]


class inference_mode(_Switch):
    """A context like `no_grad` for results that no gradient will ever meet: they cannot require one later either.

    >>> with gg.inference_mode():
    ...     y = gg.ones(2)
    ...     print(gg.is_inference_mode_enabled())
    True
    """

    def __init__(self, enabled: bool = True):
        super().__init__(inference=enabled, grad=mode.grad and not enabled)


class detect_anomaly(_Switch):
    """A context in which backward raises AnomalyError at the first NaN gradient, naming the op and where it was called.

    >>> x = gg.zeros(1, requires_grad=True)
    >>> with np.errstate(all="ignore"), gg.detect_anomaly():
    ...     (x / x).sum().backward()
    Traceback (most recent call last):
    gpugrad.errors.AnomalyError: ...
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
