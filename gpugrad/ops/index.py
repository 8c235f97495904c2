"""Indexing, gathering and scattering.

Reading at an index and adding at an index are each other's gradient, so `getitem`, `take` and `take_along_axis` all
lead to one op, `put_add`. Where an index names an element several times, sums are taken in a fixed order.
"""

from math import prod
from types import EllipsisType
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import Fixed, op, xp
from ..backend.cuda.indices import check, check_axis

__all__ = [
    "gather", "index_add", "index_select", "masked_fill", "scatter_add", "take", "take_along_axis",
]  # fmt: skip


def _checked(index: Any, shape: tuple) -> Any:
    """Return `index` for an array of this shape. Raises TypeError (and so DTypeError) if a part of it is no index."""
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if isinstance(part, (int, slice, list, tuple, range, np.integer, np.bool_, EllipsisType)) or part is None:
            continue
        if not hasattr(part, "dtype") or part.dtype.kind not in "iub":
            kind = getattr(part, "dtype", type(part).__name__)
            raise TypeError(f"an index is made of ints, slices, ..., None, and integer or bool tensors; got {kind}")
    check(index, shape)
    return index


def _is_basic(index: Any) -> bool:
    """Return whether `index` selects by ints and slices alone, so that no element is named twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or isinstance(part, (int, np.integer, slice, EllipsisType)) for part in parts)


def _is_mask(index: Any) -> bool:
    return getattr(index, "dtype", None) == np.bool_


@op(
    samples=lambda s: [
        s.case(s(3, 4), index=1),
        s.case(s(3, 4), index=(slice(None, None, -2), None)),
        s.case(s(2, 3, 4), index=(..., -1)),
        s.case(s(3, 4), index=(slice(1, 1),)),
        s.case(s(4, 3), index=s.ints(4, 5)),
        s.case(s(3, 4), index=s.bools(3, 4)),
        s.case(s(3, 4), index=(np.array([0, 2, 0]), np.array([1, 1, 1]))),
        s.case(s(3, 4), index=(slice(None), s.ints(4, 2, 2))),
        s.case(s(2, 3, 4), index=(s.ints(2, 3), slice(1, 3), s.ints(4, 3))),
        s.case(s(), index=()),
        s.case(s(3, 4), index=[0, 0]),
    ],
    view=True,
    exact=True,
    dtypes="own",
    complex=True,
)
def getitem(x, *, index):
    """Return x[index], with all of NumPy's indexing: ints, slices, None, ..., integer arrays and boolean masks."""
    return x[_checked(index, x.shape)]


getitem.vjp(x=lambda g, index, x_shape: xp(g).put_add(g, index=index, shape=x_shape))


@op(
    samples=lambda s: [
        s.case(s(4), index=1, shape=(3, 4)),
        s.case(s(3, 2), index=(slice(None), np.array([1, 1])), shape=(3, 4)),
        s.case(s(5), index=(np.array([0, 2, 0, 0, 1]),), shape=(3,)),
        s.case(s(2, 4), index=np.array([2, 2]), shape=(3, 4)),
        s.case(s(2), index=np.array([True, False, True]), shape=(3,)),
    ],
    exact_gradient=True, broadcasts=True,
    complex=True,
)  # fmt: skip
def put_add(x, *, index, shape):
    """Return zeros of `shape` with x added at `index`, the adjoint of x[index]. Repeated positions add up in their
    order.
    """
    if not (_is_basic(index) or _is_mask(index)):
        return _add_at(shape, index, x)
    out = xp(x).zeros(shape, x.dtype)
    out[index] = x
    return out


put_add.vjp(x=lambda g, index: g[index])


def _add_at(shape: tuple, index: Any, x: Any) -> Any:
    """Return zeros of `shape` with x added at an index that has arrays in it.

    Only the axes that the index names are looked up; those behind them move as a whole.
    """
    index = _checked(index, shape)
    parts = index if isinstance(index, tuple) else (index,)
    whole = all(hasattr(p, "dtype") and p.dtype != np.bool_ or isinstance(p, (int, list, range)) for p in parts)
    named, rest = (shape[: len(parts)], shape[len(parts) :]) if whole else (shape, ())
    count = prod(named)
    numbers = xp(x).arange(count).reshape(named)[index].reshape(-1)
    return xp(x).segment_sum(x.reshape(len(numbers), prod(rest)), numbers, num_segments=count).reshape(shape)


@op(
    samples=lambda s: [
        s.case(s(3, 4), index=1),
        s.case(s(3, 4), index=np.array([0, 0])),
        s.case(s(3, 4), index=s.bools(3, 4)),
    ],
    exact=True,
    complex=True,
)
def clear(x, *, index):
    """Return a copy of x with zeros at `index`."""
    out = x.copy()
    out[_checked(index, out.shape)] = 0
    return out


