"""Errors of the array libraries, told as an op's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DTypeError, GpugradError, LinAlgError, OptionError, OutOfRangeError, ShapeError
from .attributes import EXPLAINED, checks_of

if TYPE_CHECKING:
    from .op import Op

# What an error raised by an array library becomes, the first that fits.
_ERRORS = {
    np.linalg.LinAlgError: LinAlgError,
    ValueError: ShapeError,
    IndexError: OutOfRangeError,
    TypeError: DTypeError,
    AttributeError: DTypeError,
    ArithmeticError: OptionError,
}
TOLD = tuple(_ERRORS)


def explain(op: Op, error: Exception, arrays: list, attributes: dict) -> Exception:
    """Return `error`, raised by `op` over these arrays, with the op, the shapes and the attributes.

    An attribute of a wrong type or range is named as the cause. Of our own errors, those that already name the op stay
    as they are.
    """
    if isinstance(error, GpugradError):
        named = op.name in str(error) or type(error) not in (DTypeError, ShapeError, OptionError, OutOfRangeError)
        return error if named else type(error)(f"{op.name}: {error}")
    try:
        for name, check in checks_of(op.name, op.__module__, op.attributes, EXPLAINED).items():
            check(op.name, name, attributes[name])
    except OptionError as cause:
        return cause
    names = [op.input_name(i) if not op.many else f"{op.inputs[0]}[{i}]" for i in range(len(arrays))]
    given = [f"{n} {a.shape} {a.dtype}" for n, a in zip(names, arrays, strict=True) if a is not None]
    defaults = op.signature.defaults
    given += [f"{n}={v!r}" for n, v in attributes.items() if v is not defaults.get(n) and not hasattr(v, "dtype")]
    kind = next(kind for base, kind in _ERRORS.items() if isinstance(error, base))
    return kind(f"{op.name}: {error}; got {', '.join(given)}")
