"""Decompositions of matrices: Cholesky, eigenvalues of symmetric ones, singular values, QR.

Of complex matrices, symmetric means equal to the conjugate transpose, which stands for every transpose below.

`cholesky` and `eigh` read one triangle, as NumPy's do, but give a symmetric gradient: the derivative among symmetric
matrices. Where factors are determined only up to a sign or a rotation, gradients make sense for functions that do not
depend on that choice; equal eigenvalues or singular values give finite gradients as long as the factors' gradients
agree."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from .in_turn import InTurn

__all__ = ["cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals"]


def adjoint(x: Any) -> Any:
    """Return the transposed, and for complex matrices conjugated, matrices."""
    x = x.swapaxes(-1, -2)
    return x.conj() if x.dtype.kind == "c" else x


def identity_like(x: Any, n: int) -> Any:
    """Return the identity (n, n) of x's dtype and device: an array where x is one, a Tensor where x is one."""
    if isinstance(x, Tensor):
        return asarray(x.device.xp.eye(n, dtype=x.dtype), device=x.device)
    return xp(x).eye(n, dtype=x.dtype)


def _symmetric(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def _safe_inverse(x: Any) -> Any:
    """Return 1 / x, and 0 where x is 0."""
    zero = (x == 0).astype(x.dtype)
    return (1 - zero) / (x + zero)


@op(
    samples=lambda s: [
        s.case(s.spd(3), smooth=False, symmetric=True),
        s.case(s.spd(2, 3), upper=True, smooth=False, symmetric=True),
        s.case(s.spd(0), smooth=False, symmetric=True),
        s.case(s.spd(3).T, smooth=False, symmetric=True),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def cholesky(x, *, upper=False):
    """Return the lower triangular L with x = L L^T of symmetric positive definite matrices (..., N, N); with `upper`,
    L^T.

    Only the lower (upper) triangle of x is read. Raises ShapeError if x is not positive definite. Gradient: I. Murray,
    "Differentiation of the Cholesky decomposition" (2016), eq. 10; Seeger et al., section 3.1.

    >>> gg.cholesky(gg.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    # The upper factor of x is the transposed lower factor of x^T.
    factor = xp(x).linalg.cholesky(adjoint(x) if upper else x)
    return adjoint(factor) if upper else factor


def _cholesky_rule(g: Any, out: Any, upper: bool) -> Any:
    lower, g = (adjoint(out), adjoint(g)) if upper else (out, g)
    ns = xp(g)
    phi = ns.tril(adjoint(lower) @ g)
    phi = phi + adjoint(ns.tril(phi, -1))
    solve, back = ns.linalg.solve, adjoint(lower)
    # L^-T phi L^-1 / 2, by two solves
    return adjoint(solve(back, adjoint(solve(back, phi)))) / 2


cholesky.vjp(x=_cholesky_rule)


@op(
    samples=lambda s: [
        s.case(s.spd(3), smooth=False, symmetric=True),
        s.case(s.spd(2, 3), UPLO="U", smooth=False, symmetric=True),
        s.case(s.spd(0), smooth=False, symmetric=True),
        s.case(s.spd(3).T, smooth=False, symmetric=True),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def eigh(x, *, UPLO="L"):
    """Return (w, V), the ascending eigenvalues and the eigenvectors (columns) of symmetric matrices: x = V diag(w) V^T.

    UPLO: which triangle is read, "L" or "U". Gradient: V (diag(gw) + (V^T gV) / (w_j - w_i)) V^T (Giles, 3.1).

    >>> w, v = gg.eigh(gg.tensor([[2.0, 0.0], [0.0, 1.0]]))
    >>> w
    tensor([1., 2.])
    """
    w, v = xp(x).linalg.eigh(x, UPLO)
    return w, v


def _eigh_rule(g: Any, out: Any) -> Any:
    (gw, gv), (w, v) = g, out
    inner = _safe_inverse(w[..., None, :] - w[..., :, None]) * (adjoint(v) @ gv)
    return _symmetric(v @ inner @ adjoint(v) + (v * gw[..., None, :]) @ adjoint(v))


eigh.vjp(x=_eigh_rule)


@op(
    samples=lambda s: [
        s.case(s.spd(3), smooth=False, symmetric=True),
        s.case(s.spd(2, 3), UPLO="U", smooth=False, symmetric=True),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def eigvalsh(x, *, UPLO="L"):
    """Return the ascending eigenvalues of symmetric matrices, of which one triangle is read.

    Gradient: V diag(g) V^T (Giles, 3.1).

    >>> gg.eigvalsh(gg.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return xp(x).linalg.eigvalsh(x, UPLO)


def _eigvalsh_rule(g: Any, x: Any, UPLO: str) -> Any:
    v = xp(x).linalg.eigh(x, UPLO)[1]
    return (v * g[..., None, :]) @ adjoint(v)


eigvalsh.vjp(x=_eigvalsh_rule)


@op(
    samples=lambda s: [
        s.case(s(4, 2), full_matrices=False, real_only=True),
        s.case(s(2, 3), full_matrices=False, real_only=True),
        s.case(s(3, 3), real_only=True),
        s.case(s(2, 3, 2), full_matrices=False, real_only=True),
        s.case(s(3, 4).T, full_matrices=False, real_only=True),
        s.case(np.eye(4, 2) * [2, 1], smooth=False, gradient={"x": [[1, 0], [0, 1], [0.5, 1], [0.5, 1]]}),
        s.case(s(0, 3), full_matrices=False, real_only=True),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def svd(x, *, full_matrices=True):
    """Return (U, S, Vh) with x = U diag(S) Vh and S descending: (..., M, N) -> (..., M, K), (..., K), (..., K, N).

    K is min(M, N). With `full_matrices`, U and Vh are square; the columns and rows beyond K are constants to the
    gradient. Gradient: Seeger et al., section 3.4; J. Townsend, "Differentiating the singular value decomposition"
    (2016).

    >>> u, s, vh = gg.svd(gg.tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> s
    tensor([2., 1.])
    """
    u, s, vh = xp(x).linalg.svd(x, full_matrices=full_matrices)
    return u, s, vh


def _svd_rule(g: Any, out: Any) -> Any:
    u, s, vh = out
    k = s.shape[-1]
    u, v = u[..., :, :k], adjoint(vh[..., :k, :])
    gu, gs, gv = g[0][..., :, :k], g[1], adjoint(g[2][..., :k, :])
    square = s * s
    f = _safe_inverse(square[..., None, :] - square[..., :, None])
    a, b = f * (adjoint(u) @ gu), f * (adjoint(v) @ gv)
    inner = (a + adjoint(a)) * s[..., None, :] + s[..., :, None] * (b + adjoint(b))
    if u.dtype.kind == "c":  # turns of U and V against each other
        turn = 1j * xp(u).diagonal(adjoint(u) @ gu, axis1=-2, axis2=-1).imag / s
        inner = inner + identity_like(u, k) * turn[..., None, :]
    gx = (u @ inner + u * gs[..., None, :]) @ adjoint(v)
    down = _safe_inverse(s)[..., None, :]
    if u.shape[-2] > k:
        gx = gx + ((gu - u @ (adjoint(u) @ gu)) * down) @ adjoint(v)
    if v.shape[-2] > k:
        gx = gx + (u * down) @ adjoint(gv - v @ (adjoint(v) @ gv))
    return gx


svd.vjp(x=_svd_rule)


@op(
    samples=lambda s: [s.case(s(4, 2)), s.case(s(2, 3)), s.case(s(2, 3, 3)), s.case(s(3, 4).T)],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def svdvals(x):
    """Return the singular values, descending: (..., M, N) -> (..., min(M, N)). Gradient: U diag(g) Vh.

    >>> gg.svdvals(gg.tensor([[0.0, 2.0], [1.0, 0.0]]))
    tensor([2., 1.])
    """
    return xp(x).linalg.svd(x, compute_uv=False)


def _svdvals_rule(g: Any, x: Any) -> Any:
    u, _, vh = xp(x).linalg.svd(x, full_matrices=False)
    return (u * g[..., None, :]) @ vh


svdvals.vjp(x=_svdvals_rule)


@op(
    samples=lambda s: [
        s.case(s(4, 2)),
        s.case(s(3, 3)),
        s.case(s(2, 4)),
        s.case(s(2, 3, 2)),
        s.case(s(2, 3).T),
        s.case(s(0, 2)),
    ],
    dtypes="float",
    autocast={"cpu": "float32"},
    make=InTurn,
    complex=True,
)
def qr(x, *, mode="reduced"):
    """Return (Q, R) with x = Q R, Q's columns orthonormal, R upper triangular: (..., M, N) -> (..., M, K), (..., K, N).

    K is min(M, N): only the reduced mode exists. Gradient: Seeger et al., section 3.3 (for the LQ decomposition); for M
    < N the columns beyond M are Q R_2. It needs the first K columns to be independent.

    >>> q, r = gg.qr(gg.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> gg.abs(r[0]), gg.allclose(q @ r, [[3.0, 1.0], [4.0, 2.0]], atol=1e-5)
    (tensor([5. , 2.2]), True)
    """
    if mode != "reduced":
        raise ValueError("only mode='reduced' exists")
    q, r = xp(x).linalg.qr(x)
    return q, r


def _qr_rule(g: Any, out: Any) -> Any:
    (gq, gr), (q, r) = g, out
    m, n = q.shape[-2], r.shape[-1]
    if m >= n:
        return _qr_tall(gq, gr, q, r)
    # x = Q [R1, R2]: the gradient of R2 = Q^T x2 goes to x2 and to Q.
    rest = q @ gr[..., m:]
    gq = gq + (q @ r[..., m:]) @ adjoint(gr[..., m:])
    return xp(gq).concatenate([_qr_tall(gq, gr[..., :m], q, r[..., :m]), rest], axis=-1)


def _qr_tall(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    ns = xp(gq)
    inner = ns.tril(r @ adjoint(gr) - adjoint(gq) @ q)
    inner = inner + adjoint(ns.tril(inner, -1))
    inner = _symmetric(inner) if inner.dtype.kind == "c" else inner  # a real diagonal
    return adjoint(ns.linalg.solve(r, adjoint(gq + q @ inner)))


qr.vjp(x=_qr_rule)
