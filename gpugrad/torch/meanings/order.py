"""Order statistics, sorting, searching and counting."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops import torch_meanings
from ...ops.sampled import every_gradient
from ...ops.torch_meanings import Extremum
from ..language import means, sizes_of


class TopK(NamedTuple):
    """The result of `topk`."""

    values: Tensor
    indices: Tensor


@means("it gives (values, indices)")
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the values in order along `dim`, and where they were."""
    return torch_meanings.sort(input, dim, descending)


@means("arguments are (input, dim, descending)")
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the indices that sort along `dim`."""
    return torch_meanings.argsort(input, dim, descending)


@means()
def msort(input: Any) -> Tensor:
    """Return the values in order along the first axis."""
    return OPS["sort"](input, axis=0)


@means("arguments are (input, k, dim)")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the k largest (or smallest) values along `dim`, and where they are."""
    return TopK(*OPS["topk"](input, k=int(k), axis=dim, largest=largest, sorted=sorted))


@means("it is the lower of two in the middle; over an axis it gives (values, indices)")
def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle value: of all elements, or along `dim` with its place."""
    if dim is None:
        return torch_meanings.median(input.reshape(-1), 0).values
    return torch_meanings.median(input, dim, keepdim)


def _kth(input: Any, rank: Any, dim: int, keepdim: bool) -> Extremum:
    indices = OPS["expand_dims"](OPS["take"](OPS["argsort"](input, axis=dim), rank, axis=dim), axis=dim)
    values = OPS["take_along_axis"](input, indices, axis=dim)
    return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))


@means("it is the lower of two in the middle; over an axis it gives (values, indices)")
def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle of the values that are not NaN."""
    if dim is None:
        return nanmedian(input.reshape(-1), 0).values
    return torch_meanings.nanmedian(input, dim, keepdim)


@means()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the k-th smallest value along `dim` and where it is; k counts from 1."""
    if not 1 <= k <= input.shape[dim]:
        raise OptionError(f"kthvalue: k must lie between 1 and {input.shape[dim]}, the length of axis {dim}, got {k}")
    return _kth(input, k - 1, dim, keepdim)


@means()
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the most frequent value along `dim`, of several the smallest, and the last place where it is."""
    rows = np.moveaxis(input.device.to_host(input._array), dim, -1)
    length = rows.shape[-1]
    counts = (rows[..., :, None] == rows[..., None, :]).sum(-1)
    frequent = counts == counts.max(-1, keepdims=True)
    least = np.where(frequent, rows, rows.max(-1, keepdims=True)).min(-1, keepdims=True)
    places = length - 1 - np.argmax((rows == least)[..., ::-1], -1)[..., None]
    indices = asarray(np.ascontiguousarray(np.moveaxis(places, -1, dim)), device=input.device)
    values = OPS["take_along_axis"](input, indices, axis=dim)
    return Extremum(values, indices) if keepdim else Extremum(values.squeeze(dim), indices.squeeze(dim))


@means("arguments are (input, q, dim, keepdim)")
def quantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """Return the values below which the fractions q lie."""
    return torch_meanings.quantile(input, q, dim, keepdim, interpolation=interpolation)


@means("a matrix with a row per position, unless `as_tuple`")
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Return the positions of the elements that are not zero."""
    return torch_meanings.nonzero(input, as_tuple=as_tuple)


@means("arguments are (input, sorted, return_inverse, return_counts, dim); there are no first places")
def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the values that occur, with the places of each element among them and their counts if asked for."""
    found = OPS["unique"](input, return_inverse=return_inverse, return_counts=return_counts, axis=dim)
    return found


