"""Sorting, searching and counting. Order is data: gradients go back to where the values came from."""

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import raw
from ..autograd.op import Fixed, op, xp
from ..autograd.tensor import Tensor
from ..backend.dtypes import int32, int64

__all__ = [
    "argsort", "argwhere", "bincount", "digitize", "flatnonzero", "histogram", "isin", "nonzero", "searchsorted",
    "sort", "topk", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values",
]  # fmt: skip


def _order(x: Any, axis: int | None, descending: bool) -> Any:
    """Return the indices that sort a raw array; equal elements keep their order, with `descending` too."""
    ns = xp(x)
    if not descending:
        return ns.argsort(x, axis=axis, kind="stable")
    if axis is None:
        x, axis = x.reshape(-1), 0
    if not x.ndim:
        return ns.argsort(x, axis=axis, kind="stable")
    backwards = ns.flip(ns.argsort(ns.flip(x, axis), axis=axis, kind="stable"), axis)
    return x.shape[axis] - 1 - backwards


def _check_kind(kind: Any, order: Any) -> None:
    """Raise TypeError (and so DTypeError) for what NumPy's `kind` and `order` cannot be here."""
    if kind not in (None, "quicksort", "mergesort", "heapsort", "stable"):
        raise TypeError(f"kind is 'quicksort', 'mergesort', 'heapsort' or 'stable', got {kind!r}")
    if order is not None:
        raise TypeError(f"order names fields, which a Tensor does not have, got {order!r}")


_SORTS: tuple[dict, ...] = ({}, {"axis": 0}, {"axis": 0, "descending": True}, {"axis": None})


@op(
    samples=lambda s: [
        *(s.case(s.distinct(3, 4), **kw) for kw in _SORTS),
        s.case(s.distinct(4, 3).T),
        s.case(s(0, 3)),
        s.case(s(3, 0), descending=True),
        s.case(np.tile(s.distinct(2, 4), (1, 2)), smooth=False),
    ],
    complex=True,
)
def sort(x, *, axis=-1, kind=None, order=None, descending=False, stable=True):
    """Return x in ascending order along `axis` (None: flattened). Equal elements keep their order; NaN counts as the
    largest. kind (NumPy's names of algorithms) and stable change nothing.

    >>> gg.sort(gg.tensor([3, 1, 2])), gg.sort(gg.tensor([3, 1, 2]), axis=0, descending=True)
    (tensor([1, 2, 3]), tensor([3, 2, 1]))
    """
    _check_kind(kind, order)
    ns = xp(x)
    out = ns.sort(x, axis=axis)
    return ns.flip(out, -1 if axis is None else axis) if descending else out


def _sort_rule(g: Any, x: Any, axis: int | None, descending: bool) -> Any:
    order = _order(raw(x), axis, descending)
    if axis is None:
        return xp(g).take(g, xp(order).argsort(order), axis=0).reshape(x.shape)
    return xp(g).take_along_axis(g, xp(order).argsort(order, axis=axis), axis=axis)


sort.vjp(x=_sort_rule)


