"""Linear algebra. Functions take stacks of matrices (..., M, N) and NumPy's names; `gpugrad.linalg` collects them.

Gradients after M. Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), and M. Seeger, A. Hetzel, Z. Dai, E. Meissner, N. Lawrence, "Auto-differentiating linear
algebra" (2017). Decompositions are in decompose.py, norms in norm.py.
"""

from functools import reduce
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .decompose import cholesky, eigh, eigvalsh, qr, svd, svdvals
from .diagonal import diagonal as _diagonal
from .diagonal import tril, triu
from .einsum import einsum
from .expm import expm
from .matmul import matmul, outer, tensordot, vecdot
from .norm import matrix_norm, norm, vector_norm
from .shape import broadcast_to, matrix_transpose

__all__ = [
    "cholesky", "cross", "det", "eigh", "eigvalsh", "inv", "inverse", "logdet", "lstsq", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensordot", "vecdot", "vector_norm",
]  # fmt: skip


def _t(x: Any) -> Any:
    return x.swapaxes(-1, -2)


def _square(x: Any) -> None:
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError("expected square matrices (..., N, N)")


@op(
    samples=lambda s: [
        s.case(s.spd(3), s(3)),
        s.case(s.spd(3), s(3, 2)),
        s.case(s.spd(2, 3), s(2, 3, 2)),
        s.case(s.spd(2, 3), s(3)),
        s.case(s.spd(3), s(2, 3, 1)),
        s.case(s.spd(3).T, s(2, 3).T),
        s.case(s.spd(0), s(0, 2)),
        s.case(s.spd(2, 3), s(3, 2)),
    ],
    dtypes="float",
    broadcasts=True,
)
def solve(a, b):
    """The X with a X = b: a (..., N, N), b (N,) or (..., N, K) -> (..., N) or (..., N, K). Raises ShapeError if a is
    singular.

    Gradient: gb = a^-T g, ga = -gb X^T (Giles, 2.3.1)."""
    _square(a)
    return xp(a).linalg.solve(a, b)


def _solve_b(g: Any, a: Any, b_shape: tuple) -> Any:
    if len(b_shape) == 1:
        return xp(g).linalg.solve(_t(a), g[..., None])[..., 0]
    return xp(g).linalg.solve(_t(a), g)


def _solve_a(g: Any, a: Any, out: Any, b_shape: tuple) -> Any:
    gb = _solve_b(g, a, b_shape)
    return -(gb[..., None] * out[..., None, :]) if len(b_shape) == 1 else -(gb @ _t(out))


solve.vjp(a=_solve_a, b=_solve_b)


@op(samples=lambda s: [s.case(s.spd(3)), s.case(s.spd(2, 3)), s.case(s.spd(3).T), s.case(s.spd(0))], dtypes="float")
def inv(x):
    """The inverse of square matrices. Raises ShapeError if one is singular. Gradient: -out^T g out^T (Giles, 2.2.3)."""
    _square(x)
    return xp(x).linalg.inv(x)


inv.vjp(x=lambda g, out: -(_t(out) @ g @ _t(out)))


@op(
    samples=lambda s: [
        s.case(s(3, 3)),
        s.case(s(2, 3, 3)),
        s.case(s(1, 1)),
        s.case(s(4, 3)[:3].T),
        s.case(s(0, 0)),
        s.case(np.array([[1.0, 2.0], [2.0, 4.0]]), smooth=False),
    ],
    dtypes="float",
)
def det(x):
    """The determinant of square matrices: (..., N, N) -> (...). Gradient: the cofactor matrix, defined also where det
    = 0."""
    _square(x)
    return xp(x).linalg.det(x)


det.vjp(x=lambda g, x: g[..., None, None] * xp(x).cofactor(x))


@op(samples=lambda s: [s.case(s(3, 3)), s.case(s(2, 2, 2)), s.case(s(0, 0))], dtypes="float")
def cofactor(x):
    """The cofactor matrix det(x) x^-T, from the SVD x = U S V^T as det(U V^T) U diag(prod_{j != i} s_j) V^T: exact
    also for a singular x. Its own gradient needs x to be invertible."""
    ns = xp(x)
    u, s, v = ns.linalg.svd(x)
    n = s.shape[-1]
    others = ns.where(ns.eye(n, dtype=bool), ns.ones((), s.dtype), s[..., None, :]).prod(axis=-1)
    return ns.linalg.det(u @ v)[..., None, None] * ((u * others[..., None, :]) @ v)


def _cofactor_rule(g: Any, x: Any, out: Any) -> Any:
    back = _t(xp(x).linalg.inv(x))
    return (g * out).sum(axis=(-2, -1), keepdims=True) * back - out @ _t(g) @ back


cofactor.vjp(x=_cofactor_rule)


@op(samples=lambda s: [s.case(s(3, 3)), s.case(s.spd(2, 3)), s.case(s(3, 3).T), s.case(s.spd(0))], dtypes="float")
def slogdet(x):
    """(sign, log |det x|) of square matrices: (..., N, N) -> (...), (...). Gradient of the logarithm: x^-T (Giles,
    2.2.4)."""
    _square(x)
    sign, logarithm = xp(x).linalg.slogdet(x)
    return sign, logarithm


slogdet.vjp(x=lambda g, x: g[1][..., None, None] * _t(xp(x).linalg.inv(x)))


def logdet(x: Any) -> Tensor:
    """The logarithm of the determinant; NaN where that is negative."""
    sign, logarithm = slogdet(x)
    return xp(sign).where(sign < 0, float("nan"), logarithm)


