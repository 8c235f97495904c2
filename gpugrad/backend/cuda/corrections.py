"""NumPy's meaning for functions of CuPy's that have another: bfloat16 that becomes float32, and linear algebra.

CuPy (14.2) selects and clips bfloat16 in float32, does not broadcast the stacks of `linalg.solve`, and computes garbage
for a matrix that cannot be inverted or decomposed. The emulated device's arrays have the same manners.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ..dtypes import bfloat16

_BITS = np.dtype(np.uint16)


def corrections(library: Any, checked: Callable[[], AbstractContextManager]) -> dict[str, Any]:
    """Return the functions that replace those of `library`, CuPy or its emulation.

    checked: makes a context in which cuSOLVER's status is read after each call, which waits for it.
    """
    return {
        "where": _where(library), "clip": _clip(library), "tril": _triangle(library.tril),
        "triu": _triangle(library.triu), "linalg": Linalg(library, checked),
    }  # fmt: skip


def _is_bfloat16(value: Any) -> bool:
    return hasattr(value, "dtype") and value.dtype.kind == "V"  # as is no other dtype that tensors have


def _where(library: Any) -> Callable:
    def where(condition: Any, *chosen: Any) -> Any:
        if not (any(map(_is_bfloat16, chosen)) and all(_is_bfloat16(v) or not hasattr(v, "dtype") for v in chosen)):
            return library.where(condition, *chosen)
        bits = [v.view(_BITS) if hasattr(v, "dtype") else np.asarray(v, bfloat16()).view(_BITS)[()] for v in chosen]
        return library.where(condition, *bits).view(bfloat16())

    return where


def _clip(library: Any) -> Callable:
    def clip(x: Any, low: Any, high: Any, out: Any = None) -> Any:
        if not _is_bfloat16(x) or not all(_is_bfloat16(v) or not hasattr(v, "dtype") for v in (low, high)):
            return library.clip(x, low, high, out=out)
        rounded = library.clip(x, low, high).astype(x.dtype)
        if out is None:
            return rounded
        out[...] = rounded
        return out

    return clip


def _triangle(function: Callable) -> Callable:
    def triangle(x: Any, k: int = 0) -> Any:
        return function(x.view(_BITS), k).view(x.dtype) if _is_bfloat16(x) else function(x, k)

    return triangle


class Linalg:
    """The library's linear algebra with NumPy's meaning. A matrix that it refuses costs LinAlgError, as NumPy's does.

    To know that, each call waits for the device once.
    """

    def __init__(self, library: Any, checked: Callable[[], AbstractContextManager]):
        self._library, self._linalg = library, library.linalg
        for name in ("cholesky", "eigh", "eigvalsh", "svd"):  # their results do not show that they failed
            setattr(self, name, _with_status(getattr(self._linalg, name), checked))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._linalg, name)
        setattr(self, name, value)
        return value

    def solve(self, a: Any, b: Any) -> Any:
        """Return the X with a X = b; the axes before the last two (the last, if b is a vector) are broadcast."""
        if b.ndim > 1 and a.shape[:-2] != b.shape[:-2]:
            stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            a, b = (self._library.broadcast_to(m, (*stack, *m.shape[-2:])) for m in (a, b))
        return self._invertible(self._linalg.solve(a, b), a, b)

    def inv(self, a: Any) -> Any:
        """Return the inverse."""
        return self._invertible(self._linalg.inv(a), a)

    def _invertible(self, out: Any, *given: Any) -> Any:
        """Return `out`. Raises LinAlgError if it is not finite and the fault is not in the numbers given."""
        isfinite = self._library.isfinite
        if not isfinite(out).all() and all(bool(isfinite(array).all()) for array in given):
            raise np.linalg.LinAlgError("Singular matrix")
        return out


def _with_status(function: Callable, checked: Callable[[], AbstractContextManager]) -> Callable:
    def call(*args: Any, **kwargs: Any) -> Any:
        with checked():
            return function(*args, **kwargs)

    return call
