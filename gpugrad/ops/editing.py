"""Elements put in, taken out and chosen, as NumPy's functions do it."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from ..autograd.convert import asarray, raw
from ..autograd.tensor import Tensor
from ..errors import DTypeError, ShapeError
from . import torch_meanings
from .elementwise import where
from .index import take
from .join import concatenate, stack
from .reduce import max, min
from .shape import broadcast_arrays, broadcast_to, moveaxis, ravel, reshape
from .torch_names import or_torch, two_ints

__all__ = [
    "append", "apply_along_axis", "apply_over_axes", "choose", "compress", "delete", "ediff1d", "extract", "insert",
    "c_", "piecewise", "ptp", "r_", "resize", "select", "trim_zeros",
]  # fmt: skip


def append(x, values, axis=None):
    """Return x with `values` behind it along `axis`; without an axis both are flattened.

    >>> gg.append(gg.tensor([1, 2]), [3])
    tensor([1, 2, 3])
    """
    x, values = asarray(x), asarray(values, device=x.device if isinstance(x, Tensor) else None)
    return concatenate([ravel(x), ravel(values)]) if axis is None else concatenate([x, values], axis=axis)


def _places(name: str, x: Any, at: Any, axis: Any, ends: int) -> tuple[Tensor, int, np.ndarray]:
    """Return x (flattened without an axis), the axis counted from the front, and the indices that `at` means."""
    x = ravel(x) if axis is None else asarray(x)
    axis = 0 if axis is None else axis % x.ndim
    n = x.shape[axis]
    if isinstance(at, slice):
        return x, axis, np.arange(n)[at]
    given = np.asarray(raw(asarray(at).cpu()) if isinstance(at, Tensor) else at)
    if given.dtype.kind == "b":
        return x, axis, np.flatnonzero(given)
    given = given.astype(np.int64)
    if given.size and (given.min() < -n or given.max() >= n + ends):
        raise ShapeError(f"{name}: index {at} is outside axis {axis} of shape {x.shape}")
    return x, axis, np.where(given < 0, given + n, given)


def delete(x, obj, axis=None):
    """Return x without what `obj` (an int, a slice, ints or a mask) names along `axis`; without an axis x is flattened.

    >>> gg.delete(gg.tensor([1, 2, 3]), 1)
    tensor([1, 3])
    """
    x, axis, places = _places("delete", x, obj, axis, 0)
    kept = np.ones(x.shape[axis], bool)
    kept[places] = False
    return take(x, np.flatnonzero(kept), axis=axis)


def insert(x, obj, values, axis=None):
    """Return x with `values` put in before the positions `obj` along `axis`; without an axis x is flattened.

    >>> gg.insert(gg.tensor([1, 2, 3]), 1, 9)
    tensor([1, 9, 2, 3])
    """
    x, axis, places = _places("insert", x, obj, axis, 1)
    values = asarray(values, x.dtype, x.device)
    if places.ndim == 0:  # one place, for all of `values`
        values = moveaxis(reshape(values, (1,) * (x.ndim - values.ndim) + values.shape), 0, axis)
        count = values.shape[axis]
        places = np.repeat(places, count)
    count = places.size
    values = broadcast_to(values, shape=(*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = np.argsort(np.concatenate([places.reshape(-1) - 0.5, np.arange(x.shape[axis])]), kind="stable")
    return take(concatenate([values, x], axis=axis), order, axis=axis)


def resize(x, new_shape):
    """Return the elements of x under another shape: repeated from the start if there are too few, cut if too many.

    >>> gg.resize(gg.tensor([1, 2, 3]), (2, 2))
    tensor([[1, 2],
            [3, 1]])
    """
    x = ravel(x)
    shape = (new_shape,) if isinstance(new_shape, int) else tuple(new_shape)
    n = int(np.prod(shape))
    if not x.shape[0]:
        return reshape(broadcast_to(asarray(0, x.dtype, x.device), shape=(n,)), shape)
    return reshape(take(x, np.arange(n) % x.shape[0]), shape)


def trim_zeros(x, trim="fb"):
    """Return a 1-d array without the zeros at its front ("f" in `trim`) and back ("b").

    >>> gg.trim_zeros(gg.tensor([0, 1, 0, 2, 0]))
    tensor([1, 0, 2])
    """
    x = asarray(x)
    if x.ndim != 1 or not set(trim.lower()) <= set("fb"):
        raise ShapeError(f"trim_zeros: expected one axis and trim of 'f' and 'b', got shape {x.shape} and {trim!r}")
    places = np.flatnonzero(x.device.to_host(x._array))
    if not places.size:
        return x[:0]
    first = places[0] if "f" in trim.lower() else 0
    return x[int(first) : int(places[-1]) + 1 if "b" in trim.lower() else None]


@or_torch("dim index", torch_meanings.select, two_ints)
def select(condlist, choicelist, default=0):
    """Return elementwise the choice of the first condition that holds, else `default`.

    >>> x = gg.arange(4)
    >>> gg.select([x < 1, x > 2], [x - 10, x * 10])
    tensor([-10,   0,   0,  30])
    """
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ShapeError(f"select: {len(condlist)} conditions but {len(choicelist)} choices")
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = where(condition, choice, out)
    return out


def choose(x, choices, *, mode="raise"):
    """Return elementwise the entry of `choices` whose number x holds; all are broadcast.

    mode: "raise" an error for numbers outside the choices, "wrap" them or "clip" them.

    >>> gg.choose(gg.tensor([1, 0]), [[1.0, 2.0], [3.0, 4.0]])
    tensor([3., 2.])
    """
    x, *options = broadcast_arrays(x, *choices)
    n = len(options)
    if mode == "raise" and x._array.size and not (0 <= int(min(x).item()) and int(max(x).item()) < n):
        raise ShapeError(f"choose: x holds numbers outside of the {n} choices")
    number = x % n if mode == "wrap" else x.clip(0, n - 1)
    return stack(options).take_along_axis(number.to("int64")[None], axis=0)[0]


def compress(condition, x, axis=None):
    """Return the slices of x along `axis` (None: its elements) at which the 1-d `condition` holds.

    >>> gg.compress([True, False, True], gg.tensor([1, 2, 3]))
    tensor([1, 3])
    """
    condition = asarray(condition)
    x = ravel(x) if axis is None else asarray(x)
    return take(x, np.flatnonzero(condition.device.to_host(condition._array)), axis=0 if axis is None else axis)


def extract(condition, x):
    """Return the elements of x at which `condition` is not zero, in C order.

    >>> gg.extract(gg.tensor([True, False, True]), gg.tensor([1, 2, 3]))
    tensor([1, 3])
    """
    return compress(ravel(condition), ravel(x))


def piecewise(x, condlist: Any, funclist, *args, **kwargs):
    """Return elementwise what the function (or the number) of the condition that holds gives; the last one holds
    elsewhere if there is one more than conditions, else 0.

    All functions are called with the whole x, and the results chosen from.

    >>> x = gg.tensor([-2.0, 3.0])
    >>> gg.piecewise(x, [x < 0, x >= 0], [lambda x: -x, lambda x: x * x])
    tensor([2., 9.])
    """
    x = asarray(x)
    single = isinstance(condlist, Tensor) and condlist.ndim == x.ndim or isinstance(condlist, (bool, np.bool_))
    conditions: list = [condlist] if single else list(cast(Any, condlist))
    values = [f(x, *args, **kwargs) if callable(f) else f for f in funclist]
    if len(values) not in (len(conditions), len(conditions) + 1):
        raise ShapeError(f"piecewise: {len(conditions)} conditions but {len(values)} functions")
    out: Any = values[-1] if len(values) > len(conditions) else 0
    for condition, value in zip(conditions, values, strict=False):  # the last that holds counts
        out = where(condition, value, out)
    return asarray(out).to(dtype=x.dtype)


def ptp(x, axis=None, *, keepdims=False):
    """Return the range of the values over `axis`, "peak to peak": the largest less the smallest.

    >>> gg.ptp(gg.tensor([4.0, 1.0, 3.0]))
    tensor(3.)
    """
    return max(x, axis=axis, keepdims=keepdims) - min(x, axis=axis, keepdims=keepdims)


def ediff1d(x, to_end=None, to_begin=None):
    """Return the differences of consecutive elements of the flattened x, between `to_begin` and `to_end`.

    >>> gg.ediff1d(gg.tensor([1, 4, 9]), to_begin=0)
    tensor([0, 3, 5])
    """
    x = ravel(x)
    parts = [to_begin, x[1:] - x[:-1], to_end]
    return concatenate([ravel(asarray(part, x.dtype, x.device)) for part in parts if part is not None])


def apply_along_axis(func1d: Callable, axis: int, x: Any, *args: Any, **kwargs: Any) -> Tensor:
    """Return the results of `func1d` for each 1-d slice of x along `axis`, in its place.

    >>> gg.apply_along_axis(lambda row: row.sum() * row, 1, gg.tensor([[1, 2], [3, 4]]))
    tensor([[ 3,  6],
            [21, 28]])
    """
    x = asarray(x)
    axis = axis % x.ndim
    rows = moveaxis(x, axis, -1)
    outer = rows.shape[:-1]
    made = [asarray(func1d(row, *args, **kwargs)) for row in reshape(rows, (-1, rows.shape[-1]))]
    if not made:
        raise ShapeError(f"apply_along_axis: there is no slice in an array of shape {x.shape}")
    out = reshape(stack(made), outer + made[0].shape)
    inner = range(len(outer), out.ndim)
    return moveaxis(out, tuple(inner), tuple(range(axis, axis + len(inner))))


def apply_over_axes(func: Callable, x: Any, axes: int | Sequence[int]) -> Tensor:
    """Return x after `func(x, axis)` for each of the axes, which keeps them or leaves them out.

    >>> gg.apply_over_axes(gg.sum, gg.ones(2, 3, 4), (0, 2)).shape
    (1, 3, 1)
    """
    x = asarray(x)
    n = x.ndim
    for axis in (axes,) if isinstance(axes, int) else axes:
        axis = axis % n
        made = func(x, axis)
        x = made if made.ndim == n else made.unsqueeze(axis)
        if x.ndim != n:
            raise DTypeError(f"apply_over_axes: the function gave shape {made.shape} for {n} axes")
    return x


class _Joined:
    """What r_ and c_ are: square brackets that join arrays, numbers and ranges."""

    def __init__(self, columns: bool):
        self._columns = columns

    def __getitem__(self, parts: Any) -> Tensor:
        parts = parts if isinstance(parts, tuple) else (parts,)
        if any(isinstance(part, str) for part in parts):
            raise DTypeError(f"{self!r}: directives such as {parts[0]!r} are NumPy's own; use concatenate and stack")
        made = [asarray(np.r_[part]) if isinstance(part, slice) else asarray(part) for part in parts]
        if self._columns:
            return concatenate([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in made], axis=-1)
        return concatenate([x if x.ndim else ravel(x) for x in made], axis=0)

    def __repr__(self) -> str:
        return "c_" if self._columns else "r_"


r_, c_ = _Joined(False), _Joined(True)
