"""Checks of arguments, in the words that every error of the house uses: who was called, the argument, what is allowed.

Each check takes the name of the function or layer, that of the argument, and its value, and returns the value. It
raises OptionError if the value is not allowed. Public functions check once, before any work, and what they call trusts
them.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from .errors import OptionError

_INTS = (int, np.integer)
_NUMBERS = (int, float, np.integer, np.floating)


def refuse(op: str, name: str, value: Any, allowed: str) -> OptionError:
    """Return the error for an argument whose value is not allowed."""
    return OptionError(f"{op}: {name} must be {allowed}, got {value!r}")


def integer(op: str, name: str, value: Any) -> Any:
    """Any integer."""
    if value.__class__ is not int and not isinstance(value, _INTS):
        raise refuse(op, name, value, "an integer")
    return value


def positive_int(op: str, name: str, value: Any) -> Any:
    """An integer of at least 1."""
    if not isinstance(value, _INTS) or value < 1:
        raise refuse(op, name, value, "a positive integer")
    return value


def non_negative_int(op: str, name: str, value: Any) -> Any:
    """An integer of at least 0."""
    if not isinstance(value, _INTS) or value < 0:
        raise refuse(op, name, value, "an integer of at least 0")
    return value


def number(op: str, name: str, value: Any) -> Any:
    """Any number; NaN is none."""
    if not isinstance(value, _NUMBERS) or value != value:
        raise refuse(op, name, value, "a number")
    return value


def number_or_nan(op: str, name: str, value: Any) -> Any:
    """Any number, and NaN."""
    if not isinstance(value, _NUMBERS):
        raise refuse(op, name, value, "a number")
    return value


def positive(op: str, name: str, value: Any) -> Any:
    """A number above 0."""
    if not isinstance(value, _NUMBERS) or not value > 0:
        raise refuse(op, name, value, "a positive number")
    return value


def non_negative(op: str, name: str, value: Any) -> Any:
    """A number of at least 0."""
    if not isinstance(value, _NUMBERS) or not value >= 0:
        raise refuse(op, name, value, "a number of at least 0")
    return value


def not_zero(op: str, name: str, value: Any) -> Any:
    """Any number but 0."""
    if not isinstance(value, _NUMBERS) or value == 0 or value != value:
        raise refuse(op, name, value, "a number other than 0")
    return value


def fraction(op: str, name: str, value: Any) -> Any:
    """A number from 0 to 1, both included."""
    if not isinstance(value, _NUMBERS) or not 0 <= value <= 1:
        raise refuse(op, name, value, "a number from 0 to 1")
    return value


def flag(op: str, name: str, value: Any) -> Any:
    """True or False, or 1 or 0."""
    if value is not True and value is not False:
        if not isinstance(value, (int, np.integer, np.bool_)) or value not in (0, 1):
            raise refuse(op, name, value, "True or False")
    return value


def text(op: str, name: str, value: Any) -> Any:
    """A string."""
    if not isinstance(value, str):
        raise refuse(op, name, value, "a string")
    return value


def one_of(op: str, name: str, value: Any, allowed: Collection[Any]) -> Any:
    """One of the allowed values."""
    if value not in allowed:
        *most, last = map(repr, allowed)
        raise refuse(op, name, value, f"{', '.join(most)} or {last}" if most else last)
    return value


def ints(op: str, name: str, value: Any) -> Any:
    """An integer, or a sequence of integers, also nested."""
    if value.__class__ is not int and not _all_ints(value):
        raise refuse(op, name, value, "an integer or a sequence of integers")
    return value


def int_array(op: str, name: str, value: Any) -> Any:
    """An integer, a sequence of integers, or an array of them."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        return value
    return ints(op, name, value)


def pad_widths(op: str, name: str, value: Any) -> Any:
    """Integers in any form that NumPy's pad takes, which is also a dict: axis -> widths."""
    return ints(op, name, list(value.values())) and value if isinstance(value, dict) else int_array(op, name, value)


def _all_ints(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "iu" and not value.ndim
    if isinstance(value, (range, *_INTS)):
        return True
    return isinstance(value, (tuple, list)) and all(map(_all_ints, value))


def sizes(op: str, name: str, value: Any) -> Any:
    """An integer of at least 1, or a sequence of them."""
    if isinstance(value, _INTS) and value > 0:
        return value
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise refuse(op, name, value, "a positive integer or a sequence of them")
    return positive_ints(op, name, value)


def sizes_or_none(op: str, name: str, value: Any) -> Any:
    """An integer of at least 1 or None, or a sequence of them."""
    several = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if not all([n is None or isinstance(n, _INTS) and n > 0 for n in several]):
        raise refuse(op, name, value, "a positive integer or None, or a sequence of them")
    return value


def non_negative_ints(op: str, name: str, value: Any) -> Any:
    """An integer of at least 0, or a sequence of them."""
    several = value if isinstance(value, Sequence) else (value,)
    if not all([isinstance(n, _INTS) and n >= 0 for n in several]):
        raise refuse(op, name, value, "an integer of at least 0 or a sequence of them")
    return value


def positive_ints(op: str, name: str, value: Any) -> Any:
    """A sequence of integers of at least 1."""
    if not isinstance(value, Sequence) or not all([isinstance(n, _INTS) and n > 0 for n in value]):
        raise refuse(op, name, value, "a sequence of positive integers")
    return value


def choice(*allowed: Any) -> Callable[[str, str, Any], Any]:
    """Return the check that takes only these values."""

    def check(op: str, name: str, value: Any) -> Any:
        return one_of(op, name, value, allowed)

    return check


def optional(check: Callable[[str, str, Any], Any]) -> Callable[[str, str, Any], Any]:
    """Return the check that takes None, and otherwise what `check` takes."""

    def checked(op: str, name: str, value: Any) -> Any:
        return None if value is None else check(op, name, value)

    return checked


def ordered(op: str, low: str, low_value: Any, high: str, high_value: Any) -> None:
    """Two numbers of which the first is not above the second."""
    number(op, low, low_value)
    number(op, high, high_value)
    if low_value > high_value:
        raise OptionError(f"{op}: {low} must not be above {high}, got {low}={low_value!r} and {high}={high_value!r}")


def warn_user(message: str) -> None:
    """Warn at the line of the user's program that the call came from."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "gpugrad":
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, stacklevel=depth + 1)
