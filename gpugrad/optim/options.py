"""The options of optimizers: where they come from, and which values are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import GradientError, OptionError

_IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")  # PyTorch has several; here there is one
_ANY_SIGN = ("beta2_decay", "dampening")


def options(optimizer: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the options of an optimizer, from the arguments (`locals()`) of its __init__.

    Arguments that choose among PyTorch's implementations are left out. Raises GradientError for differentiable=True.
    """
    if arguments.get("differentiable"):
        raise GradientError(
            f"{type(optimizer).__name__}: differentiable=True is not supported: a step is not recorded in the graph"
        )
    left_out = ("self", "params", "__class__", *_IMPLEMENTATION)
    return {key: value for key, value in arguments.items() if key not in left_out}


def checked_options(name: str, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options in `given` with Python numbers in place of 0-d arrays.

    Only options that are in `defaults` too are looked at; a group may hold others, which schedulers or users put there.
    Raises OptionError, in the name of the optimizer, for an option that is not a number where its default is one, that
    is NaN or negative, and for betas that are not two numbers of at least 0 and below 1.
    """
    made = {key: _as_number(value) if key in defaults else value for key, value in given.items()}
    for key in defaults.keys() & made.keys():
        value = made[key]
        if key == "betas":
            pair = isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_number, value))
            if not (pair and all(0 <= beta < 1 for beta in value)):
                raise OptionError(f"{name}: betas must be two numbers of at least 0 and below 1, got {value!r}")
        elif key == "lr" or _is_number(_as_number(defaults[key])):
            if not _is_number(value):
                raise OptionError(f"{name}: {key} must be a number, got {value!r}")
            if key in _ANY_SIGN:
                if value != value:
                    raise OptionError(f"{name}: {key} must be a number, got {value}")
            elif not value >= 0:
                raise OptionError(f"{name}: {key} must not be negative, got {value}")
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _as_number(value: Any) -> Any:
    """Return the Python number of a 0-d array (a Tensor, NumPy's or PyTorch's), also in a tuple or list."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_as_number, value))
    return value.item() if hasattr(value, "item") else value
