"""PyTorch's meanings of calls for which NumPy has another meaning, or none. `torch_names` tells these calls apart."""

from collections.abc import Callable
from functools import wraps
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import OPS
from ..autograd.tensor import Tensor
from ..backend.dtypes import is_float
from ..errors import DTypeError, OptionError, ShapeError
from .join import array_split
from .matmul import tensordot
from .norm import matrix_norm
from .shape import atleast_1d


class Extremum(NamedTuple):
    """The result of PyTorch's `max(dim=)`, `min(dim=)`, `median(dim=)`, `sort(dim=)` and `cummax(dim=)`."""

    values: Tensor
    indices: Tensor


class SVD(NamedTuple):
    """The result of PyTorch's `svd(some=)`, with V instead of its transpose."""

    U: Tensor
    S: Tensor
    V: Tensor


def _either(function: str, **names: Any) -> Any:
    """Return the value of an argument that has several names, of which one must be given."""
    given = {name: value for name, value in names.items() if value is not None}
    if len(given) != 1:
        what = f"give one of {' and '.join(given)}" if given else f"{next(iter(names))} is missing"
        raise DTypeError(f"{function}: {what}")
    return next(iter(given.values()))


def _also_without_axes(function: Callable) -> Callable:
    """Let a function over the axis `dim` take 0-d Tensors, which to PyTorch have the axes 0 and -1."""

    @wraps(function)
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = asarray(x)
        if x.ndim:
            return function(x, *args, **kwargs)
        out = function(x.reshape(1), *args, **kwargs)
        return out.reshape(()) if isinstance(out, Tensor) else Extremum(*[part.reshape(()) for part in out])

    return call


def _picked(x: Tensor, indices: Tensor, dim: int, keepdim: bool) -> Extremum:
    """Return the elements at `indices`, one of each line along `dim`."""
    values = OPS["take_along_axis"](x, indices, axis=dim)
    return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))


