"""Indices of triangles, diagonals and grids, and new tensors, under NumPy's names."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray, tensor
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..errors import OutOfRangeError, ShapeError
from . import torch_meanings
from .creation import eye, linspace, ones
from .elementwise import copysign, log10, power
from .shape import reshape
from .torch_names import or_torch

__all__ = [
    "array", "asanyarray", "ascontiguousarray", "asfortranarray", "diag_indices", "diag_indices_from", "fromfunction",
    "geomspace", "identity", "indices", "isscalar", "ix_", "mask_indices", "ndim",
    "ravel_multi_index", "shape", "size", "tri", "tril_indices", "tril_indices_from", "triu_indices",
    "triu_indices_from", "unravel_index",
]  # fmt: skip


def array(data: Any, dtype: Any = None, *, copy: bool | None = True, ndmin: int = 0, device: Any = None) -> Tensor:
    """Return a Tensor of `data`, copied unless copy is False or None; at least `ndmin` axes.

    As NumPy's `array` it stays in the graph of the Tensors in `data`, unlike `tensor`.

    >>> gg.array([[1.0, 2.0]], ndmin=3).shape
    (1, 1, 2)
    """
    made = asarray(data, dtype, device, copy=bool(copy))
    return made if made.ndim >= ndmin else reshape(made, (1,) * (ndmin - made.ndim) + made.shape)


def asanyarray(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Return `asarray(data)`.

    >>> gg.asanyarray([1, 2])
    tensor([1, 2])
    """
    return asarray(data, dtype, device)


def ascontiguousarray(data: Any, dtype: Any = None) -> Tensor:
    """Return a Tensor in C order with at least one axis; the same if it is so already.

    >>> gg.ascontiguousarray(gg.ones(2, 3).T).is_contiguous()
    True
    """
    made = asarray(data, dtype)
    return (made if made.ndim else reshape(made, (1,))).contiguous()


def asfortranarray(data: Any, dtype: Any = None) -> Tensor:
    """Return a Tensor whose first axis lies closest in memory; the same if it is so already.

    >>> gg.asfortranarray(gg.ones(2, 3)).T.is_contiguous()
    True
    """
    made = asarray(data, dtype)
    return OPS["transpose"](OPS["transpose"](made).contiguous())


