"""Conversions between float32 and the 16-bit floats, which NumPy and ml_dtypes make number by number on one thread."""

from typing import Any

import numpy as np

from ...dtypes import float32
from .. import memory
from . import Row, Words, each_part, loop
from .language import bfloat16_bits, bfloat16_of, float16_bits, float16_of

_ONE = ("float32",)


@loop(precisions=_ONE)
def from_float16(out: Row, x: Words):
    for i in range(x.shape[0]):
        out[i] = float16_of(x[i])


@loop(precisions=_ONE)
def to_float16(out: Words, x: Row):
    for i in range(x.shape[0]):
        out[i] = float16_bits(x[i])


@loop(precisions=_ONE)
def from_bfloat16(out: Row, x: Words):
    for i in range(x.shape[0]):
        out[i] = bfloat16_of(x[i])


@loop(precisions=_ONE)
def to_bfloat16(out: Words, x: Row):
    for i in range(x.shape[0]):
        out[i] = bfloat16_bits(x[i])


_LOOPS = {
    ("float16", "float32"): from_float16, ("float32", "float16"): to_float16,
    ("bfloat16", "float32"): from_bfloat16, ("float32", "bfloat16"): to_bfloat16,
}  # fmt: skip


def converted(x: Any, dtype: Any) -> Any:
    """Return an array of any device as this dtype, in its memory order, like its method `astype`."""
    if x.size < from_float16.least or x.__class__ is not np.ndarray or not x.flags.forc:
        return x.astype(dtype)
    dtype = np.dtype(dtype)
    found = _LOOPS.get((x.dtype.name, dtype.name))
    compiled = found.sized(x.size, float32) if found is not None else None
    if compiled is None:
        return x.astype(dtype)
    backwards = not x.flags.c_contiguous
    out = memory.empty(x.shape[::-1] if backwards else x.shape, dtype)
    flat = [array.reshape(-1) for array in (out, x.T if backwards else x)]
    bits = [array.view(np.uint16) if array.itemsize == 2 else array for array in flat]
    each_part(lambda part: compiled(*[array[part] for array in bits]), x.size)
    return out.T if backwards else out
