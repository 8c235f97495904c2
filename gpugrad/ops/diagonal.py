"""Diagonals and triangles of matrices."""

from typing import Any

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .shape import ravel

__all__ = ["diag", "diag_embed", "diagflat", "diagonal", "trace", "tril", "triu"]


@op(
    samples=lambda s: [
        s.case(s(3, 4)),
        s.case(s(2, 4, 3), k=-1),
        s.case(s(3, 3), k=1),
        s.case(s(0, 3)),
        s.case(s(4, 3).T, k=5),
    ],
    exact=True,
    dtypes="own",
    inplace=True,
    complex=True,
)
def tril(x, *, k=0):
    """Return x with zeros above diagonal k of its last two axes.

    >>> gg.tril(gg.ones(3, 3))
    tensor([[1., 0., 0.],
            [1., 1., 0.],
            [1., 1., 1.]])
    """
    return xp(x).tril(x, k)


tril.vjp(x=lambda g, k: xp(g).tril(g, k=k))


@op(
    samples=lambda s: [
        s.case(s(3, 4)),
        s.case(s(2, 4, 3), k=-1),
        s.case(s(3, 3), k=1),
        s.case(s(0, 3)),
        s.case(s(4, 3).T, k=-5),
    ],
    exact=True,
    dtypes="own",
    inplace=True,
    complex=True,
)
def triu(x, *, k=0):
    """Return x with zeros below diagonal k of its last two axes.

    >>> gg.triu(gg.ones(3, 3), k=1)
    tensor([[0., 1., 1.],
            [0., 0., 1.],
            [0., 0., 0.]])
    """
    return xp(x).triu(x, k)


triu.vjp(x=lambda g, k: xp(g).triu(g, k=k))


@op(
    samples=lambda s: [
        s.case(s(3, 3)),
        s.case(s(3, 4), offset=1),
        s.case(s(4, 3), offset=-2),
        s.case(s(2, 3, 4), offset=-1, axis1=2, axis2=0),
        s.case(s(2, 3, 4), axis1=-1, axis2=1),
        s.case(s(3, 3), offset=7),
        s.case(s(0, 3)),
    ],
    view=True,
    exact=True,
    dtypes="own",
    complex=True,
)
def diagonal(x, *, offset=0, axis1=0, axis2=1):
    """Return the elements x[i, i + offset] of the axes (axis1, axis2), along a new last axis: a read-only view.

    >>> gg.diagonal(gg.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return x.diagonal(offset, axis1, axis2)


diagonal.vjp(
    x=lambda g, x_shape, offset, axis1, axis2: xp(g).diagonal_adjoint(
        g, shape=x_shape, offset=offset, axis1=axis1, axis2=axis2
    )
)


@op(
    samples=lambda s: [
        s.case(s(3), shape=(3, 3)),
        s.case(s(3), shape=(3, 4), offset=1),
        s.case(s(2, 2), shape=(2, 4, 3), offset=-2, axis1=1, axis2=2),
        s.case(s(3, 2), shape=(2, 3, 4), offset=-2, axis1=2, axis2=0),
        s.case(s(0), shape=(0, 3)),
    ],
    exact=True,
    dtypes="own",
    complex=True,
)
def diagonal_adjoint(x, *, shape, offset=0, axis1=0, axis2=1):
    """Return zeros of `shape` with x on the diagonal that `diagonal` with the same arguments reads: its adjoint."""
    length = max(0, min(shape[axis1] + min(offset, 0), shape[axis2] - max(offset, 0)))
    if x.shape != (*[n for i, n in enumerate(shape) if i not in (axis1 % len(shape), axis2 % len(shape))], length):
        raise ValueError(f"a diagonal of {tuple(shape)} does not have the shape {x.shape}")
    ns = xp(x)
    out = ns.zeros(shape, x.dtype)
    steps = ns.arange(x.shape[-1])
    ns.moveaxis(out, (axis1, axis2), (-2, -1))[..., steps + max(0, -offset), steps + max(0, offset)] = x
    return out


diagonal_adjoint.vjp(x=lambda g, offset, axis1, axis2: xp(g).diagonal(g, offset=offset, axis1=axis1, axis2=axis2))


@torch_words
def diagflat(x: Any, k: int = 0) -> Tensor:
    """Return a square matrix with the elements of x on diagonal k.

    >>> gg.diagflat([1, 2])
    tensor([[1, 0],
            [0, 2]])
    """
    x = ravel(x)
    n = x.shape[0] + abs(k)
    return diagonal_adjoint(x, shape=(n, n), offset=k)


@torch_words
def diag(x: Any, k: int = 0) -> Tensor:
    """Return diagonal k of a matrix, or the matrix with a vector on diagonal k.

    >>> gg.diag([[1, 2], [3, 4]])
    tensor([1, 4])
    >>> gg.diag([1, 2])
    tensor([[1, 0],
            [0, 2]])
    """
    x = asarray(x)
    if x.ndim not in (1, 2):
        raise ShapeError(f"diag: expected one or two axes, got shape {x.shape}; see diagonal and diag_embed")
    return diagflat(x, k) if x.ndim == 1 else diagonal(x, offset=k)


def diag_embed(x: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return square matrices, in the axes (dim1, dim2), with x's last axis on the diagonal `offset`.

    >>> gg.diag_embed([[1, 2], [3, 4]]).shape
    (2, 2, 2)
    """
    x = asarray(x)
    n = x.shape[-1] + abs(offset)
    if not all(-x.ndim - 1 <= d <= x.ndim for d in (dim1, dim2)):
        raise ShapeError(f"diag_embed: dim1={dim1}, dim2={dim2} are outside the {x.ndim + 1} axes of the result")
    first, second = (d % (x.ndim + 1) for d in (dim1, dim2))
    shape = list(x.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, n)
    return diagonal_adjoint(x, shape=tuple(shape), offset=offset, axis1=first, axis2=second)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Return the sum of the diagonal `offset` of the axes (axis1, axis2).

    >>> gg.trace([[1, 2], [3, 4]])
    tensor(5)
    """
    return diagonal(x, offset=offset, axis1=axis1, axis2=axis2).sum(axis=-1)
