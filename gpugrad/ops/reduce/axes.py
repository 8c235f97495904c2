"""The parts that all reductions share: axes, the shapes before and after, and the dtype of sums."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd.op import xp
from ...backend.dtypes import as_dtype, float32, int64, is_low, uint8, uint64


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return `axis` as a tuple of non-negative ints. Raises AxisError (and so ShapeError) for an axis that x does not
    have.
    """
    if axis is None:
        return tuple(range(ndim))
    return np.lib.array_utils.normalize_axis_tuple(tuple(axis) if isinstance(axis, list) else axis, ndim, "axis")


def kept_shape(shape: tuple, axis: Any) -> tuple:
    """Return `shape` with ones in place of the reduced axes, as a reduction with `keepdims` gives it."""
    axes = axes_of(axis, len(shape))
    return tuple([1 if i in axes else n for i, n in enumerate(shape)])


def reduced_count(shape: tuple, axis: Any) -> int:
    """Return the number of elements of an array of this shape that go into each result."""
    return math.prod(shape[i] for i in axes_of(axis, len(shape)))


def divide_or_nan(total: Any, n: float) -> Any:
    """Return total / n, or NaN where n is not positive: the mean of nothing."""
    return total / n if n > 0 else total * math.nan


def expand_reduced(g: Any, shape: tuple, axis: Any, dtype: Any) -> Any:
    """Broadcast the reduced array g back to `shape`, in `dtype`."""
    g = (g if g.dtype == dtype else g.astype(dtype)).reshape(kept_shape(shape, axis))
    return xp(g).broadcast_to(g, shape)


def _wide(dtype: np.dtype) -> np.dtype:
    """Return the dtype in which elements of `dtype` are added up."""
    if dtype.kind == "u" and dtype != uint8:
        return uint64
    return int64 if dtype.kind in "iub" else dtype


def accumulate(method: Callable, x: Any, dtype: Any, **where: Any) -> Any:
    """Call x.sum, prod, cumsum, cumprod or a function like them in the dtype that `dtype` asks for.

    Without one, integers and bools are added up as int64, unsigned ones of more than 8 bits as uint64. 16-bit floats
    are added up as float32 and rounded once.
    """
    if dtype is True or dtype is False:
        raise TypeError(
            f"dtype must be a dtype, got {dtype}: after axis comes NumPy's dtype; write keepdims={dtype}, or PyTorch's "
            f"keepdim={dtype}"
        )
    wanted = as_dtype(dtype) if dtype is not None else _wide(x.dtype)
    out = method(dtype=float32 if is_low(wanted) else wanted, **where)
    return out.astype(wanted) if is_low(wanted) else out


def to_rows(x: Any, axes: tuple) -> Any:
    """Merge `axes` of x into one last axis."""
    others = [i for i in range(x.ndim) if i not in axes]
    return x.transpose((*others, *axes)).reshape((*(x.shape[i] for i in others), reduced_count(x.shape, axes)))


def from_rows(rows: Any, shape: tuple, axes: tuple) -> Any:
    """Undo `to_rows` for an x of this shape."""
    order = [*(i for i in range(len(shape)) if i not in axes), *axes]
    return rows.reshape(tuple([shape[i] for i in order])).transpose(tuple(np.argsort(order).tolist()))


def sample_cases(s: Any) -> list:
    """Return samples for the checks of any reduction: axes, memory layouts, keepdims, one element."""
    x = s.distinct(2, 3, 4)
    axes = [s.case(x, axis=axis) for axis in (0, -1, (0, 2), (-2,))]
    layouts = [s.case(s.distinct(4, 3).T, axis=1), s.case(s.distinct(3, 8)[:, ::2], axis=0), s.case(s.distinct(1))]
    dims = [s.case(x, axis=(1, 2), keepdims=True), s.case(x, keepdims=True)]
    return [s.case(x), *axes, *dims, *layouts, s.case(s.distinct())]


def bench_cases(s: Any) -> Any:
    """Return rows of 1024 elements, to measure a reduction on."""
    return (s.case(s(n, 1024), axis=-1) for n in (4096, 64, 512, 32768))
