"""Shape: the same elements under other axes. Views wherever NumPy makes views; gradients only move elements back."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ..arguments import integer
from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from ..errors import ShapeError

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "expand",
    "expand_dims", "flatten", "matrix_transpose", "meshgrid", "moveaxis", "movedim", "permute", "permute_dims", "ravel",
    "reshape", "squeeze", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze",
]  # fmt: skip

_view = partial(op, view=True, exact=True, dtypes="own", complex=True)


@_view(
    samples=lambda s: [
        s.case(s(3, 4), shape=(2, 6)),
        s.case(s(2, 3, 4), shape=(-1, 4)),
        s.case(s(6), shape=6),
        s.case(s(4, 3).T, shape=-1),
        s.case(s(), shape=(1, 1)),
        s.case(s(1), shape=()),
        s.case(s(0, 3), shape=(3, 0, 2)),
    ],
)
def reshape(x, *, shape):
    """Return the elements of x in C order under `shape` (an int or a tuple), of which one size may be -1.

    The result is a view if the memory allows it. Raises ShapeError if the sizes do not multiply to the number of
    elements.

    >>> gg.reshape(gg.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    if (shape if shape.__class__ is int else min(shape, default=0)) < -1:
        raise ValueError(f"sizes must be -1 or not negative, got {shape}")
    return x.reshape(shape)


reshape.vjp(x=lambda g, x_shape: g.reshape(x_shape))


@_view(
    samples=lambda s: [
        s.case(s(3, 4)),
        s.case(s(2, 3, 4), axes=(2, 0, 1)),
        s.case(s(2, 3, 4), axes=(-1, 0, -2)),
        s.case(s(3)),
        s.case(s()),
        s.case(s(0, 3)),
        s.case(s(4, 6)[::2, ::3], axes=(1, 0)),
    ],
)
def transpose(x, *, axes=None):
    """Return the axes of x in the order `axes`, or reversed: out.shape[i] = x.shape[axes[i]]. The result is a view.

    >>> gg.transpose(gg.ones(2, 3, 4), axes=(2, 0, 1)).shape
    (4, 2, 3)
    """
    return x.transpose(axes)


def _transpose_rule(g: Any, axes: Any) -> Any:
    if axes is None:
        return xp(g).transpose(g)
    back = [0] * len(axes)
    for i, axis in enumerate(axes):
        back[axis] = i
    return xp(g).transpose(g, axes=tuple(back))


transpose.vjp(x=_transpose_rule)


@_view(
    samples=lambda s: [
        s.case(s(2, 3, 4), axis1=0, axis2=-1),
        s.case(s(3, 4), axis1=0, axis2=0),
        s.case(s(0, 3), axis1=0, axis2=1),
    ],
)
def swapaxes(x, *, axis1, axis2):
    """Return x with two axes exchanged. The result is a view.

    >>> gg.swapaxes(gg.ones(2, 3, 4), 0, 2).shape
    (4, 3, 2)
    """
    return x.swapaxes(axis1, axis2)


swapaxes.vjp(x=lambda g, axis1, axis2: g.swapaxes(axis1, axis2))


@_view(
    samples=lambda s: [
        s.case(s(2, 3, 4), source=0, destination=-1),
        s.case(s(2, 3, 4), source=(0, 1), destination=(-1, 0)),
        s.case(s(0, 3), source=0, destination=1),
    ],
)
def moveaxis(x, *, source, destination):
    """Return x with the axes `source` (an int or a tuple) moved to the positions `destination`: a view.

    The other axes stay in their order.

    >>> gg.moveaxis(gg.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    return xp(x).moveaxis(x, source, destination)


moveaxis.vjp(x=lambda g, source, destination: xp(g).moveaxis(g, destination, source))


@_view(
    samples=lambda s: [
        s.case(s(3, 4), axis=0),
        s.case(s(3, 4), axis=-1),
        s.case(s(3, 4), axis=(0, 2)),
        s.case(s(), axis=0),
        s.case(s(0, 3), axis=1),
    ],
    scalar_axis=False,
)
def expand_dims(x, *, axis):
    """Return x with an axis of length 1 at each position `axis` (an int or a tuple) of the result: a view.

    >>> gg.expand_dims(gg.ones(2, 3), axis=(0, -1)).shape
    (1, 2, 3, 1)
    """
    return xp(x).expand_dims(x, axis)


expand_dims.vjp(x=lambda g, x_shape: g.reshape(x_shape))


@_view(
    samples=lambda s: [
        s.case(s(1, 3, 1)),
        s.case(s(1, 3, 1), axis=0),
        s.case(s(1, 3, 1), axis=(0, -1)),
        s.case(s(3, 4)),
        s.case(s(1, 0)),
        s.case(s()),
    ],
)
def squeeze(x, *, axis=None):
    """Return x without its axes of length 1, or without those in `axis` (an int or a tuple): a view.

    Raises ShapeError if an axis named has another length.

    >>> gg.squeeze(gg.ones(1, 3, 1)).shape
    (3,)
    """
    return x.squeeze(axis)


squeeze.vjp(x=lambda g, x_shape: g.reshape(x_shape))


@_view(
    samples=lambda s: [
        s.case(s(3, 1), shape=(3, 4)),
        s.case(s(4), shape=(2, 3, 4)),
        s.case(s(), shape=(2, 2)),
        s.case(s(3), shape=(3,)),
        s.case(s(1, 3), shape=(0, 3)),
        s.case(s(1), shape=3),
    ],
    broadcasts=True,
)
def broadcast_to(x, *, shape):
    """Return x repeated along new axes and those of length 1 until it has `shape`: a read-only view.

    The gradient sums over the repeats.

    >>> gg.broadcast_to(gg.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return xp(x).broadcast_to(x, shape)


broadcast_to.vjp(x=lambda g: g)


def axis_of(name: str, x: Tensor, axis: int) -> int:
    """Return `axis` counted from the front. Raises ShapeError, in the name of a function, if x does not have it."""
    if axis.__class__ is not int:
        integer(name, "axis", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"{name}: axis {axis} is outside shape {x.shape}")
    return axis % x.ndim


def ravel(x: Any) -> Tensor:
    """Return the elements in C order along one axis: a view if the memory allows it.

    >>> gg.ravel([[1, 2], [3, 4]])
    tensor([1, 2, 3, 4])
    """
    return reshape(x, shape=-1)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return x with the axes from `start_dim` to `end_dim` merged into one (PyTorch's flatten): a view if possible.

    Without arguments it is NumPy's flatten, but no copy.

    >>> gg.flatten(gg.ones(2, 3, 4), 1).shape
    (2, 12)
    """
    x = asarray(x)
    if not x.ndim:
        return reshape(x, shape=1)
    first, last = axis_of("flatten", x, start_dim), axis_of("flatten", x, end_dim)
    if first > last:
        raise ShapeError(f"flatten: start_dim={start_dim} comes after end_dim={end_dim} in shape {x.shape}")
    shape = x.shape
    return reshape(x, shape=(*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(x: Any, dim: int, sizes: Sequence[int]) -> Tensor:
    """Return x with the axis `dim` split into axes of `sizes`, of which one may be -1.

    >>> gg.unflatten(gg.ones(2, 12), 1, (3, -1)).shape
    (2, 3, 4)
    """
    x = asarray(x)
    axis = axis_of("unflatten", x, dim)
    sizes = tuple(sizes)
    if sizes.count(-1) == 1:
        known = prod(n for n in sizes if n != -1)
        sizes = tuple((x.shape[axis] // known if known else 0) if n == -1 else n for n in sizes)
    if prod(sizes) != x.shape[axis] or any(n < 0 for n in sizes):
        raise ShapeError(f"unflatten: {sizes} does not multiply to the length of axis {dim} of shape {x.shape}")
    return reshape(x, shape=(*x.shape[:axis], *sizes, *x.shape[axis + 1 :]))


def matrix_transpose(x: Any) -> Tensor:
    """Return x with the last two axes exchanged: (..., M, N) -> (..., N, M).

    >>> gg.matrix_transpose(gg.ones(5, 2, 3)).shape
    (5, 3, 2)
    """
    x = asarray(x)
    if x.ndim < 2:
        raise ShapeError(f"matrix_transpose: expected at least two axes, got shape {x.shape}")
    return swapaxes(x, axis1=-2, axis2=-1)


def permute_dims(x: Any, axes: Sequence[int]) -> Tensor:
    """Return x with its axes in the order `axes`: `transpose` under the array API's name.

    >>> gg.permute_dims(gg.ones(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return transpose(x, axes=tuple(axes))


def permute(x: Any, dims: Sequence[int]) -> Tensor:
    """Return x with its axes in the order `dims`: `transpose` under PyTorch's name.

    >>> gg.permute(gg.ones(2, 3, 4), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return transpose(x, axes=tuple(dims))


def t(x: Any) -> Tensor:
    """Return a matrix transposed, and x itself if it has fewer axes. Raises ShapeError for more than two.

    >>> gg.t(gg.ones(2, 3)).shape
    (3, 2)
    """
    x = asarray(x)
    if x.ndim > 2:
        raise ShapeError(f"t: expected at most two axes, got shape {x.shape}; use mT or permute")
    return transpose(x)


def expand(x: Any, *sizes: Any) -> Tensor:
    """Return x broadcast to `sizes`, in which -1 keeps the length of an axis (PyTorch's expand).

    >>> gg.expand(gg.tensor([[1], [2]]), -1, 2)
    tensor([[1, 1],
            [2, 2]])
    """
    x = asarray(x)
    wanted = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    lead = len(wanted) - x.ndim
    if -1 in wanted[: max(lead, 0)]:
        raise ShapeError(f"expand: -1 in {wanted} stands for an axis that shape {x.shape} does not have")
    return broadcast_to(x, shape=tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted)))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape that arrays of `shapes` broadcast to. Raises ShapeError if they do not.

    >>> gg.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_shapes: {', '.join(map(str, shapes))} do not broadcast") from None


def broadcast_arrays(*arrays: Any) -> tuple[Tensor, ...]:
    """Return all arrays broadcast to one shape, as read-only views.

    >>> [x.shape for x in gg.broadcast_arrays(gg.ones(2, 1), gg.ones(3))]
    [(2, 3), (2, 3)]
    """
    tensors = [asarray(a) for a in _unpacked(arrays)]
    shape = broadcast_shapes(*[a.shape for a in tensors])
    return tuple(a if a.shape == shape else broadcast_to(a, shape=shape) for a in tensors)


def atleast_1d(*arrays: Any) -> Any:
    """Return each array with at least one axis; one array gives one Tensor, several a tuple.

    >>> gg.atleast_1d(5)
    tensor([5])
    """
    return _for_each(arrays, lambda x: reshape(x, shape=1) if x.ndim == 0 else x)


def atleast_2d(*arrays: Any) -> Any:
    """Return each array with at least two axes: () -> (1, 1), (N,) -> (1, N).

    >>> gg.atleast_2d([1, 2])
    tensor([[1, 2]])
    """
    return _for_each(arrays, lambda x: reshape(x, shape=(1, x._array.size)) if x.ndim < 2 else x)


def atleast_3d(*arrays: Any) -> Any:
    """Return each array with at least three axes: (N,) -> (1, N, 1), (M, N) -> (M, N, 1).

    >>> gg.atleast_3d([1, 2]).shape
    (1, 2, 1)
    """

    def raised(x: Tensor) -> Tensor:
        return x if x.ndim > 2 else expand_dims(x, axis=((0, 1, 2), (0, 2), 2)[x.ndim])

    return _for_each(arrays, raised)


def _for_each(arrays: tuple, function: Any) -> Any:
    made = tuple(function(asarray(a)) for a in _unpacked(arrays))
    return made[0] if len(made) == 1 else made


def _unpacked(arrays: tuple) -> tuple:
    """The arrays, which PyTorch also takes as one sequence of Tensors."""
    given = arrays[0] if len(arrays) == 1 else ()
    packed = isinstance(given, (tuple, list)) and any(isinstance(a, Tensor) for a in given)
    return tuple(given) if packed else arrays


def meshgrid(*arrays: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return the coordinate grids of 1-d arrays, one for each.

    indexing: with "ij" output i varies along axis i; "xy" exchanges the first two axes. sparse: the other axes have
    length 1. copy=False: the results are views (read-only unless sparse).

    >>> rows, columns = gg.meshgrid(gg.arange(2), gg.arange(2), indexing="ij")
    >>> rows
    tensor([[0, 0],
            [1, 1]])
    >>> columns
    tensor([[0, 1],
            [0, 1]])
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing is 'xy' or 'ij', got {indexing!r}")
    arrays = _unpacked(arrays)
    n = len(arrays)
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[:2] = [1, 0]
    shapes = [[-1 if j == axis else 1 for j in range(n)] for axis in order]
    grids = tuple(reshape(a, shape=shape) for a, shape in zip(arrays, shapes, strict=True))
    grids = grids if sparse else broadcast_arrays(*grids)
    return tuple(grid.clone() for grid in grids) if copy else grids


movedim, swapdims, unsqueeze = moveaxis, swapaxes, expand_dims
