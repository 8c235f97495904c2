"""The LU decomposition with partial pivoting, and what solves equations and counts pivots with it.

It is written as steps over columns for all matrices of a stack at once, because NumPy and CuPy have none.

Source of the gradient: F. de Hoog, R. Anderssen, M. Lukas 2011, "Differentiation of matrix functionals using triangular
factorization", section 3.
"""

from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray, raw
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from ..backend.dtypes import int32, int64
from ..errors import DTypeError, ShapeError
from .decompose import adjoint, identity_like
from .diagonal import tril, triu
from .index import take_along_axis
from .linalg import solve_triangular

__all__ = []


def _exchanged(ns: Any, count: int, k: int, pivot: Any) -> Any:
    """Return the order (..., count) in which k and `pivot` (...) have changed places."""
    here = ns.arange(count)
    pivot = pivot[..., None]
    return ns.where(here == k, pivot, ns.where(here == pivot, k, here))


def _size(x: Any) -> Any:
    """Return by what LAPACK chooses a pivot: the sizes of numbers, of complex ones the sum of their parts'."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


def _rows(x: Any, order: Any) -> Any:
    return xp(x).take_along_axis(x, xp(x).broadcast_to(order[..., None], x.shape), -2)


def _lu_cases(s: Any) -> list:
    return [s.case(s(3, 3)), s.case(s(2, 4, 2)), s.case(s(2, 3)), s.case(s(3, 4).T), s.case(s(0, 0))]


@op(samples=_lu_cases, dtypes="float", autocast={"cpu": "float32"}, complex=True)
def packed_lu(x):
    """Return (LU, order, pivots) of matrices (..., M, N): x[order] = L U, both factors in LU, the ones of L left out.

    order (..., M), int64: the rows of x in their new order. pivots (..., min(M, N)), int32: the row, counted from 1,
    with which each row changed places in turn.
    """
    if x.ndim < 2:
        raise ValueError("expected matrices (..., M, N)")
    ns, a, (m, n) = xp(x), x.copy(), x.shape[-2:]
    order = ns.broadcast_to(ns.arange(m), x.shape[:-1])
    pivots = ns.zeros((*x.shape[:-2], min(m, n)), int32)
    for k in range(min(m, n)):
        pivot = ns.argmax(_size(a[..., k:, k]), axis=-1) + k
        step = _exchanged(ns, m, k, pivot)
        a, order = _rows(a, step), ns.take_along_axis(order, step, -1)
        pivots[..., k] = pivot + 1
        divisor = a[..., k, k][..., None]
        a[..., k + 1 :, k] /= ns.where(divisor == 0, 1, divisor)
        a[..., k + 1 :, k + 1 :] -= a[..., k + 1 :, k, None] * a[..., None, k, k + 1 :]
    return a, order.astype(int64), pivots


def _packed_lu_rule(g: Any, out: Any) -> Any:
    (lu, order, _), g = out, g[0]
    ns, (m, n) = xp(g), lu.shape[-2:]
    k = min(m, n)
    square, gs = lu[..., :k, :k], g[..., :k, :k]
    lower = ns.tril(square, -1) + identity_like(lu, k)
    upper = ns.triu(square)
    of_lower, of_upper = adjoint(lower) @ ns.tril(gs, -1), ns.triu(gs) @ adjoint(upper)
    beyond = g[..., :k, k:] @ adjoint(lu[..., :k, k:]) if n > k else adjoint(lu[..., k:, :]) @ g[..., k:, :]
    of_lower, of_upper = (of_lower - beyond, of_upper) if n > k else (of_lower, of_upper - beyond)
    solve = ns.linalg.solve
    inner = solve(adjoint(lower), ns.tril(of_lower, -1) + ns.triu(of_upper))
    gx = adjoint(solve(upper, adjoint(inner)))
    if n > k:
        gx = ns.concatenate([gx, solve(adjoint(lower), g[..., :k, k:])], axis=-1)
    if m > k:
        gx = ns.concatenate([gx, adjoint(solve(upper, adjoint(g[..., k:, :])))], axis=-2)
    back = xp(raw(order)).argsort(raw(order), axis=-1)
    shape = xp(back).broadcast_to(back[..., None], lu.shape)
    return ns.take_along_axis(gx, shape, axis=-2)


packed_lu.vjp(x=_packed_lu_rule)


class LU(NamedTuple):
    """The result of `lu`."""

    P: Tensor
    L: Tensor
    U: Tensor


class LUFactors(NamedTuple):
    """The result of `lu_factor`."""

    LU: Tensor
    pivots: Tensor


def _check_pivot(name: str, pivot: bool) -> None:
    if not pivot:
        raise DTypeError(f"{name}: rows are always exchanged for the sake of precision; pivot=False does not exist")


def _permutation(order: Tensor, like: Tensor) -> Tensor:
    """Return the matrices P with P[order[i], i] = 1."""
    rows = like.device.xp.arange(order.shape[-1])[:, None]
    return asarray(rows == order._array[..., None, :], device=like.device).to(dtype=like.dtype)


def lu(x: Any, *, pivot: bool = True) -> LU:
    """Return (P, L, U) with x = P L U: (..., M, N) -> (..., M, M), (..., M, K), (..., K, N), K = min(M, N).

    P exchanges rows, L is lower triangular with ones on its diagonal, U upper triangular.

    >>> P, L, U = gg.linalg.lu(gg.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> L, U
    (tensor([[1.  , 0.  ],
            [0.25, 1.  ]]), tensor([[4., 4.],
            [0., 1.]]))
    """
    _check_pivot("lu", pivot)
    packed, order, _ = packed_lu(x)
    lower, upper = triangles(packed)
    return LU(_permutation(order, packed), lower, upper)


def triangles(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return L and U of both in one matrix."""
    m, n = packed.shape[-2:]
    k = min(m, n)
    ones = asarray(packed.device.xp.eye(m, k, dtype=packed.dtype), device=packed.device)
    return tril(packed[..., :k], k=-1) + ones, triu(packed[..., :k, :])


def lu_factor(x: Any, *, pivot: bool = True) -> LUFactors:
    """Return L and U in one matrix, without L's ones, and the pivots: what `lu_solve` takes.

    pivots (..., K), int32: row i changed places with row pivots[i], counted from 1, in turn.

    >>> gg.linalg.lu_factor(gg.tensor([[1.0, 2.0], [4.0, 4.0]])).pivots
    tensor([2, 2], dtype=int32)
    """
    _check_pivot("lu_factor", pivot)
    packed, _, pivots = packed_lu(x)
    return LUFactors(packed, pivots)


def lu_solve(LU: Any, pivots: Any, B: Any, *, left: bool = True, adjoint: bool = False) -> Tensor:
    """Return the X with A X = B, from the factors of A that `lu_factor` gave: (..., N, N), (..., N), (..., N, K).

    left=False: the X with X A = B. adjoint: A is transposed, and conjugated if complex.

    >>> factors = gg.linalg.lu_factor(gg.tensor([[1.0, 2.0], [4.0, 4.0]]))
    >>> gg.linalg.lu_solve(*factors, gg.tensor([[3.0], [8.0]])).tolist()
    [[1.0], [1.0]]
    """
    packed, pivots, B = asarray(LU), asarray(pivots), asarray(B)
    if packed.ndim < 2 or packed.shape[-1] != packed.shape[-2]:
        raise ShapeError(f"lu_solve: expected the factors of square matrices, got shape {packed.shape}")
    if not left:
        return lu_solve(packed, pivots, B.mH, adjoint=not adjoint).mH
    order = _order_of(pivots)
    lower, upper = triangles(packed)
    if not adjoint:
        rows = take_along_axis(B, _wide(order, B), axis=-2)
        return solve_triangular(upper, solve_triangular(lower, rows, upper=False), upper=True)
    found = solve_triangular(lower.mH, solve_triangular(upper.mH, B, upper=False), upper=True)
    back = asarray(xp(order).argsort(order, axis=-1), device=B.device)
    return take_along_axis(found, _wide(back._array, found), axis=-2)


def _wide(order: Any, like: Tensor) -> Tensor:
    """Return the order of rows (..., N) as indices for all columns of `like`."""
    lead = np.broadcast_shapes(order.shape[:-1], like.shape[:-2])
    return asarray(xp(order).broadcast_to(order[..., None], (*lead, *like.shape[-2:])), device=like.device)


def _order_of(pivots: Tensor) -> Any:
    """Return, as a raw array, the order of the rows after all exchanges."""
    ns, array = pivots.device.xp, pivots._array
    count = array.shape[-1]
    order = ns.broadcast_to(ns.arange(count), array.shape)
    for k in range(count):
        order = ns.take_along_axis(order, _exchanged(ns, count, k, array[..., k] - 1), -1)
    return order


def first_zero_pivot(x: Any) -> Tensor:
    """Return for each square matrix the number of the first pivot that is zero, counted from 1; 0 if none is, int32."""
    diagonal = packed_lu(asarray(x).detach())[0]._array.diagonal(0, -2, -1)
    zero = diagonal == 0
    ns = xp(zero)
    first = ns.argmax(zero, axis=-1) + 1 if zero.shape[-1] else ns.zeros(zero.shape[:-1], int64)
    return asarray(ns.where(zero.any(axis=-1), first, 0).astype(int32), device=asarray(x).device)
