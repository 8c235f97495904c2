"""Linear algebra. Functions take stacks of matrices (..., M, N) and NumPy's names; `gpugrad.linalg` collects them.

Gradients after M. Giles, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), and M. Seeger, A. Hetzel, Z. Dai, E. Meissner, N. Lawrence, "Auto-differentiating linear
algebra" (2017). Decompositions are in decompose.py, norms in norm.py.
"""

from functools import reduce
from typing import Any

import numpy as np

from ..autograd.convert import asarray, raw
from ..autograd.op import op, xp
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..backend.dtypes import real_of
from ..errors import OptionError, ShapeError
from .decompose import adjoint, cholesky, eigh, eigvalsh, qr, svd, svdvals
from .diagonal import diagonal as _diagonal
from .diagonal import tril, triu
from .einsum import einsum
from .elementwise.arithmetic import absolute
from .expm import expm
from .in_turn import InTurn
from .matmul import matmul, outer, tensordot, vecdot
from .norm import matrix_norm, norm, vector_norm
from .shape import broadcast_to, matrix_transpose

__all__ = [
    "cholesky", "cross", "det", "eigh", "eigvalsh", "inv", "inverse", "logdet", "lstsq", "matmul", "matrix_exp",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr",
    "slogdet", "solve", "solve_triangular", "svd", "svdvals", "tensordot", "vecdot", "vector_norm",
]  # fmt: skip


def _transposed(x: Any) -> Any:
    return x.swapaxes(-1, -2)


def _check_square(x: Any) -> None:
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
    autocast={"cpu": "float32"},
    make=InTurn,
    complex="holomorphic",
)
def solve(a, b):
    """Return the X with a X = b: a (..., N, N), b (N,) or (..., N, K) -> (..., N) or (..., N, K).

    Raises ShapeError if a is singular. Gradient: gb = a^-T g, ga = -gb X^T (Giles, 2.3.1).

    >>> gg.solve(gg.tensor([[2.0, 0.0], [0.0, 4.0]]), gg.tensor([2.0, 2.0]))
    tensor([1. , 0.5])
    """
    _check_square(a)
    return xp(a).linalg.solve(a, b)


def _solve_b(g: Any, a: Any, b_shape: tuple) -> Any:
    if len(b_shape) == 1:
        return xp(g).linalg.solve(_transposed(a), g[..., None])[..., 0]
    return xp(g).linalg.solve(_transposed(a), g)


def _solve_a(g: Any, a: Any, out: Any, b_shape: tuple) -> Any:
    gb = _solve_b(g, a, b_shape)
    return -(gb[..., None] * out[..., None, :]) if len(b_shape) == 1 else -(gb @ _transposed(out))


solve.vjp(a=_solve_a, b=_solve_b)