@op(
    samples=lambda s: [
        *(s.case(s.distinct(3, 4), **kw) for kw in _SORTS),
        s.case(s.ints(3, 2, 8)),
        s.case(s.ints(3, 9), descending=True),
        s.case(s(0, 3)),
    ],
    complex=True,
)
def argsort(x, *, axis=-1, kind=None, order=None, descending=False, stable=True):
    """Return the indices (int64) that sort x along `axis` (None: flattened). Equal elements keep their order.

    The other arguments are those of `sort`.

    >>> gg.argsort(gg.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    _check_kind(kind, order)
    return _order(x, axis, descending)


@op(
    samples=lambda s: [
        s.case(s.distinct(3, 5), k=2),
        s.case(s.distinct(5, 3), k=5, axis=0),
        s.case(s.distinct(3, 5), k=3, largest=False),
        s.case(s.distinct(6), k=0),
        s.case(s.distinct(5, 3).T, k=1),
        s.case(np.tile(s.distinct(2, 4), (1, 2)), k=3, smooth=False),
    ],
)
def topk(x, *, k, axis=-1, largest=True, sorted=True):
    """Return the k largest (or smallest) elements along `axis`, best first, and their indices (int64).

    Among equal elements the first ones are taken. Raises ShapeError unless 0 <= k <= x.shape[axis].

    >>> values, indices = gg.topk(gg.tensor([3, 1, 2]), 2)
    >>> values, indices
    (tensor([3, 2]), tensor([0, 2]))
    """
    n = x.shape[axis]
    if not 0 <= k <= n:
        raise ValueError(f"k={k} is not between 0 and {n}, the length of axis {axis}")
    best = (slice(None),) * (axis % x.ndim) + (slice(0, k),)
    indices = _order(x, axis, largest)[best]
    return xp(x).take_along_axis(x, indices, axis), indices


topk.vjp(x=lambda g, out, axis, x_shape: xp(g[0]).put_along(g[0], out[1], axis=axis, shape=x_shape))


@op(
    samples=lambda s: [
        s.case(s.ints(4, 3, 4)),
        s.case(s.ints(3, 9) * 0.5),
        s.case(s.ints(2, 4, 2), axis=0),
        s.case(s.ints(5, 0)),
        s.case(s.ints(3, 2, 4), return_index=True, return_inverse=True, return_counts=True),
    ],
    dtypes="own",
    complex=True,
)
def unique(x, *, return_index=False, return_inverse=False, return_counts=False, axis=None, equal_nan=True, sorted=True):
    """Return the distinct elements (slices along `axis`) in ascending order, and on request more about them.

    return_index: the position at which each first occurs. return_inverse: for each element of x, its number among the
    distinct ones. return_counts: the number of its occurrences. equal_nan: NaN counts as one value. They are ascending
    without `sorted` too. Nothing is differentiable. The result's shape depends
    on the values, so the program waits for a GPU.

    >>> gg.unique(gg.tensor([2, 1, 2])), gg.unique(gg.tensor([2, 1, 2]), return_counts=True)[1]
    (tensor([1, 2]), tensor([1, 2]))
    """
    return xp(x).unique(x, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan)


class UniqueAll(NamedTuple):
    """The result of `unique_all`."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """The result of `unique_counts`."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """The result of `unique_inverse`."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Any) -> UniqueAll:
    """Return the distinct elements, their first positions, the number of each element of x among them, and their
    counts.

    >>> gg.unique_all(gg.tensor([2, 1, 2])).inverse_indices
    tensor([1, 0, 1])
    """
    return UniqueAll(*unique(x, return_index=True, return_inverse=True, return_counts=True))


def unique_counts(x: Any) -> UniqueCounts:
    """Return the distinct elements in ascending order, and the number of occurrences of each.

    >>> gg.unique_counts(gg.tensor([2, 1, 2])).counts
    tensor([1, 2])
    """
    return UniqueCounts(*unique(x, return_counts=True))


def unique_inverse(x: Any) -> UniqueInverse:
    """Return the distinct elements in ascending order, and for each element of x its number among them.

    >>> gg.unique_inverse(gg.tensor([2, 1, 2])).inverse_indices
    tensor([1, 0, 1])
    """
    return UniqueInverse(*unique(x, return_inverse=True))


def unique_values(x: Any) -> Tensor:
    """Return the distinct elements in ascending order.

    >>> gg.unique_values(gg.tensor([2, 1, 2]))
    tensor([1, 2])
    """
    return unique(x)


@op(
    samples=lambda s: [
        s.case(s.distinct(5), s(2, 3)),
        s.case(s.ints(5, 6), s.ints(5, 4), side="right"),
        s.case(s.distinct(3), s()),
        s.case(s(0), s(2)),
        s.case(s.ints(5, 6), s.ints(5, 3), sorter=s.ints(6, 6)),
        s.case(np.sort(s.distinct(2, 4)), s(2, 3), right=True, out_int32=True),
    ],
)
def searchsorted(x, v, *, side=None, sorter=None, right=False, out_int32=False):
    """Return, for each element of v, the index (int64) at which it goes into the sorted vector x to keep it sorted.

    Rows (..., N) of x each take the elements of their own row (..., M) of v. side: before ("left") or behind ("right",
    or right=True) equal elements. out_int32: the result is int32. sorter: the order that sorts x, if x itself
    is not sorted.

    >>> gg.searchsorted(gg.tensor([1, 3, 5]), gg.tensor([3, 4]))
    tensor([1, 2])
    """
    if right and side == "left":
        raise ValueError("side='left' contradicts right=True")
    side = side or ("right" if right else "left")
    if x.ndim > 1 and x.shape[:-1] != v.shape[:-1]:
        raise ValueError("rows of x need as many rows of v")
    ns = xp(x)
    count = prod(x.shape[:-1])
    rows = x.reshape(count, x.shape[-1])
    orders = [None] * count if sorter is None else ns.asarray(sorter).reshape(rows.shape)
    values = v.reshape(count, v.shape[-1]) if x.ndim > 1 else v[None]
    found = [ns.searchsorted(a, b, side=side, sorter=c) for a, b, c in zip(rows, values, orders, strict=True)]
    out = ns.stack(found).reshape(v.shape) if found else ns.zeros(v.shape, int64)
    return out.astype(int32) if out_int32 else out