def identity(n: int, dtype: Any = None) -> Tensor:
    """Return the identity matrix (n, n): `eye(n)`.

    >>> gg.identity(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return eye(n, dtype=dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Tensor:
    """Return `num` numbers from `start` to `stop` of which each is the same multiple of the one before.

    >>> gg.geomspace(1, 100, 3)
    tensor([  1.,  10., 100.])
    """
    if not isinstance(start, Tensor) and not isinstance(stop, Tensor):
        return tensor(np.geomspace(start, stop, num, endpoint, axis=axis), dtype or float)
    start, stop = asarray(start, dtype), asarray(stop, dtype)
    ends = log10(start.abs()), log10(stop.abs())
    made = copysign(power(10.0, linspace(*ends, num, endpoint, dtype=dtype)), start)
    return made if axis == 0 else made.moveaxis(0, axis)


def shape(x: Any) -> tuple[int, ...]:
    """Return the sizes of the axes of an array, a number or nested sequences.

    >>> gg.shape([[1, 2, 3]])
    (1, 3)
    """
    return asarray(x).shape


def ndim(x: Any) -> int:
    """Return the number of axes of an array, a number or nested sequences.

    >>> gg.ndim([[1, 2, 3]])
    2
    """
    return asarray(x).ndim


def size(x: Any, axis: int | None = None) -> int:
    """Return the number of elements, or the length of an axis.

    >>> gg.size(gg.ones(2, 3)), gg.size(gg.ones(2, 3), 1)
    (6, 3)
    """
    found = asarray(x)
    return found._array.size if axis is None else found.shape[axis]


def isscalar(x: Any) -> bool:
    """Return whether x is a number or a string; a 0-d Tensor is not.

    >>> gg.isscalar(3.0), gg.isscalar(gg.tensor(3.0))
    (True, False)
    """
    return bool(np.isscalar(x))


def tri(n: int, m: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Return an (n, m) matrix with ones on and below diagonal k and zeros above.

    >>> gg.tri(2, 3)
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return OPS["tril"](ones(n, n if m is None else m, dtype=dtype), k=k)


def _tensors(arrays: Any) -> tuple[Tensor, ...]:
    return tuple(tensor(a) for a in arrays)


@or_torch("row col offset dtype device", torch_meanings.places_of(np.tril_indices))
def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, Tensor]:
    """Return the rows and the columns of the elements on and below diagonal k of an (n, m) matrix.

    >>> gg.tril_indices(2)
    (tensor([0, 1, 1]), tensor([0, 0, 1]))
    """
    rows, columns = _tensors(np.tril_indices(n, k, m))
    return rows, columns


@or_torch("row col offset dtype device", torch_meanings.places_of(np.triu_indices))
def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, Tensor]:
    """Return the rows and the columns of the elements on and above diagonal k of an (n, m) matrix.

    >>> gg.triu_indices(2)
    (tensor([0, 0, 1]), tensor([0, 1, 1]))
    """
    rows, columns = _tensors(np.triu_indices(n, k, m))
    return rows, columns


def tril_indices_from(x: Any, k: int = 0) -> tuple[Tensor, Tensor]:
    """Return `tril_indices` for the matrix x.

    >>> gg.tril_indices_from(gg.ones(2, 1))
    (tensor([0, 1]), tensor([0, 0]))
    """
    return tril_indices(shape(x)[0], k, shape(x)[1])


def triu_indices_from(x: Any, k: int = 0) -> tuple[Tensor, Tensor]:
    """Return `triu_indices` for the matrix x.

    >>> gg.triu_indices_from(gg.ones(1, 2))
    (tensor([0, 0]), tensor([0, 1]))
    """
    return triu_indices(shape(x)[0], k, shape(x)[1])


def mask_indices(n: int, mask_func: Callable, k: Any = 0) -> tuple[Tensor, ...]:
    """Return the indices of the elements of an (n, n) matrix that `mask_func(matrix, k)` leaves, such as `triu`.

    >>> gg.mask_indices(2, gg.triu)
    (tensor([0, 0, 1]), tensor([0, 1, 1]))
    """
    return mask_func(ones(n, n), k).nonzero()


def diag_indices(n: int, ndim: int = 2) -> tuple[Tensor, ...]:
    """Return the indices of the main diagonal of an array with `ndim` axes of length n.

    >>> gg.diag_indices(2)
    (tensor([0, 1]), tensor([0, 1]))
    """
    return _tensors(np.diag_indices(n, ndim))


def diag_indices_from(x: Any) -> tuple[Tensor, ...]:
    """Return `diag_indices` for an array with axes of one length.

    >>> gg.diag_indices_from(gg.ones(2, 2))
    (tensor([0, 1]), tensor([0, 1]))
    """
    found = shape(x)
    if len(found) < 2 or len(set(found)) > 1:
        raise ShapeError(f"diag_indices_from: expected two or more axes of one length, got shape {found}")
    return diag_indices(found[0], len(found))


def indices(dimensions: Sequence[int], dtype: Any = "int64", sparse: bool = False) -> Any:
    """Return the index of each element along each axis: (len(dimensions), *dimensions), or with `sparse` a tuple of
    arrays that broadcast to it.

    >>> gg.indices((2, 2))
    tensor([[[0, 0],
             [1, 1]],
    <BLANKLINE>
            [[0, 1],
             [0, 1]]])
    """
    made = np.indices(tuple(dimensions), sparse=sparse)
    return tuple(tensor(a, dtype) for a in made) if isinstance(made, tuple) else tensor(made, dtype)


def ix_(*sequences: Any) -> tuple[Tensor, ...]:
    """Return index arrays such that x[ix_(rows, columns)] has these rows and columns of x.

    >>> gg.arange(4).reshape(2, 2)[gg.ix_([0], [1, 0])]
    tensor([[1, 0]])
    """
    given = [asarray(s) for s in sequences]
    places = [s.nonzero()[0] if s.dtype == np.bool_ else s for s in given]
    return tuple(reshape(s, [-1 if i == j else 1 for j in range(len(places))]) for i, s in enumerate(places))


def ravel_multi_index(multi_index: Any, dims: Sequence[int], mode: str = "raise") -> Tensor:
    """Return the places in the flattened array of `dims` of elements with these indices, a sequence of one per axis.

    mode: "raise" an error for an index outside, "wrap" it or "clip" it.

    >>> gg.ravel_multi_index(([0, 1], [2, 0]), (2, 3))
    tensor([2, 3])
    """
    out: Any = 0
    for index, n in zip(multi_index, dims, strict=True):
        index = asarray(index)
        if mode == "raise" and bool(((index < 0) | (index >= n)).any().item()):
            raise OutOfRangeError(f"ravel_multi_index: an index is outside an axis of length {n}")
        out = out * n + (index % n if mode == "wrap" else index.clip(0, n - 1))
    return out


def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """Return the index along each axis of elements at these places of the flattened array of `shape`.

    >>> gg.unravel_index([2, 3], (2, 3))
    (tensor([0, 1]), tensor([2, 0]))
    """
    rest, made = asarray(indices), []
    if bool(((rest < 0) | (rest >= int(np.prod(shape)))).any().item()):
        raise OutOfRangeError(f"unravel_index: an index is outside shape {tuple(shape)}")
    for n in reversed(tuple(shape)):
        made.append(rest % n)
        rest = rest // n
    return tuple(reversed(made))


def fromfunction(function: Callable, shape: Sequence[int], *, dtype: Any = float, **kwargs: Any) -> Any:
    """Return function(i, j, ...) of the index of each element along each axis.

    >>> gg.fromfunction(lambda i, j: i + j, (2, 2), dtype=int)
    tensor([[0, 1],
            [1, 2]])
    """
    return function(*indices(shape, dtype), **kwargs)