@op(
    samples=lambda s: [s.case(s.spd(3)), s.case(s.spd(2, 3)), s.case(s.spd(3).T), s.case(s.spd(0))],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex="holomorphic",
)
def inv(x):
    """Return the inverse of square matrices. Raises ShapeError if one is singular.

    Gradient: -out^T g out^T (Giles, 2.2.3).

    >>> gg.inv(gg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    _check_square(x)
    return xp(x).linalg.inv(x)


inv.vjp(x=lambda g, out: -(_transposed(out) @ g @ _transposed(out)))


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
    autocast={"cpu": "float32"},
    make=InTurn,
    complex="holomorphic",
)
def det(x):
    """Return the determinant of square matrices: (..., N, N) -> (...).

    Gradient: the cofactor matrix, which exists also for a singular x.

    >>> gg.det(gg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    _check_square(x)
    return xp(x).linalg.det(x)


det.vjp(x=lambda g, x: g[..., None, None] * xp(x).cofactor(x))


@op(
    samples=lambda s: [s.case(s(3, 3)), s.case(s(2, 2, 2)), s.case(s(0, 0))],
    dtypes="float",
    make=InTurn,
    complex="holomorphic",
)
def cofactor(x):
    """Return the cofactor matrix det(x) x^-T, which exists also for a singular x.

    With the SVD x = U S V^T it is det(U V^T) U diag(prod_{j != i} s_j) V^T. Its own gradient needs x to be invertible.
    """
    ns = xp(x)
    u, s, v = ns.linalg.svd(x)
    n = s.shape[-1]
    others = ns.where(ns.eye(n, dtype=bool), ns.ones((), s.dtype), s[..., None, :]).prod(axis=-1)
    return ns.linalg.det(u @ v)[..., None, None] * ((u * others[..., None, :]) @ v).conj()


def _cofactor_rule(g: Any, x: Any, out: Any) -> Any:
    back = _transposed(xp(x).linalg.inv(x))
    return (g * out).sum(axis=(-2, -1), keepdims=True) * back - out @ _transposed(g) @ back


cofactor.vjp(x=_cofactor_rule)


@op(
    samples=lambda s: [s.case(s(3, 3)), s.case(s.spd(2, 3)), s.case(s(3, 3).T), s.case(s.spd(0))],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def slogdet(x):
    """Return (sign, log |det x|) of square matrices: (..., N, N) -> (...), (...).

    Gradient of the logarithm: x^-T (Giles, 2.2.4).

    >>> gg.slogdet(gg.tensor([[-1.0, 0.0], [0.0, 1.0]]))
    (tensor(-1.), tensor(0.))
    """
    _check_square(x)
    sign, logarithm = xp(x).linalg.slogdet(x)
    return sign, logarithm


def _slogdet_rule(g: Any, x: Any) -> Any:
    of_log = g[1]
    if x.dtype.kind == "c":  # the sign is exp(i angle), and log |det x| + i angle is holomorphic
        of_log = of_log + 1j * (1j * g[0].conj() * xp(x).linalg.slogdet(x)[0]).real
    return of_log[..., None, None] * adjoint(xp(x).linalg.inv(x))


slogdet.vjp(x=_slogdet_rule)


def logdet(x: Any) -> Tensor:
    """Return the logarithm of the determinant; NaN if the determinant is negative.

    >>> gg.logdet(gg.eye(2))
    tensor(0.)
    """
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
        s.case(s.spd(3), hermitian=True, smooth=False, symmetric=True),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def pinv(x, *, rcond=None, hermitian=False, rtol=None, atol=None):
    """Return the Moore-Penrose inverse: (..., M, N) -> (..., N, M).

    Singular values below rtol (or rcond) times the largest, or below atol, count as zero. hermitian: x is symmetric,
    and its lower triangle is read. Gradient, for constant rank: G. Golub, V. Pereyra, "The
    differentiation of pseudo-inverses ..." (1973), eq. 4.12.

    >>> gg.pinv(gg.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5, 0. ],
            [0. , 0. ]])
    """
    ns = xp(x)
    relative, absolute = _cutoffs(x, rcond if rtol is None else rtol, atol)
    if hermitian:
        s, v = ns.linalg.eigh(x)
        u, vh = v, adjoint(v)
    else:
        u, s, vh = ns.linalg.svd(x, full_matrices=False)
    size = ns.abs(s)
    largest = size.max(axis=-1, keepdims=True) if size.shape[-1] else ns.zeros((*size.shape[:-1], 1), size.dtype)
    least = ns.maximum(relative * largest, absolute)
    inverse = ns.where(size > least, 1 / ns.where(size > least, s, 1), 0)
    return (adjoint(vh) * inverse[..., None, :]) @ adjoint(u)


def _cutoffs(x: Any, rtol: Any, atol: Any) -> tuple[Any, Any]:
    """The relative and the absolute bound, as arrays (..., 1), below which a singular value of x counts as zero."""
    if rtol is None:
        eps = max(x.shape[-2:], default=0) * float(np.finfo(x.dtype).eps)
        rtol = eps if atol is None else np.where(np.asarray(atol) > 0, 0.0, eps)
    atol = 0.0 if atol is None else atol
    ns = xp(x)
    dtype = real_of(x.dtype)
    return ns.asarray(rtol, dtype=dtype)[..., None], ns.asarray(atol, dtype=dtype)[..., None]


def _pinv_rule(g: Any, x: Any, out: Any, hermitian: bool) -> Any:
    if hermitian:
        lower = xp(x).tril(x)
        x = lower + adjoint(xp(x).tril(x, -1))
    p, pt, gt = out, adjoint(out), adjoint(g)
    left = gt - x @ (p @ gt)
    right = gt - (gt @ p) @ x
    gx = -(pt @ g @ pt) + (left @ p) @ pt + pt @ (p @ right)
    return (gx + adjoint(gx)) / 2 if hermitian else gx


pinv.vjp(x=_pinv_rule)


@op(
    samples=lambda s: [
        s.case(s(3), s(3)),
        s.case(s(2, 3), s(3)),
        s.case(s(3, 2), s(3, 2), axis=0),
        s.case(s(2, 1, 3), s(2, 3)),
        s.case(s(0, 3), s(3)),
    ],
    complex="holomorphic",
)
def cross(x, y, *, axis=-1):
    """Return the vector product along `axis`, which has length 3; the other axes are broadcast.

    >>> gg.cross(gg.tensor([1.0, 0.0, 0.0]), gg.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise ValueError(f"axis {axis} must have length 3 in both")
    return xp(x).cross(x, y, axis=axis)


cross.vjp(x=lambda g, y, axis: xp(g).cross(y, g, axis=axis), y=lambda g, x, axis: xp(g).cross(g, x, axis=axis))


@torch_words
def diagonal(x: Any, *, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Tensor:
    """Return diagonal `offset` of matrices: (..., M, N) -> (..., K), a read-only view. Only in `gpugrad.linalg`.

    >>> gg.linalg.diagonal(gg.ones(5, 2, 3)).shape
    (5, 2)
    """
    return _diagonal(x, offset=offset, axis1=axis1, axis2=axis2)


def trace(x: Any, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return the sum of diagonal `offset` of matrices, in `dtype`: (..., M, N) -> (...). Only in `gpugrad.linalg`.

    >>> gg.linalg.trace(gg.ones(5, 2, 2))
    tensor([2., 2., 2., 2., 2.])
    """
    return diagonal(x, offset=offset).sum(axis=-1, dtype=dtype)


def solve_triangular(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """Return the X with a X = b for a triangular a; its other triangle is not read, and its gradient is zero there.

    left=False: the X with X a = b. unitriangular: the diagonal is not read either, and taken as ones.

    >>> gg.solve_triangular(gg.tensor([[2.0, 9.0], [0.0, 4.0]]), gg.tensor([2.0, 4.0]), upper=False)
    tensor([1., 1.])
    """
    a = asarray(a)
    if unitriangular:
        ones = asarray(a.device.xp.eye(a.shape[-1], dtype=a.dtype), device=a.device)
        a = ones + (triu(a, k=1) if upper else tril(a, k=-1))
    else:
        a = triu(a) if upper else tril(a)
    return solve(a, b) if left else matrix_transpose(solve(matrix_transpose(a), matrix_transpose(b)))


def lstsq(
    a: Any, b: Any, rcond: float | None = None, *, driver: str | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the X of least norm that minimises |a X - b|: a (M, N), b (M,) or (M, K).

    The result is (X, residuals, rank, singular values of a); residuals, the squared norms of the columns of b - a X,
    are empty unless M > N and a has full rank. X and the residuals are differentiable (through `pinv`).
    PyTorch's `driver`, the name of one of LAPACK's routines, also takes stacks of matrices (..., M, N) and (..., M, K).

    >>> x, residuals, rank, values = gg.lstsq(gg.tensor([[1.0], [1.0]]), gg.tensor([1.0, 3.0]))
    >>> gg.round(x, decimals=3), rank.item()
    (tensor([2.]), 1)
    """
    a, b = asarray(a), asarray(b)
    if driver is not None:
        return _stacked_lstsq(a, b, rcond, driver)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(f"lstsq: expected a (M, N) and b (M,) or (M, K), got {a.shape} and {b.shape}")
    x = matmul(pinv(a, rcond=rcond), b)
    values = svdvals(a)
    rank = matrix_rank(a, rtol=rcond)
    rest = (absolute(b - matmul(a, x)) ** 2).sum(axis=0)
    full = a.shape[0] > a.shape[1] and rank.item() == a.shape[1]
    return x, rest.reshape(-1) if full else rest.reshape(-1)[:0], rank, values


def _stacked_lstsq(a: Tensor, b: Tensor, rcond: float | None, driver: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`lstsq` of stacks of matrices. What LAPACK's routine `driver` does not compute is empty, and so are residuals if
    a matrix of the stack has none."""
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise OptionError(f"lstsq: driver is 'gels', 'gelsy', 'gelsd' or 'gelss', got {driver!r}")
    x = matmul(pinv(a, rcond=rcond), b)
    rank, values = matrix_rank(a, rtol=rcond), svdvals(a.detach())
    full = driver != "gelsy" and a.shape[-2] > a.shape[-1] and bool((rank == a.shape[-1]).all().item())
    rest = (absolute(b - matmul(a, x)) ** 2).sum(axis=-2)
    return (
        x,
        rest if full else rest.reshape(-1)[:0],
        rank.reshape(-1)[:0] if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else values.reshape(-1)[:0],
    )


def matrix_rank(x: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None, atol: Any = None) -> Tensor:
    """Count the singular values that exceed `tol`, or the larger of `atol` and `rtol` times the largest one.

    rtol is max(M, N) eps unless it or an atol is given. hermitian: the absolute eigenvalues are counted.

    >>> gg.matrix_rank(gg.ones(3, 3))
    tensor(1)
    """
    x = asarray(x).detach()
    values = absolute(eigvalsh(x)) if hermitian else svdvals(x)
    if not values.shape[-1]:
        return values.sum(axis=-1).to(dtype="int64")
    if tol is not None:
        bound = asarray(tol, device=x.device).unsqueeze(-1)
    else:
        relative, least = (asarray(part, device=x.device) for part in _cutoffs(x._array, raw(rtol), raw(atol)))
        bound = xp(values).maximum(xp(values).max(values, axis=-1, keepdims=True) * relative, least)
    return (values > bound).sum(axis=-1)


def matrix_power(x: Any, n: int) -> Tensor:
    """Return x @ x @ ... (n factors), by repeated squaring; n < 0 inverts first, n = 0 gives the identity.

    >>> gg.matrix_power(gg.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
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
    """Return the product of matrices, multiplied in the cheapest order; the first and the last may be vectors.

    >>> gg.multi_dot([gg.ones(2), gg.ones(2, 3), gg.ones(3)])
    tensor(6.)
    """
    tensors = [asarray(a) for a in arrays]
    if len(tensors) < 2:
        raise ShapeError(f"multi_dot: expected at least two arrays, got {len(tensors)}")
    terms = [chr(97 + i) + chr(98 + i) for i in range(len(tensors))]
    terms[0], terms[-1] = terms[0][2 - tensors[0].ndim :], terms[-1][: tensors[-1].ndim]
    ends = terms[0][: tensors[0].ndim - 1] + terms[-1][1:]
    return einsum(f"{','.join(terms)}->{ends}", *tensors)


inverse, matrix_exp = inv, expm
