"""Norms of vectors and matrices. The gradient of a norm at zero is taken as zero."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.plan import raised
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..backend.devices import CPU
from ..errors import ShapeError
from .decompose import svdvals
from .elementwise.arithmetic import direction, infinite_for_zero
from .shape import expand_dims, moveaxis

__all__ = ["matrix_norm", "norm", "vector_norm"]

_INF = float("inf")


def _with_kept_axes(value: Any, axis: Any, ndim: int, keepdims: bool) -> Any:
    """Return `value`, a reduction over `axis`, with the dropped axes put back at length 1."""
    if keepdims:
        return value
    if axis is None:
        return value.reshape((1,) * ndim)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return xp(value).expand_dims(value, axis=tuple(a % ndim for a in axes))


def squares(x: Any) -> Any:
    """Return the squares of the sizes of the elements of a raw array."""
    return x * x if x.dtype.kind != "c" else x.real * x.real + x.imag * x.imag


def p_norm(x: Any, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    """Return `vector_norm` of a raw array, in float32 for 16-bit floats."""
    x, ns = raised(x), xp(x)
    if ord == 2 and axis is None and ns is CPU.xp:  # cuBLAS is no faster, and cannot be captured in a graph
        flat = x.reshape(-1)
        out = ns.sqrt(ns.vdot(flat, flat).real)
        return out.reshape((1,) * x.ndim) if keepdims else out
    if ord == 2:
        return ns.sqrt(squares(x).sum(axis=axis, keepdims=keepdims))
    size = ns.abs(x)
    if ord in (_INF, -_INF):
        return (size.max if ord > 0 else size.min)(axis=axis, keepdims=keepdims)
    if ord == 0:
        return (x != 0).astype(size.dtype).sum(axis=axis, keepdims=keepdims)
    if ord == 1:
        return size.sum(axis=axis, keepdims=keepdims)
    return (size**ord).sum(axis=axis, keepdims=keepdims) ** (1 / ord)


@op(
    samples=lambda s: [
        s.case(s.away(3, 4)),
        s.case(s.away(3, 4), axis=1),
        s.case(s.away(2, 3, 4), axis=(0, -1), keepdims=True),
        s.case(s.away(5), ord=1),
        s.case(s.away(3, 4), ord=3, axis=0),
        s.case(s.away(3, 4), ord=1.5, keepdims=True),
        s.case(s.distinct(3, 4), ord=float("inf"), axis=1),
        s.case(s.distinct(3, 4), ord=-float("inf"), axis=-2),
        s.case(s.away(4), ord=0),
        s.case(s.away(3), ord=-2),
        s.case(s.away(4, 3).T, axis=0),
        s.case(s(0, 3), axis=0),
        s.case(s.away(3) * 0, smooth=False),
        *(s.case(np.array([0.0, 2.0, -3.0]), ord=o, smooth=False) for o in (-2, -1, 0, 0.5, 1.5, -_INF)),
        s.case(np.array([2.0, -2.0]), ord=_INF, smooth=False),
        s.case(s.away(), axis=None),
    ],
    dtypes="float",
    autocast={"cuda": "float32"},
    complex=True,
)
def vector_norm(x, *, ord=2, axis=None, keepdims=False):
    """Return (sum |x_i|^ord)^(1/ord) over `axis`, or over all elements.

    ord=inf gives max |x_i|, -inf gives min |x_i|, and 0 the number of elements that are not zero. Elements that tie for
    the maximum (minimum) share its gradient.

    >>> gg.vector_norm(gg.tensor([3.0, 4.0])), gg.vector_norm(gg.tensor([3.0, -4.0]), ord=1)
    (tensor(5.), tensor(7.))
    """
    return p_norm(x, ord, axis, keepdims)


def _vector_norm_rule(g: Any, x: Any, out: Any, axis: Any, keepdims: bool, ord: float) -> Any:
    ns = xp(g)
    g, out = _with_kept_axes(g, axis, x.ndim, keepdims), _with_kept_axes(out, axis, x.ndim, keepdims)
    if ord == 2:
        return x * (g / infinite_for_zero(out))
    if ord == 0:
        return xp(x).zeros_like(x)
    sign = direction(x)
    if ord == 1:
        return g * sign
    size = xp(x).absolute(x) if x.dtype.kind == "c" else x * sign
    if ord in (_INF, -_INF):
        best = (size == out).astype(size.dtype)
        return g * sign * (best / best.sum(axis=axis, keepdims=True))
    zero = (size == 0) | (out == 0)
    ratio = ns.where(zero, 1.0, size / infinite_for_zero(out))
    return ns.keep_where(g * sign * ratio ** (ord - 1), ~zero)


vector_norm.vjp(x=_vector_norm_rule)


@torch_words
def matrix_norm(
    x: Any, ord: Any = "fro", axis: tuple[int, int] = (-2, -1), keepdims: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return the norm of the matrices in two axes, by default the last ones.

    ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2 (largest, smallest singular
    value), 1 and -1 (largest, smallest sum of a column), inf and -inf (of a row).

    >>> gg.matrix_norm(gg.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    x = asarray(x, dtype=dtype)
    if x.ndim < 2 or len(axis) != 2:
        raise ShapeError(f"matrix_norm: expected two axes, got axis={axis} of shape {x.shape}")
    if tuple(axis) != (-2, -1):
        out = matrix_norm(moveaxis(x, tuple(axis), (-2, -1)), ord)
        return expand_dims(out, axis=tuple(a % x.ndim for a in axis)) if keepdims else out
    if ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in ("nuc", 2, -2):
        values = svdvals(x)
        out = values.sum(axis=-1) if ord == "nuc" else values.max(axis=-1) if ord == 2 else values.min(axis=-1)
    elif ord in (1, -1, _INF, -_INF):
        sums = vector_norm(x, axis=-2 if ord in (1, -1) else -1, ord=1)
        out = sums.max(axis=-1) if ord > 0 else sums.min(axis=-1)
    else:
        raise ShapeError(f"matrix_norm: ord is 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return expand_dims(out, axis=(-2, -1)) if keepdims else out


@torch_words
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """Return NumPy's norm: `vector_norm` over one axis, `matrix_norm` over two, and without `axis` and `ord` of all
    elements.

    ord: None is 2 for vectors and "fro" for matrices. Raises ShapeError for an ord or a number of axes that does not
    fit.

    >>> gg.norm(gg.tensor([[3.0, 0.0], [0.0, 4.0]])), gg.norm(gg.tensor([[3.0, 4.0]]), axis=1)
    (tensor(5.), tensor([5.]))
    """
    x = asarray(x, dtype=dtype)
    if isinstance(ord, str) and (x.ndim if axis is None else len(axis) if isinstance(axis, (tuple, list)) else 1) != 2:
        raise ShapeError(f"norm: ord={ord!r} is defined over two axes, got axis={axis} of shape {x.shape}")
    if axis is None and (ord is None or x.ndim == 1):
        out = vector_norm(x, ord=2 if ord is None else ord)
        return out.reshape((1,) * x.ndim) if keepdims else out
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) not in (1, 2):
        raise ShapeError(f"norm: ord={ord!r} is defined over one axis or two, got axis={axis} of shape {x.shape}")
    if len(axes) == 1:
        return vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    return matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)
