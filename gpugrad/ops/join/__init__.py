"""Joining arrays, cutting them and repeating them."""

from collections.abc import Sequence
from functools import reduce
from math import prod
from operator import add
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.graph import op_for
from ...autograd.op import Many, op, xp
from ...autograd.tensor import Tensor
from ...autograd.views import View
from ...errors import DTypeError, ShapeError
from ..index import getitem
from ..shape import atleast_1d, atleast_2d, atleast_3d, axis_of, transpose

__all__ = [
    "array_split", "cat", "chunk", "column_stack", "concat", "concatenate", "dstack", "hstack", "narrow", "split",
    "stack", "unbind", "unstack", "vstack",
]  # fmt: skip


@op(
    samples=lambda s: [
        s.case([s(2, 3), s(4, 3)]),
        s.case([s(2, 3), s(2, 1), s(2, 0)], axis=-1),
        s.case([s(2, 3), s(4)], axis=None),
        s.case([s(3)]),
        s.case([s(3, 2).T, s(2, 6)[:, ::2]], axis=0),
    ],
    exact=True,
    complex=True,
)
def concatenate(arrays: Many, *, axis=0):
    """Return the arrays one after the other along `axis`; their other axes agree. axis=None flattens them first.

    Raises ShapeError if shapes differ elsewhere, or for arrays without axes.

    >>> gg.concatenate([gg.tensor([1, 2]), gg.tensor([3])])
    tensor([1, 2, 3])
    """
    return xp(arrays[0]).concatenate(arrays, axis=axis)


def _concatenate_rule(g: Any, arrays_shape: tuple, i: int, axis: Any) -> Any:
    shape = arrays_shape[i]
    if axis is None:
        start = sum(map(prod, arrays_shape[:i]))
        return g[start : start + prod(shape)].reshape(shape)
    axis %= g.ndim
    start = sum(s[axis] for s in arrays_shape[:i])
    return g[(slice(None),) * axis + (slice(start, start + shape[axis]),)]


concatenate.vjp(arrays=_concatenate_rule)


@op(
    samples=lambda s: [
        s.case([s(2, 3), s(2, 3)]),
        s.case([s(2, 3), s(2, 3), s(3, 2).T], axis=-1),
        s.case([s(), s()]),
        s.case([s(0, 2), s(0, 2)], axis=1),
    ],
    exact=True,
    complex=True,
)
def stack(arrays: Many, *, axis=0):
    """Join arrays of one shape along a new axis `axis` of the result.

    >>> gg.stack([gg.tensor([1, 2]), gg.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return xp(arrays[0]).stack(arrays, axis=axis)


stack.vjp(arrays=lambda g, i, axis: g[(slice(None),) * (axis % g.ndim) + (i,)])


@op(
    samples=lambda s: [
        s.case(s(5, 2), at=(2, 3)),
        s.case(s(2, 5), at=(1,), axis=-1),
        s.case(s(3), at=(0, 5)),
        s.case(s(4, 2), at=(3, 1, -1)),
        s.case(s(0, 2), at=(), axis=1),
    ],
    exact=True,
    dtypes="own",
    scalar_axis=False,
    complex=True,
)
def cut(x, *, at, axis=0):
    """Cut x before each position in `at` along `axis` into len(at) + 1 views, whose gradients join in one array."""
    return tuple(x[index] for index in _pieces(x.shape, at, axis))


def _cut_rule(g: Any, at: Sequence[int], axis: int, x_shape: tuple) -> Any:
    bounds = [0, *at, x_shape[axis]]
    if bounds == sorted(bounds):
        return op_for("concatenate", g[0])(g, axis=axis)
    pieces = zip(g, _pieces(x_shape, at, axis), strict=True)  # they overlap, or leave gaps
    return reduce(add, (xp(part).put_add(part, index=index, shape=x_shape) for part, index in pieces))


cut.vjp(x=_cut_rule)


def _pieces(shape: tuple, at: Sequence[int], axis: int) -> list[tuple]:
    """Return the indices of the pieces. As in NumPy, a piece that ends before it starts is empty."""
    if not shape:
        raise ShapeError("a 0-d tensor has no axis to cut")
    before = (slice(None),) * (axis % len(shape))
    length = shape[axis]
    bounds = [0, *at, length]
    return [(*before, slice(a, b)) for a, b in zip(bounds, bounds[1:], strict=False)]


@op(
    samples=lambda s: [s.case(s(3, 2)), s.case(s(2, 3), axis=-1), s.case(s(3)), s.case(s(2, 0), axis=0)],
    exact=True,
    dtypes="own",
    scalar_axis=False,
    complex=True,
)
def unstack(x, *, axis=0):
    """Return the slices of x along `axis`, without that axis: a tuple of x.shape[axis] views.

    >>> gg.unstack(gg.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    if not x.ndim:
        raise ValueError("a 0-d tensor has no axis to unstack")
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, i, ...)] for i in range(x.shape[axis]))


unstack.vjp(x=lambda g, axis: xp(g[0]).stack(g, axis=axis))


