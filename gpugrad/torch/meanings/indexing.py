"""Gathering, scattering, and changes at given places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops import torch_meanings
from ..language import means
from .shapes import expand


def _grid(index: Tensor, dim: int) -> tuple:
    """Return the index that `gather` and `scatter` mean by `index`: its values along `dim`, all places elsewhere."""
    grid: list = list(np.indices(tuple(index.shape), sparse=True))
    grid[dim] = index._array
    return tuple(grid)


def _source(input: Tensor, index: Tensor, src: Any) -> Any:
    """Return the part of `src` that belongs to `index`; a number stays one."""
    if not isinstance(src, Tensor):
        return OPS["broadcast_to"](asarray(src, dtype=input.dtype, device=input.device), shape=tuple(index.shape))
    return src[tuple(slice(n) for n in index.shape)]


@means("arguments are (input, dim, index)")
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Tensor:
    """Return the elements of `input` at `index` along `dim`, in the shape of `index`."""
    if not input.ndim:
        return gather(input.reshape(1), 0, index.reshape(-1)).reshape(tuple(index.shape))
    axis = dim % input.ndim
    cut = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(index.shape))
    return OPS["take_along_axis"](input[cut], index, axis=axis)


@means(in_place=True)
def scatter(
    input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """Return `input` with the elements at `index` along `dim` replaced by those of `src`, or combined with them."""
    values = _source(input, index, value if src is None else src)
    if reduce is not None:
        names = {"add": "sum", "multiply": "prod"}
        return scatter_reduce(input, dim, index, values, names.get(reduce, reduce))
    out = OPS["copy"](input)
    if index.numel():
        out[_grid(index, dim % input.ndim)] = values
    return out


@means("arguments are (input, dim, index, src)", in_place=True)
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Tensor:
    """Return `input` with the elements of `src` added at `index` along `dim`."""
    return (
        OPS["put_add"](_source(input, index, src), index=_grid(index, dim % input.ndim), shape=tuple(input.shape))
        + input
        if index.numel()
        else OPS["copy"](input)
    )


@means(in_place=True)
def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Tensor:
    """Return `input` with the elements of `src` at `index` along `dim` summed, multiplied, averaged, or compared."""
    axis = dim % input.ndim
    places = _grid(index, axis)
    values = _source(input, index, src)
    hit = np.zeros(tuple(input.shape), np.int64)
    np.add.at(hit, places, 1)
    touched = asarray(hit > 0, device=input.device)
    if reduce in ("sum", "mean"):
        start = input if include_self else OPS["where"](touched, 0, input)
        out = start + OPS["put_add"](values, index=places, shape=tuple(input.shape)).to(dtype=input.dtype)
        if reduce == "sum":
            return out
        counts = asarray(np.maximum(hit + int(include_self), 1), device=input.device)
        means_ = OPS["divide"](out, counts) if input.is_floating_point() else OPS["floor_divide"](out, counts)
        return OPS["where"](touched, means_, input)
    if reduce not in ("prod", "amax", "amin"):
        raise OptionError(f"scatter_reduce: reduce is sum, prod, mean, amax or amin, got {reduce!r}")
    return _compared(input, places, values, reduce, include_self, touched)


def _compared(input: Tensor, places: tuple, values: Tensor, reduce: str, include_self: bool, touched: Tensor) -> Tensor:
    """Return the products or extremes at `places`: in rounds, so that in each every place is met once at most."""
    combine = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}[reduce]
    flat = np.ravel_multi_index(np.broadcast_arrays(*places), tuple(input.shape)).reshape(-1)
    order = np.argsort(flat, kind="stable")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat[order])) + 1])
    rank = np.empty(len(flat), np.int64)
    rank[order] = np.arange(len(flat)) - np.repeat(starts, np.diff([*starts, len(flat)]))
    out, vector = input.reshape(-1), values.reshape(-1)
    for number in range(int(rank.max()) + 1 if len(rank) else 0):
        members = np.flatnonzero(rank == number)
        at = asarray(flat[members], device=input.device)
        new = vector[asarray(members, device=input.device)]
        new = new if number == 0 and not include_self else OPS[combine](out[at], new)
        out = OPS["copy"](out)
        out[at] = new
    return out.reshape(tuple(input.shape))


@means("arguments are (input, dim, index)")
def index_select(input: Any, dim: int, index: Any) -> Tensor:
    """Return the slices `index` along `dim`."""
    if not input.ndim:
        return input
    return OPS["take"](input, index.reshape(-1), axis=dim)


def _at(input: Tensor, dim: int, index: Tensor) -> tuple:
    return (slice(None),) * (dim % input.ndim) + (index.reshape(-1),)


@means("arguments are (input, dim, index, source)", in_place=True)
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
    """Return `input` with the slices of `source` added to its slices `index` along `dim`."""
    return OPS["index_add"](input, index, source if alpha == 1 else source * alpha, axis=dim)


@means(in_place=True)
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Tensor:
    """Return `input` with its slices `index` along `dim` set to `value`."""
    out = OPS["copy"](input)
    out[_at(input, dim, index)] = value
    return out


@means(in_place=True)
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Tensor:
    """Return `input` with its slices `index` along `dim` replaced by those of `source`."""
    out = OPS["copy"](input)
    out[_at(input, dim, index)] = source
    return out


@means(in_place=True)
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """Return `input` with `input[indices]` set to `values`, or with these added to it."""
    if accumulate:
        places = tuple(i._array if isinstance(i, Tensor) else i for i in indices)
        shape = np.empty(tuple(input.shape), bool)[places].shape
        spread = OPS["broadcast_to"](asarray(values, dtype=input.dtype, device=input.device), shape=shape)
        return input + OPS["put_add"](spread, index=places, shape=tuple(input.shape))
    out = OPS["copy"](input)
    out[tuple(indices)] = values
    return out


@means(in_place=True)
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Tensor:
    """Return `input` with the elements `index` of its flat form set to `source`, or with these added."""
    return torch_meanings.put(input, index, source, accumulate)


@means()
def masked_select(input: Any, mask: Any) -> Tensor:
    """Return the elements where `mask` is true, as a vector; both are broadcast."""
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    return expand(input, shape)[expand(mask, shape)]


@means("a mask that is broadcast", in_place=True)
def masked_fill(input: Any, mask: Any, value: Any) -> Tensor:
    """Return `input` with `value` where `mask` is true."""
    return OPS["masked_fill"](input, mask, value)


@means(in_place=True)
def masked_scatter(input: Any, mask: Any, source: Any) -> Tensor:
    """Return `input` with the elements of `source`, in order, where `mask` is true."""
    mask = expand(mask, tuple(input.shape))
    count = int(OPS["sum"](mask).item())
    out = OPS["copy"](input)
    out[mask] = source.reshape(-1)[:count]
    return out


@means("indices into the flat Tensor")
def take(input: Any, index: Any) -> Tensor:
    """Return the elements `index` of the flat Tensor."""
    return OPS["take"](input.reshape(-1), index, axis=0)


@means()
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Tensor:
    """Return the elements at `indices` along `dim`, of the flat Tensor without it; other axes are broadcast."""
    if dim is None:
        return OPS["take"](input.reshape(-1), indices.reshape(-1), axis=0)
    return OPS["take_along_axis"](input, indices, axis=dim)


@means("of a condition alone the positions; as a method, the condition comes second", method=False)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Return `input` where the condition holds and `other` elsewhere; of a condition alone the positions."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    return OPS["where"](condition, input, other)


def _replaced(name: str) -> Any:
    """Return PyTorch's function that gives a copy of `input` in which a part is replaced by `src`."""

    def put_at(input: Any, index: Any, src: Any) -> Tensor:
        out = OPS["copy"](input)
        out[index] = src
        return out

    put_at.__name__ = name
    return put_at


