"""Launches of `map`, the kernel of kernels/elementwise.cu, over arrays of any shapes and strides that broadcast."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ....backend.cuda.launch import Kernels, Strided
from ....backend.namespace import xp

THREADS, EACH, AXES = 256, 8, 8  # kThreads, kEach and kAxes of the kernel
MOST = 2**31 - 1  # elements that the kernel can locate by shape and strides


def map_arrays(kernels: Kernels, instance: str, result: Any, arrays: Sequence, parameters: Sequence[float] = ()) -> Any:
    """Launch an instance of `map` on arrays; the result has dtype `result`. NotImplemented for too many axes.

    Among the arrays may be numbers of the host (NumPy scalars), which become arguments of the kernel.
    """
    layout, shape, order = _layout(arrays)
    if layout is None:
        return NotImplemented
    out = xp(next(a for a in arrays if not isinstance(a, np.generic))).empty(shape, result)
    double = max(a.itemsize for a in arrays) == 8
    values = _parameters_type(double)(tuple(parameters))
    if layout.rank and out.size > MOST:
        back = range(len(shape)) if order is None else order
        to, axes = [shape[i] for i in back], np.argsort(back).tolist()
        arrays = [a if isinstance(a, np.generic) else xp(a).broadcast_to(a, to).transpose(axes) for a in arrays]
        _fill_parts(kernels, instance, out, arrays, values)
    else:
        _fill(kernels, instance, out, layout, arrays, values)
    return out if order is None else out.transpose(order)


def _fill(
    kernels: Kernels, instance: str, out: Any, layout: Layout, arrays: Sequence, values: ctypes.Structure
) -> None:
    given = [None if isinstance(a, np.generic) else Strided(a) for a in arrays] + [None] * (3 - len(arrays))
    args = (out, np.int64(out.size), layout, values, *given)
    kernels.launch(instance, grid=(-(-out.size // (THREADS * EACH)),), block=(THREADS,), args=args)


def _fill_parts(kernels: Kernels, instance: str, out: Any, arrays: Sequence, values: ctypes.Structure) -> None:
    """Fill halves of `out`, and of these halves, until the kernel can count their elements."""
    axis = next(i for i, n in enumerate(out.shape) if n > 1)
    middle = out.shape[axis] // 2
    for part in (slice(0, middle), slice(middle, None)):
        at = (slice(None),) * axis + (part,)
        target, parts = out[at], [a if isinstance(a, np.generic) else a[at] for a in arrays]
        if target.size > MOST:
            _fill_parts(kernels, instance, target, parts, values)
        else:
            layout, _, _ = _layout(parts, ordered=True)
            assert layout is not None
            _fill(kernels, instance, target, layout, parts, values)


@cache
def _parameters_type(double: bool) -> Any:
    typed = (ctypes.c_double if double else ctypes.c_float) * 3
    return type("Parameters", (ctypes.Structure,), {"_fields_": [("at", typed)]})


class Layout(ctypes.Structure):
    """Is the kernel's struct `Layout`: shape, strides of three inputs, and the numbers among them."""

    _fields_ = [
        ("rank", ctypes.c_int), ("fixed", ctypes.c_int), ("vectors", ctypes.c_int),
        ("shape", ctypes.c_longlong * AXES), ("strides", ctypes.c_longlong * AXES * 3),
        ("number", ctypes.c_double * 3),
    ]  # fmt: skip


@lru_cache(1024)
def _dense(single: int, numbers: tuple[float, ...]) -> Layout:
    return Layout(0, single, 1, number=numbers)


def _layout(arrays: Sequence, ordered: bool = False) -> tuple[Layout | None, tuple, list | None]:
    """Return the kernel's Layout (None: too many axes), the shape to make, and its transposition to the result.

    The result gets the memory order of its inputs, as NumPy's and CuPy's does; `ordered`: they are in that order."""
    shapes = {a.shape for a in arrays if a.size != 1 or a.ndim}
    shape = shapes.pop() if len(shapes) == 1 else np.broadcast_shapes(*[a.shape for a in arrays])
    single = sum(1 << i for i, a in enumerate(arrays) if a.size == 1)
    numbers = tuple([float(a) if isinstance(a, np.generic) else 0.0 for a in arrays])
    full = [a for a in arrays if a.size != 1]
    if all(a.flags.c_contiguous and a.shape == shape for a in full):
        return _dense(single, numbers), shape, None
    strides = [_strides(a, shape) for a in arrays]
    order = list(range(len(shape)))
    if not ordered:
        order.sort(key=lambda axis: -max(abs(s[axis]) for s in strides))
    merged: list[list] = []  # [size, strides of all arrays], neighbours that step alike made one
    for axis in order:
        size, steps = shape[axis], [s[axis] for s in strides]
        if size == 1:
            continue
        if merged and merged[-1][1] == [size * step for step in steps]:
            merged[-1] = [merged[-1][0] * size, steps]
        else:
            merged.append([size, steps])
    back = None if order == list(range(len(shape))) else np.argsort(order).tolist()
    made = tuple([shape[axis] for axis in order])
    along = merged[0][1] if merged else []
    if len(merged) <= 1 and all(step == 1 or a.size == 1 for step, a in zip(along, arrays, strict=bool(merged))):
        return _dense(single, numbers), made, back
    if len(merged) > AXES:
        return None, made, back
    wide = 16 // max(a.itemsize for a in arrays)
    fixed = sum((step == 0) << i for i, step in enumerate(merged[-1][1]))
    layout = Layout(len(merged), fixed, _in_vectors(merged, wide), number=numbers)
    for axis, (size, steps) in enumerate(merged):
        layout.shape[axis] = size
        for i, step in enumerate(steps):
            layout.strides[i][axis] = step
    return layout, made, back


def _in_vectors(merged: list[list], wide: int) -> bool:
    """Return whether `wide` elements can move at a time: along the innermost axis, each start a multiple of `wide`."""
    *others, (size, inner) = merged
    starts = [step for _, steps in others for step in steps]
    return size % wide == 0 and all(step in (0, 1) for step in inner) and all(step % wide == 0 for step in starts)


def _strides(array: Any, shape: tuple) -> list[int]:
    """Return the steps, in elements, along the axes of the broadcast `shape`."""
    first = len(shape) - array.ndim
    own = [0 if n == 1 else step // array.itemsize for n, step in zip(array.shape, array.strides, strict=True)]
    return [0] * first + own
