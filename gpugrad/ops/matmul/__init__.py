"""Products of matrices and vectors.

On a CPU a product is a call of the BLAS, and one large call beats many small ones: (B, T, d) @ (d, k) is one product of
(B T, d) by (d, k), and so is the gradient of the second factor.
"""

from math import prod
from typing import Any

from ...autograd.convert import asarray
from ...autograd.op import op, xp
from ...autograd.signature import torch_words
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ..einsum import einsum
from ..shape import axis_of, ravel, reshape

__all__ = [
    "addmm", "baddbmm", "bmm", "dot", "inner", "kron", "matmul", "matvec", "mm", "mv", "outer", "tensordot", "vdot",
    "vecdot", "vecmat",
]  # fmt: skip


def dense(x: Any, w: Any) -> Any:
    """Compute x @ w for a matrix w and any x (..., K), arrays or Tensors, as one product over all leading axes of x.

    If that would copy x, its axes are not merged."""
    if x.ndim > 2 and (isinstance(x, Tensor) or x.flags.c_contiguous or x.itemsize not in x.strides[-2:]):
        return dense(x.reshape(prod(x.shape[:-1]), x.shape[-1]), w).reshape(*x.shape[:-1], w.shape[-1])
    return xp(x).matmul(x, w)


def products(x: Any, out: Any) -> int:
    """Return the multiplications and additions of a product of x (..., K) that gives `out`."""
    return 2 * out.size * x.shape[-1]


def rows_of(x: Any) -> Any:
    """Return x (..., K) as a matrix (N, K); a 1-d x is its only row."""
    return x if x.ndim == 2 else x.reshape(prod(x.shape[:-1]), x.shape[-1])


def _columns(x: Any) -> Any:
    """Return x (..., K, N) as a matrix (K, everything else)."""
    moved = xp(x).moveaxis(x, -2, 0)
    return moved.reshape(moved.shape[0], prod(moved.shape[1:]))


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(4, 2)),
        s.case(s(4), s(4)),
        s.case(s(4), s(4, 3)),
        s.case(s(3, 4), s(4)),
        s.case(s(2, 3, 4), s(4, 2)),
        s.case(s(2, 3, 4), s(4)),
        s.case(s(4), s(2, 4, 3)),
        s.case(s(2, 3, 4), s(2, 4, 2)),
        s.case(s(3, 4), s(2, 4, 2)),
        s.case(s(2, 1, 3, 2), s(3, 2, 2)),
        s.case(s(4, 3).T, s(2, 8)[:, ::2].T),
        s.case(s(3, 2, 4).swapaxes(0, 1), s(4, 2)),
        s.case(s(2, 4, 3).swapaxes(1, 2), s(4, 2)),
        s.case(s(0, 3), s(3, 2)),
        s.case(s(2, 0), s(0, 2)),
        s.case(s(2, 3, 0), s(0, 2)),
        s.case(s(0, 2, 3), s(3, 2)),
    ],
    bench=lambda s: (s.case(s(n, n), s(n, n)) for n in (1024, 128, 256, 512, 2048, 4096)),
    flops=lambda x, out: products(x, out),
    broadcasts=True,
    autocast="low",
    complex="holomorphic",
)
def matmul(x, y):
    """Return the matrix product x @ y: (..., M, K) @ (..., K, N) -> (..., M, N).

    out[..., i, j] = sum_k x[..., i, k] y[..., k, j]. The leading axes are broadcast; a 1-d x is a row, a 1-d y a
    column. Raises ShapeError if the K differ or an input has no axis.

    >>> gg.matmul(gg.tensor([[1.0, 2.0], [3.0, 4.0]]), gg.tensor([10.0, 1.0]))
    tensor([12., 34.])
    """
    try:
        return dense(x, y) if y.ndim == 2 else xp(x).matmul(x, y)
    except ValueError:
        raise ValueError(mismatch(x.shape, y.shape)) from None


def mismatch(x_shape: tuple, y_shape: tuple) -> str:
    """Say why x @ y cannot be computed."""
    product = f"{x_shape} @ {y_shape}"
    if not x_shape or not y_shape:
        return f"{product}: a number is no matrix; use * to multiply by it"
    columns, rows = x_shape[-1], y_shape[-2 if len(y_shape) > 1 else 0]
    if columns != rows:
        return f"{product}: {columns} columns meet {rows} rows"
    return f"{product}: the leading axes {x_shape[:-2]} and {y_shape[:-2]} do not broadcast"


def _matmul_x(g: Any, y: Any, x_shape: tuple) -> Any:
    if y.ndim == 1:
        return xp(g).expand_dims(g, axis=-1) * y
    if len(x_shape) == 1:
        return (y @ xp(g).expand_dims(g, axis=-1)).squeeze(axis=-1)
    if y.ndim == 2:
        return dense(g, y.T)
    if len(x_shape) == 2:
        return xp(g).matmul(_columns(g), _columns(y).T)
    return xp(g).matmul(g, y.swapaxes(-1, -2))


def _matmul_y(g: Any, x: Any, y_shape: tuple) -> Any:
    if x.ndim == 1:
        return x * g if len(y_shape) == 1 else xp(x).expand_dims(x, axis=-1) * xp(g).expand_dims(g, axis=-2)
    if len(y_shape) == 1:
        return rows_of(x).T @ g.reshape(prod(g.shape))
    if len(y_shape) == 2:
        return xp(g).matmul(rows_of(x).T, rows_of(g))
    return xp(g).matmul(x.swapaxes(-1, -2), g)


matmul.vjp(x=_matmul_x, y=_matmul_y)


