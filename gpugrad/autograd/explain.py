"""Translate the errors of the array libraries into gpugrad's, which name the op and its arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DTypeError, GpugradError, LinAlgError, OutOfRangeError, ShapeError

if TYPE_CHECKING:
    from .op import Op

# The gpugrad error for each error of an array library; the first that fits counts.
_ERRORS = {
    np.linalg.LinAlgError: LinAlgError,
    ValueError: ShapeError,
    IndexError: OutOfRangeError,
    TypeError: DTypeError,
}


def explain(op: Op, error: Exception, arrays: list, attributes: dict) -> GpugradError:
    """Return the gpugrad error for `error`, which `op` raised on these arrays; it names op, shapes and attributes."""
    names = [op.input_name(i) if not op.many else f"{op.inputs[0]}[{i}]" for i in range(len(arrays))]
    given = [f"{n} {a.shape} {a.dtype}" for n, a in zip(names, arrays, strict=True) if a is not None]
    defaults = op.signature.defaults
    given += [f"{n}={v!r}" for n, v in attributes.items() if v is not defaults.get(n) and not hasattr(v, "dtype")]
    kind = next(kind for base, kind in _ERRORS.items() if isinstance(error, base))
    said = str(error).removeprefix(f"{op.name}: ").rstrip()  # NumPy's matmul names itself too
    return kind(f"{op.name}: {said}; got {', '.join(given)}")
