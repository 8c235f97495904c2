"""Reductions that leave NaN out."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from . import torch_meanings
from .cumulative import cumprod, cumsum
from .elementwise import sqrt, where
from .reduce import all, argmax, argmin, max, min, prod, sum
from .shape import moveaxis
from .sort import sort
from .statistics import nanmean
from .torch_meanings import BETWEEN
from .torch_names import flag_third, or_torch

__all__ = [
    "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nanvar",
]  # fmt: skip


def _filled(x: Any, value: float) -> tuple[Tensor, Tensor]:
    """Return x with `value` in place of NaN, and where it was none."""
    x = asarray(x)
    kept = x == x
    return where(kept, x, value) if x.dtype.kind in "fcV" else x, kept


def _without(name: str, x: Any, fill: float, reduce: Any, axis: Any, keepdims: bool) -> Tensor:
    """Return an extreme of the numbers; NaN where there are none."""
    filled, kept = _filled(x, fill)
    out = reduce(filled, axis=axis, keepdims=keepdims)
    some = kept.any(axis=axis, keepdims=keepdims)
    return where(some, out, float("nan")) if filled.dtype.kind in "fV" else out


@torch_words
def nanmax(x, axis=None, *, keepdims=False):
    """Return the largest number over `axis`; NaN where there is none.

    >>> gg.nanmax(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(2.)
    """
    return _without("nanmax", x, -np.inf, max, axis, keepdims)


@torch_words
def nanmin(x, axis=None, *, keepdims=False):
    """Return the smallest number over `axis`; NaN where there is none.

    >>> gg.nanmin(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(1.)
    """
    return _without("nanmin", x, np.inf, min, axis, keepdims)


def _position(name: str, x: Any, fill: float, search: Any, axis: Any, keepdims: bool) -> Tensor:
    filled, kept = _filled(x, fill)
    if filled.device.type == "cpu" and not bool(all(kept.any(axis=axis)).item()):
        raise ShapeError(f"{name}: a slice of x {filled.shape} along axis {axis} is all NaN")
    return search(filled, axis=axis, keepdims=keepdims)


@torch_words
def nanargmax(x, axis=None, *, keepdims=False):
    """Return the position of the first largest number along `axis`. Raises ShapeError where all are NaN (on the CPU).

    >>> gg.nanargmax(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(2)
    """
    return _position("nanargmax", x, -np.inf, argmax, axis, keepdims)


@torch_words
def nanargmin(x, axis=None, *, keepdims=False):
    """Return the position of the first smallest number along `axis`. Raises ShapeError where all are NaN (on the CPU).

    >>> gg.nanargmin(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(0)
    """
    return _position("nanargmin", x, np.inf, argmin, axis, keepdims)


@torch_words
def nanprod(x, axis=None, dtype=None, *, keepdims=False):
    """Return the product over `axis`, with NaN taken as 1.

    >>> gg.nanprod(gg.tensor([3.0, float("nan"), 2.0]))
    tensor(6.)
    """
    return prod(_filled(x, 1)[0], axis=axis, dtype=dtype, keepdims=keepdims)


@torch_words
def nancumsum(x, axis=None, dtype=None):
    """Return running sums along `axis` (None: flattened), with NaN taken as 0.

    >>> gg.nancumsum(gg.tensor([3.0, float("nan"), 2.0]))
    tensor([3., 3., 5.])
    """
    return cumsum(_filled(x, 0)[0], axis=axis, dtype=dtype)


@torch_words
def nancumprod(x, axis=None, dtype=None):
    """Return running products along `axis` (None: flattened), with NaN taken as 1.

    >>> gg.nancumprod(gg.tensor([3.0, float("nan"), 2.0]))
    tensor([3., 3., 6.])
    """
    return cumprod(_filled(x, 1)[0], axis=axis, dtype=dtype)


@torch_words
def nanvar(x, axis=None, dtype=None, ddof=0, *, keepdims=False, correction=None):
    """Return the variance over `axis` of the elements that are not NaN; NaN where there are not more than `ddof`.

    >>> gg.nanvar(gg.tensor([1.0, float("nan"), 3.0]))
    tensor(1.)
    """
    x = asarray(x, dtype)
    ddof = ddof if correction is None else correction
    filled, kept = _filled(x - nanmean(x, axis=axis, keepdims=True), 0)
    count = sum(kept, axis=axis, keepdims=keepdims) - ddof
    total = sum(filled * filled.conj() if filled.dtype.kind == "c" else filled * filled, axis=axis, keepdims=keepdims)
    return where(count > 0, total / where(count > 0, count, 1), float("nan"))


@torch_words
def nanstd(x, axis=None, dtype=None, ddof=0, *, keepdims=False, correction=None):
    """Return the standard deviation over `axis` of the elements that are not NaN: the root of `nanvar`.

    >>> gg.nanstd(gg.tensor([1.0, float("nan"), 3.0]))
    tensor(1.)
    """
    return sqrt(nanvar(x, axis, dtype, ddof, keepdims=keepdims, correction=correction))


@torch_words
def nanquantile(x, q, axis=None, *, keepdims=False, interpolation="linear"):
    """Return the values below which the fractions q of the numbers lie; NaN where there are none.

    interpolation: what is between two numbers: "linear", "lower", "higher", "midpoint" or "nearest". q's shape comes
    first in the result. Raises OptionError for another interpolation, ShapeError for q outside [0, 1].

    >>> gg.nanquantile(gg.tensor([1.0, float("nan"), 2.0]), 0.5)
    tensor(1.5)
    """
    if interpolation not in BETWEEN:
        raise OptionError(f"nanquantile: interpolation is one of {', '.join(BETWEEN)}, got {interpolation!r}")
    x = asarray(x)
    axes = range(x.ndim) if axis is None else [axis % x.ndim] if isinstance(axis, int) else [i % x.ndim for i in axis]
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = sort(moveaxis(x, rest, range(len(rest))).reshape(*[x.shape[i] for i in rest], -1), axis=-1)
    fraction = asarray(q, "float64" if rows.dtype == np.float64 else "float32", rows.device)
    if not bool(((fraction >= 0) & (fraction <= 1)).all().item()):
        raise ShapeError(f"nanquantile: quantiles are between 0 and 1, got {q}")
    count = (rows == rows).sum(axis=-1, keepdims=True)  # NaN is sorted to the end
    place = fraction.reshape(-1) * (where(count > 0, count, 1) - 1)
    place = place.round() if interpolation == "nearest" else place
    low, high = place.floor().to("int64"), place.ceil().to("int64")
    weight = place - low if BETWEEN[interpolation] is None else BETWEEN[interpolation]
    below, above = (rows.take_along_axis(i, axis=-1) for i in (low, high))
    out = moveaxis(below + where(low == high, 0, above - below) * weight, -1, 0)
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    return out.reshape(fraction.shape + tuple(kept if keepdims else [x.shape[i] for i in rest]))


def nanpercentile(x, q, axis=None, *, keepdims=False):
    """Return `nanquantile` for q from 0 to 100.

    >>> gg.nanpercentile(gg.tensor([1.0, float("nan"), 2.0]), 50)
    tensor(1.5)
    """
    return nanquantile(x, np.asarray(q) / 100, axis=axis, keepdims=keepdims)


@or_torch("dim keepdim", torch_meanings.nanmedian, flag_third)
def nanmedian(x, axis=None, *, keepdims=False):
    """Return the middle number over `axis`, or the mean of the two in the middle; NaN where there is none.

    >>> gg.nanmedian(gg.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5)
    """
    return nanquantile(x, 0.5, axis=axis, keepdims=keepdims)
