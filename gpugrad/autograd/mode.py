"""The switches of the autograd graph: whether ops are recorded, whether gradients are checked. Each thread has its
own."""

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any, ParamSpec, TypeVar

from .stepwise import decorated

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class _Mode(threading.local):
    grad = True  # record ops for backward
    inference = False  # no_grad, and results can never be recorded later
    anomaly = False  # check every gradient for NaN
    batch: Any = None  # the innermost Level of vmap (see batching) in which this thread computes
    autocast: Any = None  # the Region (see autocast.py) whose policy casts the inputs of ops
    callbacks: list | None = None  # what `backward`, which runs now, calls when it is done; None: it does not run

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

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
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
    """A context in which nothing is recorded: results do not require gradients. It is a decorator, too.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_GradSwitch):
    """A context in which ops are recorded, even inside `no_grad`, but not inside `inference_mode`.

    It is a decorator, too.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.no_grad(), gg.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_GradSwitch):
    """A switch that starts or stops recording at once; as a `with` block it restores the old state at the end.

    As a decorator it takes effect only inside of the function.

    >>> x = gg.ones(2, requires_grad=True)
    >>> with gg.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad, gg.is_grad_enabled()
    (False, True)
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
    """A context like `no_grad` for results that no gradient will ever meet: they cannot require one later either.

    With enabled=False, ops are recorded again.

    >>> with gg.inference_mode():
    ...     y = gg.ones(2)
    ...     print(gg.is_inference_mode_enabled())
    True
    """

    def __init__(self, enabled: bool = True):
        super().__init__(inference=bool(enabled), grad=not enabled)


class detect_anomaly(Switch):
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