clear.vjp(x=lambda g, index: xp(g).clear(g, index=index))


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(4), index=1),
        s.case(s(3, 4), s(), index=(slice(None), 2)),
        s.case(s(3, 4), s(3, 2), index=(..., slice(0, 2))),
        s.case(s(4), s(2), index=np.array([1, 3])),
        s.case(s(3, 4), s(), index=np.arange(12).reshape(3, 4) % 3 == 0),
    ],
    exact=True,
    broadcasts=True,
    complex=True,
)
def setitem(x, value, *, index):
    """Return a copy of x with `value`, broadcast, at `index`."""
    out = x.copy()
    out[_checked(index, out.shape)] = value
    return out


setitem.vjp(x=lambda g, index: xp(g).clear(g, index=index), value=lambda g, index: g[index])


def _index_on_axis(indices: Any, axis: int, ndim: int) -> tuple:
    return (slice(None),) * (axis % ndim) + (indices,)


@op(
    samples=lambda s: [
        s.case(s(3, 4), s.ints(3, 5), axis=0),
        s.case(s(3, 4), s.ints(4, 2, 2), axis=-1),
        s.case(s(3, 4), s.ints(12, 3)),
        s.case(s(3, 4), np.array(2), axis=1),
        s.case(s(3, 4), np.zeros((0,), np.int64), axis=1),
    ],
    exact=True,
    complex=True,
)
def take(x, indices: Fixed, *, axis=None):
    """Return the elements of x at `indices`, or its slices along `axis`; axis=None takes from the flattened x.

    >>> gg.take(gg.tensor([10, 20, 30]), [2, 0])
    tensor([30, 10])
    """
    check_axis(indices, x.size if axis is None else x.shape[axis], axis)
    return xp(x).take(x, indices, axis=axis)


def _take_adjoint(g: Any, indices: Any, axis: int | None, x_shape: tuple) -> Any:
    if axis is None:
        return xp(g).put_add(g, index=(indices,), shape=(prod(x_shape),)).reshape(x_shape)
    return xp(g).put_add(g, index=_index_on_axis(indices, axis, len(x_shape)), shape=x_shape)


take.vjp(x=_take_adjoint)


def _index_along_axis(indices: Any, axis: int) -> tuple:
    """Return the index that takes `indices` along `axis`, and along the others each position itself."""
    ns = xp(indices)
    sizes = [[-1 if i == j else 1 for j in range(indices.ndim)] for i in range(indices.ndim)]
    grid = [ns.arange(n).reshape(size) for n, size in zip(indices.shape, sizes, strict=True)]
    grid[axis] = indices
    return tuple(grid)


@op(
    samples=lambda s: [
        s.case(s(3, 4), s.ints(4, 3, 2), axis=1),
        s.case(s(3, 4), s.ints(3, 5, 4), axis=0),
        s.case(s(2, 3, 4), s.ints(4, 2, 3, 1)),
    ],
    exact=True,
    complex=True,
)
def take_along_axis(x, indices: Fixed, *, axis=-1):
    """Return the elements out[..., i, ...] = x[..., indices[..., i, ...], ...] along `axis`; indices has x's rank.

    >>> gg.take_along_axis(gg.tensor([[1, 2], [3, 4]]), [[1], [0]], axis=1)
    tensor([[2],
            [3]])
    """
    check_axis(indices, x.shape[axis], axis)
    return (
        x[_index_along_axis(indices, axis)]
        if _other_axes_agree(x, indices, axis)
        else xp(x).take_along_axis(x, indices, axis)
    )


def _cropped(x: Any, indices: Any, axis: int) -> Any:
    """x as far as `indices` reaches along the axes other than `axis`."""
    if x.ndim != indices.ndim or all(n <= m for n, m in zip(x.shape, indices.shape, strict=True)):
        return x
    return x[tuple([slice(None) if i == axis % x.ndim else slice(n) for i, n in enumerate(indices.shape)])]


def _other_axes_agree(x: Any, indices: Any, axis: int) -> bool:
    """Whether the other axes agree exactly (NumPy's own function also broadcasts them)."""
    a, b = list(x.shape), list(indices.shape)
    if len(a) != len(b):
        raise ValueError(f"indices has {len(b)} axes, x has {len(a)}")
    a[axis] = b[axis] = 0
    return a == b


take_along_axis.vjp(x=lambda g, indices, axis, x_shape: xp(g).put_along(g, indices, axis=axis, shape=x_shape))


@op(
    samples=lambda s: [
        s.case(s(3, 2), s.ints(4, 3, 2), axis=1, shape=(3, 4)),
        s.case(s(5, 4), s.ints(3, 5, 4), axis=0, shape=(3, 4)),
    ],
    exact_gradient=True,
    scalar_axis=False,
    complex=True,
)
def put_along(x, indices: Fixed, *, axis, shape):
    """Return zeros of `shape` with x added at `indices` along `axis`: the adjoint of `take_along_axis`."""
    return _add_at(shape, _index_along_axis(indices, axis), x)