# What moves a matrix of rank 1 to one of rank 2 has no derivative; the gradient is of steps that keep the rank.
_OF_CONSTANT_RANK = np.array([[1, 3, 1], [-5, 6, -5], [-11, 9, -11]]) / 196


@op(
    samples=lambda s: [
        s.case(s(4, 2)),
        s.case(s(2, 3)),
        s.case(s(2, 3, 2)),
        s.case(s(3, 3).T),
        s.case(s(3, 0)),
        s.case(np.outer([1.0, 2, 3], [1.0, 0, 1]), smooth=False, gradient={"x": _OF_CONSTANT_RANK}),
    ],
    dtypes="float",
)
def pinv(x, *, rcond=None, hermitian=False):
    """The Moore-Penrose inverse: (..., M, N) -> (..., N, M). Singular values below rcond times the largest count as
    zero.

    Gradient for constant rank: G. Golub, V. Pereyra, "The differentiation of pseudo-inverses ..." (1973), eq. 4.12."""
    cutoff = max(x.shape[-2:], default=0) * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    return xp(x).linalg.pinv(x, rcond=cutoff)


def _pinv_rule(g: Any, x: Any, out: Any) -> Any:
    p, pt, gt = out, _t(out), _t(g)
    left = gt - x @ (p @ gt)
    right = gt - (gt @ p) @ x
    return -(pt @ g @ pt) + (left @ p) @ pt + pt @ (p @ right)


pinv.vjp(x=_pinv_rule)


@op(
    samples=lambda s: [
        s.case(s(3), s(3)),
        s.case(s(2, 3), s(3)),
        s.case(s(3, 2), s(3, 2), axis=0),
        s.case(s(2, 1, 3), s(2, 3)),
        s.case(s(0, 3), s(3)),
    ],
)
def cross(x, y, *, axis=-1):
    """The vector product along `axis`, which has length 3; the other axes broadcast."""
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ValueError(f"axis {axis} must have length 3 in both")
    return xp(x).cross(x, y, axis=axis)


cross.vjp(x=lambda g, y, axis: xp(g).cross(y, g, axis=axis), y=lambda g, x, axis: xp(g).cross(g, x, axis=axis))


def diagonal(x: Any, *, offset: int = 0) -> Tensor:
    """Diagonal `offset` of matrices: (..., M, N) -> (..., K), a read-only view. Only in `gpugrad.linalg`."""
    return _diagonal(x, offset=offset, axis1=-2, axis2=-1)


def trace(x: Any, *, offset: int = 0) -> Tensor:
    """The sum of diagonal `offset` of matrices: (..., M, N) -> (...). Only in `gpugrad.linalg`."""
    return diagonal(x, offset=offset).sum(axis=-1)


def solve_triangular(a: Any, b: Any, *, upper: bool) -> Tensor:
    """`solve` for a triangular a, of which the other triangle is not read; so has its gradient zeros there."""
    return solve(triu(a) if upper else tril(a), b)


def lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The X of least norm that minimises |a X - b|: a (M, N), b (M,) or (M, K).

    Returns (X, residuals, rank, singular values of a); residuals, the squared norms of the columns of b - a X, are
    empty unless M > N and a has full rank. X and the residuals are differentiable (through `pinv`)."""
    a, b = asarray(a), asarray(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(f"lstsq: expected a (M, N) and b (M,) or (M, K), got {a.shape} and {b.shape}")
    x = matmul(pinv(a, rcond=rcond), b)
    values = svdvals(a)
    rank = matrix_rank(a, rtol=rcond)
    rest = ((b - matmul(a, x)) ** 2).sum(axis=0)
    full = a.shape[0] > a.shape[1] and rank.item() == a.shape[1]
    return x, rest.reshape(-1) if full else rest.reshape(-1)[:0], rank, values


def matrix_rank(x: Any, tol: Any = None, *, rtol: Any = None) -> Tensor:
    """How many singular values exceed `tol` (absolute), or `rtol` (default: max(M, N) eps) times the largest."""
    values = svdvals(asarray(x).detach())
    if not values.shape[-1]:  # without singular values there is no largest one
        return (values > 0).sum(axis=-1)
    if tol is None:
        eps = max(asarray(x).shape[-2:]) * float(np.finfo(values.dtype).eps) if rtol is None else rtol
        tol = values.max(axis=-1, keepdims=True) * eps
    return (values > tol).sum(axis=-1)


def matrix_power(x: Any, n: int) -> Tensor:
    """x @ x @ ... (n times) by repeated squaring; n < 0 inverts first, n = 0 gives the identity."""
    x = asarray(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"matrix_power: expected square matrices (..., N, N), got {x.shape}")
    if n == 0:
        identity = x.device.xp.eye(x.shape[-1], dtype=x.dtype)
        return broadcast_to(identity, shape=x.shape).clone()
    base, n = (inv(x), -n) if n < 0 else (x, n)
    factors = []
    while n:
        factors += [base] if n & 1 else []
        n >>= 1
        base = matmul(base, base) if n else base
    return reduce(matmul, factors)


def multi_dot(arrays: Any) -> Tensor:
    """The product of matrices in the order of multiplications that is cheapest; the first and the last may be
    vectors."""
    tensors = [asarray(a) for a in arrays]
    if len(tensors) < 2:
        raise ShapeError(f"multi_dot: expected at least two arrays, got {len(tensors)}")
    terms = [chr(97 + i) + chr(98 + i) for i in range(len(tensors))]
    terms[0], terms[-1] = terms[0][2 - tensors[0].ndim :], terms[-1][: tensors[-1].ndim]
    ends = terms[0][: tensors[0].ndim - 1] + terms[-1][1:]
    return einsum(f"{','.join(terms)}->{ends}", *tensors)


inverse, matrix_exp = inv, expm