@means()
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Tensor:
    """Return `input` with the slice `index` along `dim` replaced by `src`."""
    return _replaced("select_scatter")(input, (slice(None),) * (dim % input.ndim) + (index,), src)


@means()
def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Return `input` with the slices from `start` to `end` along `dim` replaced by `src`."""
    return _replaced("slice_scatter")(input, (slice(None),) * (dim % input.ndim) + (slice(start, end, step),), src)


@means()
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return `input` with its diagonal replaced by `src`."""
    here = OPS["diagonal"](input, offset=offset, axis1=dim1, axis2=dim2)
    if tuple(here.shape) != tuple(src.shape):
        raise ShapeError(f"diagonal_scatter: the diagonal has shape {tuple(here.shape)}, src {tuple(src.shape)}")
    shape = {"shape": tuple(input.shape), "offset": offset, "axis1": dim1, "axis2": dim2}
    return input + OPS["diagonal_adjoint"](src - here, **shape)


@means(function=False)
def fill_diagonal_(self: Any, fill_value: Any, wrap: bool = False) -> Tensor:
    """Set the diagonal to a number, in place; with `wrap` that of a tall matrix goes on below."""
    if self.ndim == 2:
        rows, columns = self.shape
        at = np.arange(0, rows * columns if wrap else min(rows, columns) * columns, columns + 1)
        self[asarray(at // columns), asarray(at % columns)] = fill_value
    else:
        at = asarray(np.arange(self.shape[0]))
        self[(at,) * self.ndim] = fill_value
    return self