@means()
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the elements that differ from the one before, with their groups and the groups' lengths if asked for."""
    x = input.reshape(-1) if dim is None else OPS["moveaxis"](input, source=dim, destination=0)
    rows = x.device.to_host(x.detach()._array).reshape(len(x), -1)
    first = np.concatenate([[True] * (len(rows) > 0), (rows[1:] != rows[:-1]).any(1)]).astype(bool)
    starts = np.flatnonzero(first)
    kept = OPS["take"](x, asarray(starts, device=x.device), axis=0)
    out = [kept if dim is None else OPS["moveaxis"](kept, source=0, destination=dim)]
    if return_inverse:
        group = asarray(np.cumsum(first) - 1, device=x.device)
        out.append(group.reshape(input.shape) if dim is None else group)
    if return_counts:
        out.append(asarray(np.diff(np.append(starts, len(rows))), device=x.device))
    return out[0] if len(out) == 1 else tuple(out)


@means("arguments are (sorted_sequence, input)")
def searchsorted(
    sorted_sequence: Any,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Return where `input` would be put into the sorted sequence."""
    numbers = not isinstance(input, Tensor)
    found = OPS["searchsorted"](
        sorted_sequence,
        asarray(input) if numbers else input,
        right=right,
        side=side,
        sorter=sorter,
        out_int32=out_int32,
    )
    return found


@means()
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Return the number of the bucket between `boundaries` that each element lies in."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@means()
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements lie in each of `bins` equal parts of [min, max]; (0, 0) is from least to largest."""
    host = input.device.to_host(input.detach()._array)
    low, high = (host.min(), host.max()) if min == max == 0 and host.size else (min, max)
    counts, _ = np.histogram(host, bins, (low, high) if low < high else (low - 1, high + 1))
    return asarray(counts.astype(input.dtype), device=input.device)


@means("arguments are (input, weights, minlength), and a bool is no count")
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """Return how often each int occurs."""
    if input.ndim != 1:
        raise ShapeError(f"bincount: expected one axis, got shape {tuple(input.shape)}")
    return OPS["bincount"](input, weights, minlength=minlength)


@means("one bool, of both shapes and values")
def equal(input: Any, other: Any) -> bool:
    """Return whether both have the same shape and values, as a bool."""
    return tuple(input.shape) == tuple(other.shape) and bool(OPS["all"](OPS["equal"](input, other)).item())


@means("a bool")
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are close, as a bool."""
    return bool(OPS["all"](isclose(input, other, rtol, atol, equal_nan)).item())


@means("arguments are (input, other, rtol, atol, equal_nan)")
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Return whether |input - other| <= atol + rtol |other|."""
    x, y = asarray(input).detach(), asarray(other).detach()
    return OPS["isclose"](x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)


@means()
def trapz(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return the integral along `dim` by the trapezoidal rule."""
    return trapezoid(y, x, dx=dx, dim=dim)


@means("arguments are (y, x), dx and dim by name")
def trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return the integral along `dim` by the trapezoidal rule."""
    return OPS["sum"](_steps(y, x, dx, dim), axis=dim)


@means()
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """Return the running integral along `dim` by the trapezoidal rule."""
    return OPS["cumsum"](_steps(y, x, dx, dim), axis=dim)


def _steps(y: Any, x: Any, dx: float, dim: int) -> Tensor:
    n = y.shape[dim]
    low, high = (OPS["take"](y, np.arange(a, n - 1 + a), axis=dim) for a in (0, 1))
    if x is None:
        return (low + high) * (dx / 2)
    wide = x.shape[dim] if x.ndim == y.ndim else len(x)
    step = OPS["take"](x, np.arange(1, wide), axis=dim if x.ndim == y.ndim else 0)
    step = step - OPS["take"](x, np.arange(wide - 1), axis=dim if x.ndim == y.ndim else 0)
    if x.ndim != y.ndim:
        step = step.reshape([-1 if i == dim % y.ndim else 1 for i in range(y.ndim)])
    return (low + high) * step / 2


@means("a tuple, also for one axis; `spacing` and `dim` by name", method=False)
def gradient(input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Return the derivative of sampled values along each axis, or those in `dim`."""
    return every_gradient(input, spacing=spacing, dim=dim, edge_order=edge_order)


@means("axes are `dims`")
def flip(input: Any, *axes: Any, dims: Any = None) -> Tensor:
    """Return the elements in reverse order along the axes `dims`."""
    return OPS["flip"](input, axis=sizes_of(axes if dims is None else (dims,), "flip"))