def _cut_views(x: Tensor, at: Sequence[int], axis: int) -> list[Tensor]:
    """Cut x as `cut` does, and note that the pieces are views of x, so that in-place changes go through them."""
    pieces = cut(x, at=tuple(at), axis=axis)
    for piece, index in zip(pieces, _pieces(x.shape, at, axis), strict=True):
        piece._view = View.of(getitem, x, {"index": index}, piece._array)
    return list(pieces)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut x along `axis` into a number of parts, the first ones longer by one if necessary, or before the positions
    given.

    >>> gg.array_split(gg.arange(5), 2)
    [tensor([0, 1, 2]), tensor([3, 4])]
    """
    x = asarray(x)
    axis = axis_of("array_split", x, axis)
    if not isinstance(indices_or_sections, (int, np.integer)):
        return _cut_views(x, [int(i) for i in indices_or_sections], axis)
    if indices_or_sections < 1:
        raise ShapeError(f"array_split: the number of parts must be positive, got {indices_or_sections}")
    each, longer = divmod(x.shape[axis], int(indices_or_sections))
    return _cut_views(x, [i * each + min(i, longer) for i in range(1, int(indices_or_sections))], axis)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut x along `axis` into equal parts, or before the positions given: a list of views.

    Raises ShapeError if a number of parts does not divide the length. With PyTorch's words, split(x, 2, dim=0), the
    number is the size of a part.

    >>> gg.split(gg.arange(6), 3)
    [tensor([0, 1]), tensor([2, 3]), tensor([4, 5])]
    """
    x = asarray(x)
    length = x.shape[axis_of("split", x, axis)]
    if isinstance(indices_or_sections, (int, np.integer)) and indices_or_sections > 0 and length % indices_or_sections:
        raise ShapeError(f"split: axis {axis} of shape {x.shape} has no {indices_or_sections} equal parts")
    return array_split(x, indices_or_sections, axis)


def chunk(x: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut x into at most `chunks` parts of equal length along `dim`, the last one perhaps shorter (PyTorch's chunk).

    An axis without elements gives as many empty parts.

    >>> gg.chunk(gg.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    x = asarray(x)
    axis = axis_of("chunk", x, dim)
    if chunks < 1:
        raise ShapeError(f"chunk: the number of parts must be positive, got {chunks}")
    if not x.shape[axis]:
        return tuple(_cut_views(x, [0] * (chunks - 1), axis))
    each = -(-x.shape[axis] // chunks)
    return tuple(_cut_views(x, range(each, x.shape[axis], each), axis))


def unbind(x: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the slices of x along `dim`: `unstack` under PyTorch's name.

    >>> gg.unbind(gg.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    return unstack(x, axis=dim)


def narrow(x: Any, dim: int, start: int, length: int) -> Tensor:
    """Return the `length` slices of x from `start` on along `dim`, a view. Raises ShapeError if they are not all there.

    >>> gg.narrow(gg.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    x = asarray(x)
    axis = axis_of("narrow", x, dim)
    first = start + x.shape[axis] if start < 0 else start
    if length < 0 or not 0 <= first <= first + length <= x.shape[axis]:
        raise ShapeError(f"narrow: start={start}, length={length} reach outside axis {dim} of shape {x.shape}")
    return getitem(x, index=(slice(None),) * axis + (slice(first, first + length),))


def vstack(arrays: Sequence) -> Tensor:
    """Join the arrays along axis 0; 1-d ones are rows.

    >>> gg.vstack([gg.tensor([1, 2]), gg.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return concatenate([atleast_2d(a) for a in arrays], axis=0)


def hstack(arrays: Sequence) -> Tensor:
    """Join the arrays along axis 1; 1-d ones along axis 0.

    >>> gg.hstack([gg.tensor([1, 2]), gg.tensor([3])])
    tensor([1, 2, 3])
    """
    arrays = [atleast_1d(a) for a in arrays]
    return concatenate(arrays, axis=0 if arrays and arrays[0].ndim == 1 else 1)


def dstack(arrays: Sequence) -> Tensor:
    """Join the arrays along axis 2, after giving them at least three axes.

    >>> gg.dstack([gg.tensor([1, 2]), gg.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return concatenate([atleast_3d(a) for a in arrays], axis=2)


def column_stack(arrays: Sequence) -> Tensor:
    """Join the arrays along axis 1; 1-d ones are columns.

    >>> gg.column_stack([gg.tensor([1, 2]), gg.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    columns = [asarray(a) for a in arrays]
    return concatenate([transpose(atleast_2d(a)) if a.ndim < 2 else a for a in columns], axis=1)


def cat(tensors: Sequence, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """Join Tensors along `dim` (default 0): PyTorch's `concatenate`, in which those of shape (0,) go with any others.

    >>> gg.cat([gg.zeros(0), gg.ones(2, 1)], dim=1)
    tensor([[1.],
            [1.]])
    """
    if dim is not None and axis is not None:
        raise DTypeError(f"cat: dim={dim} and axis={axis} are one argument, given twice")
    axis = (dim or 0) if axis is None else axis
    given = [asarray(t) for t in tensors] if isinstance(tensors, (list, tuple)) else tensors
    return concatenate([t for t in given if t.shape != (0,)] or given, axis=axis)


concat = concatenate
