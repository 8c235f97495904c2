"""Condition numbers, equations between tensors of more axes than two, and products of Householder reflections."""

from math import prod
from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import xp
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .decompose import svdvals
from .linalg import inv, solve
from .norm import matrix_norm
from .shape import moveaxis

__all__ = []


def cond(x: Any, p: Any = None) -> Tensor:
    """Return the condition number of matrices: |x| |x^-1| in the norm p of `matrix_norm`, by default 2.

    For p of 2 and -2 it is the ratio of the largest and the smallest singular value, also of matrices that are not
    square.

    >>> gg.linalg.cond(gg.tensor([[2.0, 0.0], [0.0, 0.5]]))
    tensor(4.)
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ShapeError(f"cond: expected matrices (..., M, N), got shape {x.shape}")
    if p in (None, 2, -2):
        values = svdvals(x)
        out = values[..., 0] / values[..., -1]
        return 1 / out if p == -2 else out
    return matrix_norm(x, p) * matrix_norm(inv(x), p)


def tensorinv(x: Any, ind: int = 2) -> Tensor:
    """Return the inverse of x as a map from its last axes to its first `ind` ones, whose sizes have equal products.

    `tensordot(tensorinv(x, ind), b, ind)` is `tensorsolve(x, b)`. Raises ShapeError unless the sizes fit.

    >>> gg.linalg.tensorinv(gg.eye(6).reshape(2, 3, 6), 2).shape
    (6, 2, 3)
    """
    x = asarray(x)
    first, rest = x.shape[:ind], x.shape[ind:]
    if ind < 1 or prod(first) != prod(rest):
        raise ShapeError(f"tensorinv: the sizes {first} and {rest} of ind={ind} do not have one product")
    return inv(x.reshape(prod(first), prod(rest))).reshape(*rest, *first)


@torch_words
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Tensor:
    """Return the X with `tensordot(a, X, X.ndim) = b`; `axes` of a are moved to its end first.

    >>> gg.linalg.tensorsolve(gg.eye(6).reshape(2, 3, 6), gg.ones(2, 3)).shape
    (6,)
    """
    a, b = asarray(a), asarray(b)
    if axes is not None:
        a = moveaxis(a, axes, range(-len(axes), 0))
    shape = a.shape[b.ndim :]
    if prod(shape) != prod(b.shape) or prod(a.shape[: b.ndim]) != prod(b.shape):
        raise ShapeError(f"tensorsolve: a {a.shape} does not map {shape} to b {b.shape}")
    return solve(a.reshape(prod(b.shape), prod(shape)), b.reshape(-1)).reshape(shape)


def householder_product(x: Any, tau: Any) -> Tensor:
    """Return the first N columns of H_1 H_2 ... H_K, H_i = 1 - tau_i v_i v_i^H: (..., M, N), (..., K) -> (..., M, N).

    v_i has zeros before place i, 1 there, and behind it column i of x: what LAPACK's `geqrf` leaves. Raises ShapeError
    unless M >= N >= K.

    >>> gg.linalg.householder_product(gg.zeros(3, 2), gg.tensor([2.0, 0.0])).tolist()
    [[-1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    x, tau = asarray(x), asarray(tau)
    if x.ndim < 2 or not x.shape[-2] >= x.shape[-1] >= tau.shape[-1]:
        raise ShapeError(f"householder_product: expected M >= N >= K, got {x.shape} and tau {tau.shape}")
    ns, (m, n) = xp(x), x.shape[-2:]
    raw = x.device.xp
    out = ns.broadcast_to(asarray(raw.eye(m, n, dtype=x.dtype), device=x.device), x.shape)
    for i in reversed(range(tau.shape[-1])):
        unit = asarray((raw.arange(m) == i).astype(x.dtype), device=x.device)
        below = asarray((raw.arange(m) > i).astype(x.dtype), device=x.device)
        v = (x[..., i] * below + unit)[..., None]
        out = out - tau[..., i][..., None, None] * (v @ (v.mH @ out))
    return out
