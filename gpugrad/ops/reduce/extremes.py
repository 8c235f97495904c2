"""Extremes over axes, where they are, and the truth of elements.

Complex numbers are ordered as in NumPy: by their real parts, and of equal ones by their imaginary parts.
"""

from typing import Any

import numpy as np

from ...autograd.op import op, xp
from ...backend.dtypes import int64
from .axes import axes_of, bench_cases, kept_shape, sample_cases


def _extreme_cases(s: Any, of_nans: list) -> list:
    ties, nans = np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 1.0]]), np.array([[1.0, np.nan], [np.inf, 3.0]])
    special = s.case(nans, axis=0, smooth=False, gradient={"x": of_nans})
    extra = [s.case(ties, axis=1, smooth=False), s.case(ties, smooth=False), special]
    return [*sample_cases(s), *extra, s.case(s(0, 4), axis=1)]


@op(samples=lambda s: _extreme_cases(s, [[0, 1], [1, 0]]), bench=bench_cases, flops=lambda x: x.size, complex=True)
def max(x, *, axis=None, keepdims=False):
    """Return the largest value over `axis`; NaN if an element is NaN. Equal largest elements share the gradient evenly.

    Raises ShapeError over an axis without elements.

    >>> gg.max(gg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([5., 4.])
    """
    return x.max(axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=lambda s: _extreme_cases(s, [[1, 1], [0, 0]]), bench=bench_cases, flops=lambda x: x.size, complex=True)
def min(x, *, axis=None, keepdims=False):
    """Return the smallest value over `axis`; NaN if an element is NaN. Equal smallest elements share the gradient
    evenly.

    Raises ShapeError over an axis without elements.

    >>> gg.min(gg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([1., 3.])
    """
    return x.min(axis=axes_of(axis, x.ndim), keepdims=keepdims)


def _extreme_x(g: Any, x: Any, out: Any, axis: Any) -> Any:
    shape = kept_shape(x.shape, axis)
    chosen = ((x == out.reshape(shape)) | (x != x)).astype(g.dtype)
    return chosen * (g.reshape(shape) / chosen.sum(axis=axes_of(axis, len(shape)), keepdims=True))


max.vjp(x=_extreme_x)
min.vjp(x=_extreme_x)


def _arg_cases(s: Any) -> list:
    x = s.distinct(3, 4)
    ties = [s.case(np.array([[1.0, 2.0, 2.0], [2.0, 0.0, 0.0]]), axis=axis) for axis in (None, 0, -1)]
    return [s.case(x), s.case(x, axis=0), s.case(x, axis=-1, keepdims=True), s.case(x.T, axis=0), s.case(s()), *ties]


@op(samples=_arg_cases, bench=bench_cases, flops=lambda x: x.size, complex=True)
def argmax(x, *, axis=None, keepdims=False):
    """Return the position (int64) of the first largest value along the int `axis`, or in the flattened x.

    >>> gg.argmax(gg.tensor([[1.0, 5.0], [3.0, 3.0]]), axis=1)
    tensor([1, 0])
    """
    return xp(x).argmax(x, axis=axis, keepdims=keepdims)


@op(samples=_arg_cases, bench=bench_cases, flops=lambda x: x.size, complex=True)
def argmin(x, *, axis=None, keepdims=False):
    """Return the position (int64) of the first smallest value along the int `axis`, or in the flattened x.

    >>> gg.argmin(gg.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([0, 1])
    """
    return xp(x).argmin(x, axis=axis, keepdims=keepdims)


def _truth_cases(s: Any) -> list:
    x = s.bools(2, 3, 4)
    given = [s.case(x), s.case(x, axis=0), s.case(x, axis=(-1, 1))]
    return [*given, s.case(s.ints(2, 3, 4), axis=1, keepdims=True), s.case(s(0, 3), axis=0), s.case(s())]


@op(samples=_truth_cases, complex=True)
def any(x, *, axis=None, keepdims=False):
    """Return whether any element over `axis` is not zero (bool); False over an axis without elements.

    >>> gg.any(gg.tensor([[0, 1], [0, 0]]), axis=1)
    tensor([ True, False])
    """
    return xp(x).any(x, axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=_truth_cases, complex=True)
def all(x, *, axis=None, keepdims=False):
    """Return whether all elements over `axis` are not zero (bool); True over an axis without elements.

    >>> gg.all(gg.tensor([[0, 1], [2, 3]]), axis=1)
    tensor([False,  True])
    """
    return xp(x).all(x, axis=axes_of(axis, x.ndim), keepdims=keepdims)


@op(samples=_truth_cases, complex=True)
def count_nonzero(x, *, axis=None, keepdims=False):
    """Count the elements over `axis` that are not zero (int64).

    >>> gg.count_nonzero(gg.tensor([[0, 1], [2, 3]]), axis=1)
    tensor([1, 2])
    """
    return (x != 0).sum(axis=axes_of(axis, x.ndim), dtype=int64, keepdims=keepdims)


amax, amin = max, min
