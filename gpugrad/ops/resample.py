"""Resampling along one axis by a sparse matrix, of which every kind of interpolation is made.

`resample` multiplies an axis by a matrix whose rows have few elements. Its gradient multiplies by the transposed
matrix, which is the same op again: derivatives of every order, and sums in a fixed order.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..autograd.op import op, xp
from ..backend.devices import device_of

__all__ = []


class Taps:
    """Holds a sparse matrix (O, size): row o has weight[o, k] at column index[o, k], both (O, K), maybe repeated."""

    def __init__(self, index: np.ndarray, weight: np.ndarray, size: int):
        self.index, self.weight, self.size = index, weight, size
        self._placed: dict[tuple, tuple] = {}

    def __repr__(self) -> str:
        return f"Taps({self.size} -> {len(self.index)}, {self.index.shape[1]} each)"

    @functools.cached_property
    def plain(self) -> bool:
        """Whether each row picks one element unchanged."""
        return self.index.shape[1] == 1 and bool((self.weight == 1).all())

    @functools.cached_property
    def transposed(self) -> Taps:
        """The matrix (size, O)."""
        rows, places = np.nonzero(self.weight)
        columns = self.index[rows, places]
        order = np.argsort(columns, kind="stable")
        rows, places, columns = rows[order], places[order], columns[order]
        counts = np.bincount(columns, minlength=self.size)
        rank = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = (self.size, max(int(counts.max(initial=0)), 1))
        index, weight = np.zeros(shape, np.int64), np.zeros(shape)
        index[columns, rank], weight[columns, rank] = rows, self.weight[rows, places]
        filled = np.arange(shape[1]) < counts[:, None]
        return Taps(np.where(filled, index, index[:, :1]), weight, len(self.index))

    def on(self, x: Any) -> tuple[Any, Any]:
        """Return `index` and `weight`, both (K, O), where x is and with its dtype; moved there once."""
        device = device_of(x)
        key = (device.name, x.dtype)
        if key not in self._placed:
            arrays = np.ascontiguousarray(self.index.T), np.ascontiguousarray(self.weight.T.astype(x.dtype))
            self._placed[key] = device.asarray(arrays[0]), device.asarray(arrays[1])
        return self._placed[key]


def _example(s: Any, rows: int, taps: int, size: int) -> Taps:
    return Taps(s.ints(size, rows, taps), s.uniform(-1, 1, rows, taps), size)


@op(
    samples=lambda s: [
        s.case(s(2, 5), axis=1, taps=_example(s, 7, 2, 5)),
        s.case(s(5, 2), axis=0, taps=_example(s, 3, 4, 5)),
        s.case(s(2, 4, 3), axis=1, taps=_example(s, 6, 1, 4)),
        s.case(s(2, 3), axis=1, taps=Taps(s.ints(3, 5, 1), np.ones((5, 1)), 3)),
        s.case(s(0, 3), axis=1, taps=_example(s, 4, 2, 3)),
        s.case(s(2, 3), axis=1, taps=_example(s, 0, 2, 3)),
    ],
    dtypes="own",
    scalar_axis=False,
)
def resample(x, *, axis, taps):
    """Return x (..., S, ...) times the sparse matrix `taps` (O, S) along `axis`: (..., O, ...).

    out[..., o, ...] = sum_k taps.weight[o, k] x[..., taps.index[o, k], ...]. An integer x needs taps that pick one
    element each (DTypeError otherwise).
    """
    if x.shape[axis] != taps.size:
        raise ValueError(f"axis {axis} of {x.shape} does not have the {taps.size} elements of {taps}")
    ns = xp(x)
    if taps.plain:
        return ns.take(x, taps.on(x)[0][0], axis=axis)
    if x.dtype.kind in "iub":
        raise TypeError(f"{x.dtype} cannot be interpolated; convert it to a floating-point dtype")
    if not taps.size:
        return ns.zeros((*x.shape[:axis], len(taps.index), *x.shape[axis:][1:]), x.dtype)
    index, weight = taps.on(x)
    tail, out = (1,) * (x.ndim - 1 - axis), None
    for places, factors in zip(index, weight, strict=True):
        part = ns.take(x, places, axis=axis)
        part *= factors.reshape(-1, *tail)
        out = part if out is None else ns.add(out, part, out=out)
    return out


resample.vjp(x=lambda g, axis, taps: xp(g).resample(g, axis=axis, taps=taps.transposed))