def tensordot(x: Any, y: Any, axes: Any = 2) -> Tensor:
    """Return the sum of products over pairs of axes of x and y.

    `axes` is a number n, for the last n axes of x and the first n of y, or a pair (axes of x, axes of y). The other
    axes of x come first in the result, then those of y. Raises ShapeError if paired lengths differ.

    >>> gg.tensordot(gg.ones(2, 3), gg.ones(4, 3), axes=(1, 1)).shape
    (2, 4)
    """
    x, y = asarray(x), asarray(y)
    if isinstance(axes, int):
        axes = (range(x.ndim - axes, x.ndim), range(axes))
    ours, theirs = ([a] if isinstance(a, int) else list(a) for a in axes)
    ours, theirs = ([axis_of("tensordot", t, a) for a in given] for t, given in ((x, ours), (y, theirs)))
    if [x.shape[a] for a in ours] != [y.shape[a] for a in theirs]:
        raise ShapeError(f"tensordot: axes {ours} of {x.shape} and {theirs} of {y.shape} differ in number or length")
    left = list(range(x.ndim))
    right = [ours[theirs.index(a)] if a in theirs else x.ndim + a for a in range(y.ndim)]
    out = [a for a in left if a not in ours] + [a for a in right if a >= x.ndim]
    return einsum(f"{_letters(left)},{_letters(right)}->{_letters(out)}", x, y)


def _letters(numbers: Any) -> str:
    """Return the subscripts of einsum for axis numbers below 52."""
    return "".join(chr(ord("a") + n if n < 26 else ord("A") + n - 26) for n in numbers)


def dot(x: Any, y: Any) -> Tensor:
    """Return NumPy's dot: (..., K), (..., K, N) -> (..., ..., N).

    It is the product of vectors or matrices, a multiple for a scalar, and otherwise the sum over the last axis of x and
    the last but one of y.

    >>> gg.dot(gg.tensor([1.0, 2.0]), gg.tensor([3.0, 4.0]))
    tensor(11.)
    """
    x, y = asarray(x), asarray(y)
    if not x.ndim or not y.ndim:
        return x * y
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, axes=(-1, -2 if y.ndim > 1 else 0))


def _conjugated(x: Any) -> Tensor:
    x = asarray(x)
    return x.conj() if x.dtype.kind == "c" else x


def vdot(x: Any, y: Any) -> Tensor:
    """Return the sum of products of the elements of x, conjugated if complex, and y, both flattened.

    >>> gg.vdot(gg.ones(2, 2), gg.ones(2, 2))
    tensor(4.)
    """
    return matmul(_conjugated(ravel(x)), ravel(y))


def inner(x: Any, y: Any) -> Tensor:
    """Return the sum of products over the last axes: (..., K), (..., K) -> (..., ...).

    >>> gg.inner(gg.tensor([[1, 2], [3, 4]]), gg.tensor([1, 1]))
    tensor([3, 7])
    """
    x, y = asarray(x), asarray(y)
    return tensordot(x, y, axes=(-1, -1)) if x.ndim and y.ndim else x * y


def outer(x: Any, y: Any) -> Tensor:
    """Return the products x_i y_j of the elements of x and y, both flattened: (M,), (N,) -> (M, N).

    >>> gg.outer(gg.tensor([1, 2]), gg.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    return reshape(x, shape=(-1, 1)) * reshape(y, shape=(1, -1))


def kron(x: Any, y: Any) -> Tensor:
    """Return the Kronecker product: y multiplied by each element of x, side by side; shapes multiply.

    >>> gg.kron(gg.tensor([1, 2]), gg.tensor([1, 1]))
    tensor([1, 1, 2, 2])
    """
    x, y = asarray(x), asarray(y)
    n = max(x.ndim, y.ndim)
    a, b = (1,) * (n - x.ndim) + x.shape, (1,) * (n - y.ndim) + y.shape
    apart = reshape(x, shape=[k for m in a for k in (m, 1)]) * reshape(y, shape=[k for m in b for k in (1, m)])
    return reshape(apart, shape=[p * q for p, q in zip(a, b, strict=True)])


@torch_words
def vecdot(x: Any, y: Any, axis: int = -1) -> Tensor:
    """Return the sum of products along `axis` of x, conjugated if complex, and y; the other axes are broadcast.

    >>> gg.vecdot(gg.tensor([[1, 2], [3, 4]]), gg.tensor([1, 1]))
    tensor([3, 7])
    """
    x, y = _conjugated(x), asarray(y)
    if x.shape[axis] != y.shape[axis]:
        raise ShapeError(f"vecdot: axis {axis} has different lengths in {x.shape} and {y.shape}")
    if axis == -1:
        return einsum("...i,...i->...", x, y)
    return (x * y).sum(axis=axis)


def matvec(x: Any, v: Any) -> Tensor:
    """Multiply matrices by vectors: (..., M, K), (..., K) -> (..., M).

    >>> gg.matvec(gg.tensor([[1, 2], [3, 4]]), gg.tensor([1, 1]))
    tensor([3, 7])
    """
    return einsum("...ij,...j->...i", x, v)


def vecmat(v: Any, x: Any) -> Tensor:
    """Multiply vectors, conjugated if complex, by matrices: (..., K), (..., K, N) -> (..., N).

    >>> gg.vecmat(gg.tensor([1, 1]), gg.tensor([[1, 2], [3, 4]]))
    tensor([4, 6])
    """
    return einsum("...i,...ij->...j", _conjugated(v), x)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """Return beta * input + alpha * (mat1 @ mat2).

    >>> gg.addmm(gg.ones(2, 2), gg.eye(2), gg.eye(2), alpha=2)
    tensor([[3., 1.],
            [1., 3.]])
    """
    product = matmul(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    return product + (input if beta == 1 else asarray(input) * beta) if beta else product


bmm = mm = mv = matmul
baddbmm = addmm
