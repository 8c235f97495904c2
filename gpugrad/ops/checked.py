"""Inverses, solutions and factors with a report of which matrices have none, in place of an error."""

from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import xp
from ..autograd.tensor import Tensor
from ..backend.dtypes import int32
from ..errors import ShapeError
from .decompose import cholesky, identity_like
from .elementwise.selection import where
from .linalg import inv, solve
from .lu import LUFactors, first_zero_pivot, lu_factor

__all__ = []


class Factor(NamedTuple):
    """The result of `cholesky_ex`: `info` is 0, or the order of the first leading minor that is not positive."""

    L: Tensor
    info: Tensor


class Inverse(NamedTuple):
    """The result of `inv_ex`: `info` is 0, or the number of the pivot that is zero."""

    inverse: Tensor
    info: Tensor


class Solution(NamedTuple):
    """The result of `solve_ex`: `info` is 0, or the number of the pivot that is zero."""

    result: Tensor
    info: Tensor


class CheckedLU(NamedTuple):
    """The result of `lu_factor_ex`: `info` is 0, or the number of the first pivot that is zero."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


def _raised(name: str, info: Tensor, check_errors: bool) -> None:
    if check_errors and bool((info != 0).any()):
        raise ShapeError(f"{name}: a matrix is singular or not positive definite; info is {info.tolist()}")


def _sound(x: Tensor, info: Tensor) -> Tensor:
    """Return x with the identity for the matrices that `info` counts as broken."""
    return where((info == 0)[..., None, None], x, identity_like(x, x.shape[-1]))


def _marked(out: Tensor, info: Tensor, axes: int = 2) -> Tensor:
    """Return `out` with NaN for the matrices that `info` counts as broken."""
    return where((info == 0)[(..., *(None,) * axes)], out, float("nan"))


def cholesky_ex(x: Any, *, upper: bool = False, check_errors: bool = False) -> Factor:
    """Return (L, info): `cholesky`, with NaN and a number for matrices that are not positive definite.

    info (...), int32: 0, or the order of the first leading minor that is not positive. check_errors: raise ShapeError
    if there is one.

    >>> gg.linalg.cholesky_ex(gg.tensor([[1.0, 0.0], [0.0, -1.0]])).info
    tensor(2, dtype=int32)
    """
    x = asarray(x)
    values = x.device.to_host(x._array)
    info = np.zeros(x.shape[:-2], int32)
    for index in np.ndindex(info.shape):
        info[index] = _first_minor(values[index])
    found = asarray(info, device=x.device)
    _raised("cholesky_ex", found, check_errors)
    return Factor(_marked(cholesky(_sound(x, found), upper=upper), found), found)


def _first_minor(matrix: np.ndarray) -> int:
    """Return the order of the first leading minor that is not positive definite, 0 if all are."""
    matrix = matrix if matrix.dtype.itemsize > 2 else matrix.astype(np.float32)
    for n in (len(matrix), *range(1, len(matrix) + 1)):
        try:
            np.linalg.cholesky(matrix[:n, :n])
        except np.linalg.LinAlgError:
            if n < len(matrix) or n == 1:
                return n
            continue
        if n == len(matrix):
            return 0
    return len(matrix)


def inv_ex(x: Any, *, check_errors: bool = False) -> Inverse:
    """Return (inverse, info): `inv`, with NaN and a number for matrices that are singular.

    info (...), int32: 0, or the number of the first pivot that is zero, counted from 1. check_errors: raise ShapeError
    if there is one.

    >>> gg.linalg.inv_ex(gg.zeros(2, 2)).info
    tensor(1, dtype=int32)
    """
    x = asarray(x)
    info = first_zero_pivot(x)
    _raised("inv_ex", info, check_errors)
    return Inverse(_marked(inv(_sound(x, info)), info), info)


def solve_ex(a: Any, b: Any, *, left: bool = True, check_errors: bool = False) -> Solution:
    """Return (X, info): `solve`, with NaN and a number for matrices that are singular; left=False solves X a = b.

    >>> gg.linalg.solve_ex(gg.eye(2), gg.ones(2, 1)).info
    tensor(0, dtype=int32)
    """
    a, b = asarray(a), asarray(b)
    info = first_zero_pivot(a)
    _raised("solve_ex", info, check_errors)
    sound, vector = _sound(a, info), b.ndim == 1
    out = solve(sound, b) if left else solve(sound.mT, b.mT).mT
    return Solution(_marked(out, info, 1 if vector else 2), info)


def lu_factor_ex(x: Any, *, pivot: bool = True, check_errors: bool = False) -> CheckedLU:
    """Return (LU, pivots, info): `lu_factor`, and the number of the first pivot that is zero, 0 if none is.

    >>> gg.linalg.lu_factor_ex(gg.zeros(2, 2)).info
    tensor(1, dtype=int32)
    """
    factors: LUFactors = lu_factor(x, pivot=pivot)
    diagonal = factors.LU._array.diagonal(0, -2, -1) == 0
    ns = xp(diagonal)
    info = ns.where(diagonal.any(axis=-1), ns.argmax(diagonal, axis=-1) + 1, 0).astype(int32)
    found = asarray(info, device=factors.LU.device)
    _raised("lu_factor_ex", found, check_errors)
    return CheckedLU(*factors, found)
