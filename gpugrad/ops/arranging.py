"""Arrays cut along named axes and put together in blocks, sets, partitions, and what is written into an array."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DTypeError, OptionError, ShapeError
from . import torch_meanings
from .elementwise import where
from .index import take
from .join import concatenate, split, vstack
from .reduce import mean
from .shape import broadcast_to, moveaxis, ravel, reshape
from .sort import argsort, isin, sort, unique
from .statistics import average
from .torch_names import flag_fourth, or_torch

__all__ = [
    "argpartition", "array_equiv", "block", "copyto", "corrcoef", "cov", "dsplit", "fill_diagonal", "histogram2d",
    "hsplit", "intersect1d", "lexsort", "partition", "place", "put", "put_along_axis", "putmask", "rollaxis",
    "row_stack", "setdiff1d", "setxor1d", "union1d", "vsplit",
]  # fmt: skip


def _cut(name: str, x: Any, at: Any, axis: int, least: int) -> list[Tensor]:
    x = asarray(x)
    if x.ndim < least:
        raise ShapeError(f"{name}: expected at least {least} axes, got shape {x.shape}")
    return split(x, at, axis)


def hsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Return x cut along its second axis, or the only one: `split(x, ..., axis=1)`.

    >>> [part.shape for part in gg.hsplit(gg.ones(2, 4), 2)]
    [(2, 2), (2, 2)]
    """
    return _cut("hsplit", x, indices_or_sections, 1 if asarray(x).ndim > 1 else 0, 1)


def vsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Return x cut along its first axis: `split(x, ...)`.

    >>> [part.shape for part in gg.vsplit(gg.ones(4, 2), 2)]
    [(2, 2), (2, 2)]
    """
    return _cut("vsplit", x, indices_or_sections, 0, 2)


def dsplit(x: Any, indices_or_sections: Any) -> list[Tensor]:
    """Return x cut along its third axis: `split(x, ..., axis=2)`.

    >>> [part.shape for part in gg.dsplit(gg.ones(1, 2, 4), [1])]
    [(1, 2, 1), (1, 2, 3)]
    """
    return _cut("dsplit", x, indices_or_sections, 2, 3)


def block(arrays: Any) -> Tensor:
    """Return nested lists of blocks as one array: the innermost lists are joined along the last axis.

    >>> gg.block([[gg.eye(1), gg.zeros(1, 1)], [gg.zeros(1, 1), gg.eye(1)]])
    tensor([[1., 0.],
            [0., 1.]])
    """
    depth = _depth(arrays)
    ndim = max(depth, _rank(arrays))

    def joined(item: Any, level: int) -> Tensor:
        if not isinstance(item, list):
            x = asarray(item)
            return reshape(x, (1,) * (ndim - x.ndim) + x.shape)
        return concatenate([joined(part, level + 1) for part in item], axis=level - depth)

    return joined(arrays, 0)


def _depth(item: Any) -> int:
    return 1 + max(map(_depth, item)) if isinstance(item, list) else 0


def _rank(item: Any) -> int:
    return max(map(_rank, item)) if isinstance(item, list) else asarray(item).ndim


def rollaxis(x: Any, axis: int, start: int = 0) -> Tensor:
    """Return x with `axis` moved back until it lies before position `start`.

    >>> gg.rollaxis(gg.ones(2, 3, 4), 2).shape
    (4, 2, 3)
    """
    x = asarray(x)
    axis, start = axis % x.ndim, start + x.ndim if start < 0 else start
    return moveaxis(x, axis, start - 1 if axis < start else start)


# Sets, of the elements of flattened arrays


def union1d(x: Any, y: Any) -> Tensor:
    """Return the sorted elements that are in x or in y.

    >>> gg.union1d([3, 1], [2, 1])
    tensor([1, 2, 3])
    """
    return unique(concatenate([ravel(x), ravel(y)]))


def intersect1d(x: Any, y: Any, assume_unique: bool = False) -> Tensor:
    """Return the sorted elements that are in x and in y.

    >>> gg.intersect1d([3, 1], [2, 1])
    tensor([1])
    """
    x, y = ravel(x), ravel(y)
    found = sort(x) if assume_unique else unique(x)
    return found[isin(found, y)]


def setdiff1d(x: Any, y: Any, assume_unique: bool = False) -> Tensor:
    """Return the elements of x that are not in y; sorted, unless they are assumed to be unique.

    >>> gg.setdiff1d([3, 1], [2, 1])
    tensor([3])
    """
    found = ravel(x) if assume_unique else unique(ravel(x))
    return found[~isin(found, ravel(y))]


def setxor1d(x: Any, y: Any, assume_unique: bool = False) -> Tensor:
    """Return the sorted elements that are in only one of x and y.

    >>> gg.setxor1d([3, 1], [2, 1])
    tensor([2, 3])
    """
    x, y = (ravel(x), ravel(y)) if assume_unique else (unique(ravel(x)), unique(ravel(y)))
    return sort(concatenate([x[~isin(x, y)], y[~isin(y, x)]]))


def array_equiv(x: Any, y: Any) -> bool:
    """Return whether one of two arrays can be broadcast to the other's shape, and is then equal to it.

    >>> gg.array_equiv([1, 1], [[1, 1], [1, 1]])
    True
    """
    x, y = asarray(x), asarray(y)
    try:
        shape = np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return False
    return shape in (x.shape, y.shape) and bool((x == y).all().item())


# Order


def partition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """Return x such that along `axis` what is at place `kth` is what sorting puts there: here, sorted as a whole.

    >>> gg.partition(gg.tensor([3, 1, 2]), 1)
    tensor([1, 2, 3])
    """
    return sort(x, axis=axis)


def argpartition(x: Any, kth: Any, axis: int | None = -1) -> Tensor:
    """Return the indices that `partition` orders x by.

    >>> gg.argpartition(gg.tensor([3, 1, 2]), 1)
    tensor([1, 2, 0])
    """
    return argsort(x, axis=axis)


def lexsort(keys: Any, axis: int = -1) -> Tensor:
    """Return the indices that sort by the last of the keys, then by the one before, and so on.

    >>> gg.lexsort(([2, 1, 0], [0, 1, 0]))
    tensor([2, 0, 1])
    """
    keys = [asarray(key) for key in keys]
    order = argsort(keys[0], axis=axis)
    for key in keys[1:]:
        order = order.take_along_axis(argsort(key.take_along_axis(order, axis=axis), axis=axis), axis=axis)
    return order


# Statistics of several variables


def cov(x: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, *,
        fweights: Any = None, aweights: Any = None, correction: int | None = None) -> Tensor:  # fmt: skip
    """Return the covariance matrix of the variables in the rows of x (and y), divided by n - 1, or n with `bias`.

    rowvar: False for variables in columns. ddof: what is taken off n instead; PyTorch's word is `correction`. fweights:
    how often each observation counts, integers. aweights: its weight. Raises DTypeError, ShapeError and OptionError for
    weights that are no integers, of another number than the observations, or negative.

    >>> gg.cov(gg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    rows = _variables(x, rowvar)
    if y is not None:
        rows = concatenate([rows, _variables(y, rowvar)], axis=0)
    ddof = correction if ddof is None else ddof
    taken = (0 if bias else 1) if ddof is None else ddof
    for name, weights in (("fweights", fweights), ("aweights", aweights)):
        _check_weights(name, weights, rows.shape[1])
    if fweights is None and aweights is None:
        d, scale = rows - mean(rows, axis=1, keepdims=True), rows.shape[1] - taken
        weighted = d
    else:
        one = asarray(1, rows.dtype, rows.device)
        f = one if fweights is None else asarray(fweights, rows.dtype, rows.device)
        w = f if aweights is None else f * asarray(aweights, rows.dtype, rows.device)
        w = broadcast_to(w, shape=(rows.shape[1],))
        d = rows - asarray(average(rows, axis=1, weights=w))[:, None]
        total = w.sum()
        scale = total - taken * (
            (w * asarray(aweights, w.dtype, w.device)).sum() / total if aweights is not None else 1
        )
        weighted = d * w
    out = weighted @ (d.conj() if d.dtype.kind == "c" else d).T / scale
    return out if out._array.size > 1 else reshape(out, ())


def _check_weights(name: str, weights: Any, count: int) -> None:
    """Raise if these are not the weights of so many observations."""
    if weights is None:
        return
    weights = asarray(weights)
    if name == "fweights" and weights.dtype.kind not in "iub":
        raise DTypeError(f"cov: fweights must be integers, got {weights.dtype.name}")
    if weights.shape != (count,):
        raise ShapeError(f"cov: {name} must be ({count},), one for each observation, got {weights.shape}")
    if bool((weights < 0).any()):
        raise OptionError(f"cov: {name} must not be negative")


def _variables(x: Any, rowvar: bool) -> Tensor:
    x = asarray(x)
    if x.ndim > 2:
        raise ShapeError(f"cov: expected at most two axes, got shape {x.shape}")
    x = x if x.dtype.kind in "fcV" else x.to(dtype=float)
    return reshape(x, (1, -1)) if x.ndim < 2 else x if rowvar or x.shape[0] == 1 else x.T


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Tensor:
    """Return the correlation coefficients of the variables in the rows of x (and y).

    >>> gg.corrcoef(gg.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).round(decimals=3)
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    c = cov(x, y, rowvar)
    if not c.ndim:
        return c / c
    d = c.diagonal() ** 0.5
    return c / d[:, None] / d[None, :]


def histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None) -> tuple:
    """Return (counts, edges along x, edges along y) of points (x, y); on the host, without a gradient.

    >>> counts, *edges = gg.histogram2d([0.0, 1.0], [0.0, 1.0], bins=2)
    >>> counts
    tensor([[1., 0.],
            [0., 1.]])
    """
    device = asarray(x).device
    host = [None if a is None else asarray(a).detach().cpu().numpy() for a in (x, y, weights)]
    counts, *edges = np.histogram2d(host[0], host[1], bins, range, density, host[2])  # type: ignore[arg-type]
    return tuple(asarray(a, float, device) for a in (counts, *edges))


# What is written into an array


def _target(name: str, x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise DTypeError(f"{name}: the first argument is written into and must be a Tensor, got {type(x).__name__}")
    return x


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Write `src`, broadcast, into a Tensor (or an ndarray), at the elements where `where` holds.

    >>> x = gg.zeros(3)
    >>> gg.copyto(x, [1.0, 2.0, 3.0], where=[True, False, True])
    >>> x
    tensor([1., 0., 3.])
    """
    if isinstance(dst, np.ndarray):
        np.copyto(dst, asarray(src).numpy(), casting, asarray(where).numpy())  # type: ignore[arg-type]
        return
    dst, src = _target("copyto", dst), asarray(src, device=dst.device)
    if not np.can_cast(src.dtype, dst.dtype, casting):  # type: ignore[arg-type]
        raise DTypeError(f"copyto: {src.dtype} does not become {dst.dtype} by the rule {casting!r}")
    dst[...] = src if where is True else _chosen(where, src, dst)


def _chosen(mask: Any, values: Any, otherwise: Tensor) -> Tensor:
    return where(asarray(mask, "bool", otherwise.device), values, otherwise.clone())


def putmask(x: Tensor, mask: Any, values: Any) -> None:
    """Write into a Tensor, where `mask` holds, the values at the same places, repeated if they are too few.

    >>> x = gg.arange(4)
    >>> gg.putmask(x, x > 1, [-1, -2, -3, -4])
    >>> x
    tensor([ 0,  1, -3, -4])
    """
    x = _target("putmask", x)
    values = ravel(asarray(values, x.dtype, x.device))
    x[...] = _chosen(mask, reshape(take(values, np.arange(x._array.size) % values.shape[0]), x.shape), x)


def place(x: Tensor, mask: Any, vals: Any) -> None:
    """Write into a Tensor, where `mask` holds, the first values one after the other, repeated if they are too few.

    >>> x = gg.arange(4)
    >>> gg.place(x, x > 1, [-1, -2])
    >>> x
    tensor([ 0,  1, -1, -2])
    """
    x = _target("place", x)
    mask, vals = asarray(mask, "bool", x.device), ravel(asarray(vals, x.dtype, x.device))
    x[mask] = take(vals, np.arange(int(mask.sum().item())) % vals.shape[0])


@or_torch("index source accumulate", torch_meanings.put, flag_fourth)
def put(x: Tensor, ind: Any, v: Any) -> None:
    """Write the values v into a Tensor at these places of the flattened array, repeated if they are too few.

    >>> x = gg.zeros(2, 2)
    >>> gg.put(x, [0, 3], [1.0, 2.0])
    >>> x
    tensor([[1., 0.],
            [0., 2.]])
    """
    x, places = _target("put", x), ravel(asarray(ind))
    values = ravel(asarray(v, x.dtype, x.device))
    flat = ravel(x.clone())
    flat[places] = take(values, np.arange(places.shape[0]) % values.shape[0])
    x[...] = reshape(flat, x.shape)


def put_along_axis(x: Tensor, indices: Any, values: Any, axis: int = -1) -> None:
    """Write values into a Tensor where `take_along_axis(x, indices, axis)` reads.

    >>> x = gg.zeros(2, 2)
    >>> gg.put_along_axis(x, [[1], [0]], 5.0, axis=1)
    >>> x
    tensor([[0., 5.],
            [5., 0.]])
    """
    x, indices = _target("put_along_axis", x), asarray(indices)
    places = [
        asarray(np.arange(n).reshape([-1 if i == j else 1 for j in range(x.ndim)])) for i, n in enumerate(x.shape)
    ]
    places[axis] = indices
    x[tuple(places)] = values


def fill_diagonal(x: Tensor, val: Any, wrap: bool = False) -> None:
    """Write `val`, a number or a sequence, on the main diagonal of a Tensor.

    wrap: of a tall matrix, the diagonal begins again after a row.

    >>> x = gg.zeros(2, 2)
    >>> gg.fill_diagonal(x, 1.0)
    >>> x
    tensor([[1., 0.],
            [0., 1.]])
    """
    x = _target("fill_diagonal", x)
    if x.ndim < 2 or x.ndim > 2 and len(set(x.shape)) > 1:
        raise ShapeError(f"fill_diagonal: expected a matrix, or axes of one length, got shape {x.shape}")
    marks = np.zeros(x.shape, bool)
    np.fill_diagonal(marks, True, wrap)
    x[asarray(marks, device=x.device)] = val


row_stack = vstack
