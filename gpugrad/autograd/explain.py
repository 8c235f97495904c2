"""Translate the errors of the array libraries and of Python into those of the op or function that was called.

Nothing is looked at before a call has failed, so a call that works costs nothing. Then an argument whose value its name
does not allow is the cause that is told; the words of the library come after that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..errors import DTypeError, GpugradError, LinAlgError, OptionError, OutOfRangeError, ShapeError
from .attributes import EXPLAINED, checks_of
from .signature import misfit, translated

if TYPE_CHECKING:
    from .op import Op

# The gpugrad error for each error of an array library; the first that fits counts.
_ERRORS = {
    np.linalg.LinAlgError: LinAlgError,
    ValueError: ShapeError,
    IndexError: OutOfRangeError,
    TypeError: DTypeError,
    AttributeError: DTypeError,
    ArithmeticError: OptionError,
}
# The words of Python and NumPy that say nothing of the call, and what is said instead.
_REWORDED = {
    re.compile(r"^zip\(\)"): "arguments that go together differ in their number of entries",
    re.compile(r"gufunc|core dimension"): "the shapes do not fit each other",
    re.compile(
        "object is not|not supported between|unhashable|has no attribute|unsupported operand|cannot be interpreted|"
        "only integer scalar|indices must be integers(?!, got)"  # the ops' own words go on with what they got
    ): "an argument has a type that does not fit",
}
_NO_CHECKS: Mapping[str, Callable] = {}
TOLD = tuple(_ERRORS)
_OURS = frozenset(("gpugrad", "numpy", "ml_dtypes", "cupy", "_operator")) | sys.stdlib_module_names
_NAMED = re.compile(r"[A-Za-z_][\w.]*(\(.*?\))?: ")  # a message that begins with who was called


def explain(op: Op, error: Exception, arrays: list, attributes: dict) -> Exception:
    """Return the gpugrad error for `error`, which `op` raised on these arrays; it names op, shapes and attributes."""
    checks = checks_of(op.name, op.__module__, op.attributes, EXPLAINED)
    defaults = op.signature.defaults
    names = [op.input_name(i) if not op.many else f"{op.inputs[0]}[{i}]" for i in range(len(arrays))]
    given = dict(zip(names, arrays, strict=True))
    axis, first = attributes.get("axis"), arrays[0] if arrays else None
    untold = isinstance(error, IndexError) and not isinstance(error, ValueError)  # NumPy's AxisError is both
    if untold and axis.__class__ is int and first is not None and axis >= first.ndim:
        return ShapeError(f"{op.name}: axis {axis} is outside shape {first.shape}")
    given |= {n: v for n, v in attributes.items() if v is not defaults.get(n) and not hasattr(v, "dtype")}
    return _translated_error(op.name, error, checks, attributes, given)


def _translated_error(name: str, error: Exception, checks: Mapping, checked: Mapping, shown: Mapping) -> Exception:
    """Return `error` as one of `name`: the argument among `checked` that is not allowed, else the error's own words
    and the arguments `shown`. Our own errors stay as they are if they name who raised them."""
    if isinstance(error, GpugradError):
        return error if _NAMED.match(str(error)) else type(error)(f"{name}: {error}")
    try:
        for argument, value in checked.items():
            check = checks.get(argument)
            if check is not None:
                check(name, argument, value)
    except OptionError as cause:
        return cause
    given = ", ".join([_shown(n, v) for n, v in shown.items() if v is not None])
    if isinstance(error, IndexError) and "integer (or boolean) type" in str(error):
        return DTypeError(f"{name}: indices must be integers, or a mask of bools; got {given}")
    kind = next(kind for base, kind in _ERRORS.items() if isinstance(error, base))
    words = next((ours for theirs, ours in _REWORDED.items() if theirs.search(str(error))), str(error))
    return kind(f"{name}: {words}; got {given}" if given else f"{name}: {words}")


def _shown(name: str, value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{name} {tuple(value.shape)} {value.dtype}"
    return f"{name}={value!r}"


def told(
    function: Callable, checks: Mapping[str, Callable | None] = EXPLAINED, options: Mapping[str, Callable] = _NO_CHECKS
) -> Callable:
    """Return `function` with errors that name it and its argument, also called under PyTorch's names of parameters.

    checks: argument -> what it may be, looked at when a call fails. options: those that are checked before, in calls
    by keyword.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name in options:
                options[name](call.__name__, name, kwargs[name])
        try:
            return function(*args, **kwargs)
        except TOLD as caught:
            error = caught
        return retell(function, call.__name__, error, checks, args, kwargs)

    return call


def retell(
    function: Callable, name: str, error: Exception, checks: Mapping[str, Callable | None], args: tuple, kwargs: dict
) -> Any:
    """Raise the error of a call as one of `name`; a call that is right under PyTorch's names of parameters is made."""
    import inspect

    if not _only_ours(error):
        raise error
    if isinstance(error, GpugradError) and not isinstance(error, DTypeError):
        _raise(_translated_error(name, error, {}, {}, {}), error)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function of C
        _raise(_translated_error(name, error, checks, kwargs, {}), error)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        meant = {translated(n, signature.parameters): v for n, v in kwargs.items()}
        if meant.keys() != kwargs.keys() and len(meant) == len(kwargs):
            return told(function, checks)(*args, **meant)
        raise misfit(name, signature, args, meant) from None
    shown = {n: v for n, v in bound.arguments.items() if signature.parameters[n].default is not v}
    shown.pop("self", None)
    _raise(_translated_error(name, error, checks, bound.arguments, shown), error)


def _only_ours(error: Exception) -> bool:
    """Whether `error` arose in this library or below it, not in a function of the user that it called."""
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _OURS:
            return False
        step = step.tb_next
    return True


def _raise(told: Exception, error: Exception) -> NoReturn:
    if told is error:
        raise error
    raise told from error