@op(samples=lambda s: [s.case(s(5), _edges(s)), s.case(s(2, 3), _edges(s), right=True)])
def digitize(x, bins, *, right=False):
    """Return the number of the interval between the ascending `bins` in which each element lies (0: below all of them).

    >>> gg.digitize(gg.tensor([0.5, 1.5, 9.0]), gg.tensor([1.0, 2.0]))
    tensor([0, 1, 2])
    """
    return xp(x).searchsorted(bins, x, side="left" if right else "right")


def _edges(s: Any) -> Any:
    """Return ascending bin edges for the samples."""
    return s.distinct(4).cumsum() ** 2 + s.ints(1, 4).cumsum()


@op(samples=lambda s: [s.case(s.ints(2, 3, 4)), s.case(s.bools(5)), s.case(s(0, 3))], dtypes="own", complex=True)
def nonzero(x):
    """Return the positions of the non-zero elements: a tuple of one index vector (int64) per axis.

    >>> gg.nonzero(gg.tensor([[0, 1], [2, 0]]))
    (tensor([0, 1]), tensor([1, 0]))
    """
    return tuple(xp(x).nonzero(x))


@op(samples=lambda s: [s.case(s.ints(2, 3, 4)), s.case(s.bools(5)), s.case(s(0, 3))], dtypes="own", complex=True)
def argwhere(x):
    """Return the positions of the non-zero elements, one per row: (count, ndim), int64.

    >>> gg.argwhere(gg.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    return xp(x).argwhere(x)


@op(samples=lambda s: [s.case(s.ints(2, 3, 4)), s.case(s.bools(5)), s.case(s(0, 3))], dtypes="own", complex=True)
def flatnonzero(x):
    """Return the positions of the non-zero elements of the flattened x (int64).

    >>> gg.flatnonzero(gg.tensor([[0, 1], [2, 0]]))
    tensor([1, 2])
    """
    return xp(x).flatnonzero(x)


@op(
    samples=lambda s: [
        s.case(s.ints(4, 9)),
        s.case(s.ints(4, 9), s(9)),
        s.case(s.ints(3, 5), s(5), minlength=6),
        s.case(s.ints(3, 0), minlength=2),
    ]
)
def bincount(x: Fixed, weights=None, *, minlength=0):
    """Count the occurrences of each of 0, 1, ..., max(x) in x, a vector of non-negative integers.

    With `weights`, the weights of these occurrences are added up instead.

    >>> gg.bincount(gg.tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
    """
    if weights is None:
        return xp(x).bincount(x, minlength=minlength)
    count = max(minlength, int(x.max()) + 1 if x.size else 0)
    return xp(weights).segment_sum(weights, x, num_segments=count)


bincount.vjp(weights=lambda g, x: xp(g).take(g, x, axis=0))


@op(
    samples=lambda s: [
        s.case(s(20)),
        s.case(s(4, 5), bins=4, range=(-1.0, 1.0)),
        s.case(s(20), density=True),
        s.case(s(6), bins=3, weights=s(6)),
    ],
    dtypes="own",
)
def histogram(x, *, bins=10, range=None, density=False, weights=None):
    """Count the elements in each of `bins` equal intervals over `range`, or between given edges: (counts, edges).

    weights: what each element counts. density: the counts are divided by their sum and the widths, so that
    the histogram integrates to 1. Not
    differentiable.

    >>> gg.histogram(gg.tensor([0.0, 1.0, 1.5, 2.0]), bins=2)
    (tensor([1, 3]), tensor([0., 1., 2.]))
    """
    counts, edges = xp(x).histogram(x, bins=bins, range=range, density=density, weights=weights)
    kind = x.dtype if x.dtype.kind == "f" else edges.dtype
    return counts.astype(kind) if density else counts, edges.astype(kind)


@op(
    samples=lambda s: [
        s.case(s.ints(5, 3, 4), s.ints(5, 2)),
        s.case(s.ints(5, 4), s.ints(5, 2), invert=True),
        s.case(s.ints(3, 0), s.ints(3, 2)),
    ],
    complex=True,
)
def isin(x, test, *, assume_unique=False, invert=False):
    """Return whether each element of x is among those of `test` (with `invert`: is not), as a bool array of x's shape.

    assume_unique: x and `test` have no element twice, which is faster.

    >>> gg.isin(gg.tensor([1, 2, 3]), [2, 5])
    tensor([False,  True, False])
    """
    return xp(x).isin(x, test, assume_unique=assume_unique, invert=invert)
