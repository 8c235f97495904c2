"""NumPy with the manners that CuPy 14 has and NumPy has not, for the arrays of an emulated device.

Found by running gpugrad on the real CuPy (tests/real_cupy): selections and bounds of bfloat16 give float32, `solve`
does not broadcast stacks, linear algebra does not tell that it failed unless asked to, integer indices outside an axis
wrap, and reductions take no `initial` or `where`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import EllipsisType, ModuleType
from typing import Any

import numpy as np

_REDUCTIONS = frozenset({"all", "any", "max", "mean", "min", "prod", "std", "sum", "var"})
_state = threading.local()


@contextmanager
def checked_linalg() -> Iterator[None]:
    """Let linear algebra raise LinAlgError, as CuPy does within `cupyx.errstate(linalg="raise")`."""
    before, _state.checked = getattr(_state, "checked", False), True
    try:
        yield
    finally:
        _state.checked = before


class _Module(ModuleType):
    """A module with some functions replaced."""

    def __init__(self, module: ModuleType, **functions: Any):
        super().__init__(module.__name__)
        self._module = module
        vars(self).update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _through_float32(function: Callable) -> Callable:
    """Return `function` such that a result of bfloat16 is float32."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        out = function(*args, **kwargs)
        return out.astype(np.float32) if out.dtype.kind == "V" else out

    return call


def _silent(function: Callable, failed: Callable) -> Callable:
    """Return `function` such that it gives `failed(*args)` where NumPy raises LinAlgError."""

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except np.linalg.LinAlgError:
            if getattr(_state, "checked", False) or any(a.ndim < 2 for a in args[:1]):
                raise
            return failed(*args)

    return call


def _solve(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    return np.linalg.solve(a, b)


def _nan(*given: np.ndarray) -> np.ndarray:
    return np.full_like(given[-1], np.nan)


LIKE_CUPY = _Module(
    np,
    where=_through_float32(np.where),
    clip=_through_float32(np.clip),
    tril=_through_float32(np.tril),
    triu=_through_float32(np.triu),
    take=lambda x, indices, axis=None: np.take(x, indices, axis, mode="wrap"),
    take_along_axis=lambda x, indices, axis: np.take_along_axis(x, indices % max(1, x.shape[axis]), axis),
    linalg=_Module(
        np.linalg,
        solve=_silent(_solve, _nan),
        inv=_silent(np.linalg.inv, _nan),
        cholesky=_silent(np.linalg.cholesky, np.tril),
    ),
)


def refuse(function: Callable, kwargs: dict) -> None:
    """Raise TypeError for what CuPy's reductions do not take: a value to begin with, and a mask."""
    name = getattr(function, "__name__", "")
    if name in _REDUCTIONS and (unknown := kwargs.keys() & {"initial", "where"}):
        raise TypeError(f"{name}() got an unexpected keyword argument {unknown.pop()!r}")


def wrapped(index: Any, shape: tuple) -> Any:
    """Return an index whose integer arrays point into their axes of an array of this shape, modulo their lengths."""
    parts = [
        np.asarray(p) if isinstance(p, list) and p else p for p in (index if isinstance(index, tuple) else (index,))
    ]
    if not any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" for part in parts):
        return index
    taken = sum(0 if part is None or isinstance(part, EllipsisType) else _axes(part) for part in parts)
    axis, found = 0, []
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind in "iu" and axis < len(shape) and shape[axis]:
            part = np.where((part < -shape[axis]) | (part >= shape[axis]), part % shape[axis], part)
        found.append(part)
        axis += 0 if part is None else len(shape) - taken if isinstance(part, EllipsisType) else _axes(part)
    return tuple(found)


def _axes(part: Any) -> int:
    """Return the number of axes that a part of an index takes."""
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == np.bool_ else 1