def extremum(name: str) -> Callable:
    """Return PyTorch's max or min: over an axis with the positions, or elementwise of two Tensors."""
    pairwise = {"max": "maximum", "min": "minimum"}[name]

    def call(x: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if other is not None or is_array(dim):
            if isinstance(x, (bool, int, float)):
                raise DTypeError(f"{name}: of a number and an array is `{pairwise}({x!r}, other)`")
            return OPS[pairwise](x, _either(name, dim=dim, other=other))
        return over_axis(x, dim, keepdim)

    @_also_without_axes
    def over_axis(x: Tensor, dim: int, keepdim: bool) -> Extremum:
        return _picked(x, OPS[f"arg{name}"](x, axis=dim, keepdims=True), dim, keepdim)

    return call


def running_extremum(name: str) -> Callable:
    """Return PyTorch's cummax or cummin: the values and where they are, of equal ones the latest."""

    @_also_without_axes
    def call(x: Any, dim: int) -> Extremum:
        values = OPS[name](x, axis=dim)
        here = OPS["equal"](x, values) | OPS["isnan"](x)
        places = x.device.xp.arange(x.shape[dim]).reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
        indices = OPS["cummax"](here * asarray(places, device=x.device), axis=dim)
        return Extremum(values, indices)

    return call


@_also_without_axes
def median(x: Any, dim: int, keepdim: bool = False) -> Extremum:
    """Return the lower of the two values in the middle, and where it is."""
    x = asarray(x)
    order = OPS["argsort"](x, axis=dim)
    indices = OPS["expand_dims"](OPS["take"](order, (x.shape[dim] - 1) // 2, axis=dim), axis=dim)
    if is_float(x.dtype):  # NaN among them is the median
        nans = OPS["isnan"](x.detach())
        first = OPS["argmax"](nans, axis=dim, keepdims=True)
        indices = OPS["where"](OPS["any"](nans, axis=dim, keepdims=True), first, indices)
    return _picked(x, indices, dim, keepdim)


@_also_without_axes
def nanmedian(x: Any, dim: int, keepdim: bool = False) -> Extremum:
    """Return the lower of the two values in the middle of those that are not NaN, and where it is."""
    x = asarray(x)
    nans = OPS["isnan"](x.detach())
    rank = OPS["clip"]((x.shape[dim] - OPS["sum"](nans, axis=dim, keepdims=True) - 1) // 2, 0)
    order = OPS["argsort"](OPS["where"](nans, float("inf"), x.detach()), axis=dim)
    return _picked(x, OPS["take_along_axis"](order, rank, axis=dim), dim, keepdim)


BETWEEN = {"linear": None, "lower": 0.0, "higher": 1.0, "midpoint": 0.5, "nearest": None}


def quantile(x: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """Return the values below which the fractions q of x lie, differentiable with respect to q too."""
    if interpolation not in BETWEEN:
        raise OptionError(f"quantile: interpolation is one of {', '.join(BETWEEN)}, got {interpolation!r}")
    x = asarray(x)
    q = asarray(q, dtype=x.dtype, device=x.device)
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise ShapeError(f"quantile: q must lie between 0 and 1, got {q.tolist()}")
    rows = x.reshape(-1) if dim is None or not x.ndim else OPS["moveaxis"](x, source=dim, destination=-1)
    place = q * (rows.shape[-1] - 1)
    place = OPS["round"](place) if interpolation == "nearest" else place
    low, high = (OPS[name](place.detach()) for name in ("floor", "ceil"))
    part = OPS["subtract"](place, low) if BETWEEN[interpolation] is None else BETWEEN[interpolation]
    ordered = OPS["sort"](rows)
    below, above = (OPS["take"](ordered, at.to(dtype="int64"), axis=-1) for at in (low, high))
    out = below + (above - below) * part
    lead = tuple(range(rows.ndim - 1, out.ndim))
    out = OPS["where"](OPS["isnan"](rows).any(axis=-1).reshape(rows.shape[:-1] + (1,) * q.ndim), float("nan"), out)
    out = OPS["moveaxis"](out, source=lead, destination=tuple(range(q.ndim)))
    kept = (1,) * x.ndim if dim is None else tuple(1 if i == dim % x.ndim else n for i, n in enumerate(x.shape))
    return out.reshape(q.shape + kept) if keepdim else out


@_also_without_axes
def sort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Extremum:
    """Return the values in order, and where they were."""
    x = asarray(x)
    indices = OPS["argsort"](x, axis=dim, descending=descending)
    return Extremum(OPS["take_along_axis"](x, indices, axis=dim), indices)


@_also_without_axes
def argsort(x: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Tensor:
    """Return the indices that sort x along `dim`."""
    return OPS["argsort"](x, axis=dim, descending=descending)


def deviation(name: str) -> Callable:
    """Return PyTorch's var or std: divided by n - 1 unless told otherwise."""

    def call(
        x: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: int | None = None
    ) -> Tensor:
        if isinstance(dim, bool):
            dim, unbiased = None, _either(name, dim=dim, unbiased=unbiased)
        ddof = 1 if correction is unbiased is None else _either(name, unbiased=unbiased, correction=correction)
        return OPS[name](x, axis=dim, ddof=int(ddof), keepdims=keepdim)

    return call


def nan_to_num(x: Any, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """Replace NaN and the infinities, without NumPy's `copy`."""
    return OPS["nan_to_num"](x, nan=0.0 if nan is None else nan, posinf=posinf, neginf=neginf)


def norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Return the norm of vectors over `dim`, or of all elements; "nuc" is the sum of a matrix's singular values."""
    x = asarray(x, dtype=dtype)
    if p == "nuc":
        return matrix_norm(x, "nuc", (-2, -1) if dim is None else dim, keepdim)
    return OPS["vector_norm"](x, ord=2 if p == "fro" else p, axis=dim, keepdims=keepdim)


def split(x: Any, split_size: Any = None, dim: int = 0, *, split_size_or_sections: Any = None) -> tuple[Tensor, ...]:
    """Return parts of so many slices along `dim`, or of the sizes given."""
    x = asarray(x)
    sizes = _either("split", split_size=split_size, split_size_or_sections=split_size_or_sections)
    length = x.shape[dim]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ShapeError(f"split: expected a positive size, got {sizes}")
        ends = list(range(sizes, length, sizes))
    elif sum(sizes) == length:
        ends = list(accumulate(sizes))[:-1]
    else:
        raise ShapeError(f"split: sizes {list(sizes)} do not add up to {length}, the length of axis {dim} of {x.shape}")
    return tuple(array_split(x, ends, axis=dim))


def scaled(name: str) -> Callable:
    """Return PyTorch's add or sub with a factor for the second operand."""

    def call(x: Any, y: Any = None, *, alpha: float = 1, other: Any = None) -> Tensor:
        return OPS[name](x, OPS["multiply"](_either(name, y=y, other=other), alpha))

    return call


def divide(x: Any, y: Any = None, *, rounding_mode: str | None = None, other: Any = None) -> Tensor:
    """Return x / y, rounded down ("floor") or towards zero ("trunc")."""
    y = _either("divide", y=y, other=other)
    if rounding_mode not in (None, "floor", "trunc"):
        raise OptionError(f"divide: rounding_mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
    if rounding_mode == "floor":
        return OPS["floor_divide"](x, y)
    quotient = OPS["divide"](x, y)
    if not rounding_mode:
        return quotient
    whole = OPS["trunc"](quotient)
    dtype = OPS["floor_divide"](x, y).dtype  # of ints, an int
    return whole if is_float(dtype) else whole.to(dtype=dtype)


def transpose(x: Any, dim0: int, dim1: int) -> Tensor:
    """Return x with two axes exchanged."""
    return OPS["swapaxes"](x, axis1=dim0, axis2=dim1)


def squeeze(x: Any, dim: Any) -> Tensor:
    """Return x without those of the axes `dim` that have length 1."""
    x = asarray(x)
    axes = [axis for axis in (dim if isinstance(dim, (tuple, list)) else (dim,)) if x.shape[axis] == 1]
    return OPS["squeeze"](x, axis=tuple(axes))


def select(x: Any, dim: int, index: int) -> Tensor:
    """Return the slice `index` along `dim`, without this axis."""
    x = asarray(x)
    return x[(slice(None),) * (dim % x.ndim) + (int(index),)]


def put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Tensor:
    """Return x with the elements `index` of its flat form replaced by those of `source`, or with these added."""
    x, places = asarray(x), asarray(index).detach().reshape(-1)
    values = asarray(source, dtype=x.dtype, device=x.device).reshape(-1)
    if accumulate:
        return OPS["index_add"](x.reshape(-1), places, values, axis=0).reshape(x.shape)
    out = x.reshape(-1).clone()
    out[places] = values
    return out.reshape(x.shape)


def places_of(where: Callable) -> Callable:
    """Return PyTorch's `tril_indices` or `triu_indices`, `where` being NumPy's: a row of rows and one of columns."""

    def call(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
        return asarray(np.stack(where(row, offset, col)).astype(np.int64), dtype=dtype, device=device)

    return call


def svd(x: Any, some: bool | None = None, compute_uv: bool = True, *, full_matrices: bool | None = None) -> Any:
    """Return (U, S, V) with x = U diag(S) V^T; without compute_uv U and V are zeros.

    A call without `some` is NumPy's: compute_uv=False asks for the singular values alone.
    """
    x = asarray(x)
    if some is None:
        return OPS["svd"](x, full_matrices=full_matrices is not False) if compute_uv else OPS["svdvals"](x)
    u, s, vh = OPS["svd"](x, full_matrices=not (some and compute_uv))
    v = vh.swapaxes(-1, -2)
    return SVD(u, s, v) if compute_uv else SVD(u.detach() * 0, s, v.detach() * 0)


def added_at(name: str) -> Callable:
    """Return a function with PyTorch's order of arguments for index_add and scatter_add."""

    def call(x: Any, dim: int, index: Any, source: Any = None, *, src: Any = None, alpha: float = 1) -> Tensor:
        x, index, source = asarray(x), asarray(index), asarray(_either(name, source=source, src=src))
        if not x.ndim:
            return call(x.reshape(1), dim, index.reshape(1), source.reshape(1), alpha=alpha).reshape(())
        if name == "scatter_add" and source.ndim == index.ndim:
            source = source[tuple(slice(n) for n in index.shape)]
        return OPS[name](x, index, source if alpha == 1 else source * alpha, axis=dim)

    return call


def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """Return the positions of the non-zero elements: one per row, or an index vector per axis."""
    return OPS["nonzero"](atleast_1d(x)) if as_tuple else OPS["argwhere"](x)


def product_over(x: Any, y: Any, dims: Any = 2) -> Tensor:
    """Return NumPy's tensordot; of paired axes one may have length 1, which then meets each element of the other."""
    x, y = asarray(x), asarray(y)
    first, second = (range(x.ndim - dims, x.ndim), range(dims)) if isinstance(dims, int) else dims
    for a, b in zip(first, second, strict=True):
        if x.shape[a] != y.shape[b] == 1:
            x = x.sum(axis=a, keepdims=True)
        elif y.shape[b] != x.shape[a] == 1:
            y = y.sum(axis=b, keepdims=True)
    return tensordot(x, y, dims)


def with_dtype(name: str) -> Callable:
    """Return a function that converts its input first."""

    def call(x: Any, dim: int | None = None, *, axis: int | None = None, dtype: Any = None) -> Tensor:
        x = asarray(x)
        along = -1 if dim is axis is None else _either(name, dim=dim, axis=axis)
        return OPS[name](x if dtype is None else x.to(dtype=dtype), axis=along)

    return call


def is_array(value: Any) -> bool:
    """Return whether `value` is a Tensor or an array that has axes."""
    return isinstance(value, Tensor) or getattr(value, "ndim", 0) > 0