put_along.vjp(x=lambda g, indices, axis: xp(g).take_along_axis(g, indices, axis=axis))


@op(
    samples=lambda s: [
        s.case(s(2, 3), np.array([[4, 0, 1], [3, 1, 2]]), size=5),
        s.case(s(3), np.array([1, 1, 0]), size=2, smooth=False, gradient={"x": [1, 1, 1]}),
        s.case(s(0, 2), np.zeros((0, 2), np.int64), size=3),
    ],
    exact_gradient=True,
    complex=True,
)
def put_last(x, indices: Fixed, *, size):
    """Put the elements of x (..., K) at `indices` along the last axis of zeros (..., size).

    Of repeated ones the last stays, and those outside are left out. The gradient goes to all of them.
    """
    ns = xp(x)
    out = ns.zeros((*x.shape[:-1], size + 1), x.dtype)
    out[_index_along_axis(ns.where((indices < 0) | (indices >= size), size, indices), -1)] = x
    return out[..., :size]


put_last.vjp(x=lambda g, indices: xp(g).take_along_axis(g, indices, axis=-1))


@op(
    samples=lambda s: [
        s.case(s(3, 4), s.ints(4, 3, 2), s(3, 2), axis=1),
        s.case(s(4), s.ints(4, 6), s(6), axis=0),
        s.case(s(4, 3), s.ints(3, 2, 2), s(2, 2), axis=1),
    ],
    exact_gradient=True,
    inplace=True,
    complex=True,
)
def scatter_add(x, indices: Fixed, source, *, axis=-1):
    """Return x with `source` added at `indices` along `axis`: x[..., indices[i], ...] += source[i]. Repeats add up.

    >>> gg.scatter_add(gg.zeros(3), [0, 2, 2], gg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 0., 5.])
    """
    return x + _add_at(x.shape, _index_along_axis(indices, axis), source)


scatter_add.vjp(
    x=lambda g: g, source=lambda g, indices, axis: xp(g).take_along_axis(_cropped(g, indices, axis), indices, axis=axis)
)


@op(
    samples=lambda s: [s.case(s(3, 4), s.ints(3, 5), s(5, 4), axis=0), s.case(s(3, 4), s.ints(4, 2), s(3, 2), axis=1)],
    exact_gradient=True,
    inplace=True,
    complex=True,
)
def index_add(x, indices: Fixed, source, *, axis):
    """Return x with the slices of `source` added at the 1-d `indices` along `axis`; repeated indices add up.

    >>> gg.index_add(gg.zeros(2, 2), [1, 1], gg.ones(2, 2), axis=0)
    tensor([[0., 0.],
            [2., 2.]])
    """
    return x + _add_at(x.shape, _index_on_axis(indices, axis, x.ndim), source)


index_add.vjp(x=lambda g: g, source=lambda g, indices, axis: xp(g).take(g, indices, axis=axis))


def gather(x, dim, index):
    """Gather the elements at `index` along `dim`, as PyTorch does.

    It is `take_along_axis` for an index that may be shorter than x along the other axes, and that is not broadcast.

    >>> gg.gather(gg.tensor([[1, 2], [3, 4]]), 1, [[1], [0]])
    tensor([[2],
            [3]])
    """
    x, index = asarray(x), asarray(index)
    if not index._array.size:
        return x.reshape(-1)[:0].reshape(index.shape)
    return take_along_axis(_cropped(x, index, dim) if x.ndim else x, index, axis=dim)


def index_select(x, dim, index):
    """Select the slices at a 1-d `index` along `dim`: `take` under PyTorch's name. A 0-d x stays 0-d.

    >>> gg.index_select(gg.tensor([[1, 2], [3, 4]]), 0, [1])
    tensor([[3, 4]])
    """
    x = asarray(x)
    return take(x, index, axis=dim) if x.ndim else take(x.reshape((1,)), index, axis=dim).reshape(())


@op(
    samples=lambda s: [s.case(s(3, 4), s.bools(3, 4), s()), s.case(s(3, 4), s.bools(4), s())],
    inplace=True,
    complex=True,
)
def masked_fill(x, mask: Fixed, value):
    """Return x where `mask` is False and `value` (0-d) where it is True; the mask is broadcast to x.

    >>> gg.masked_fill(gg.tensor([1.0, 2.0]), [True, False], 0.0)
    tensor([0., 2.])
    """
    return xp(x).where(mask, value, x)


masked_fill.vjp(
    x=lambda g, mask: g * (mask == 0).astype(g.dtype), value=lambda g, mask: (g * mask.astype(g.dtype)).sum()
)
