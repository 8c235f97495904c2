"""Casts between float types on cuda: kernels/moving.cu."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Kernels, ctype
from ...backend.cuda.tensors import CHUNK, THREADS, batches, in_order
from ...backend.devices import device_of
from ...backend.dtypes import as_dtype, is_float
from ...backend.namespace import xp
from . import astype, cast_all

# (to, from). From double to 16 bits by way of float would round twice.
_PAIRS = {(to, T) for to in FLOATS for T in FLOATS if to != T and (T != "double" or to == "float")}
_kernels = Kernels("moving.cu", lambda: [f"{k}<{to}, {T}>" for k in ("cast", "cast_all") for to, T in sorted(_PAIRS)])


@astype.path("cuda")
def astype_cuda(x, *, dtype):
    made = _cast(x, as_dtype(dtype))
    return made if made is NotImplemented else (made, {})


@astype_cuda.backward
def astype_cuda_backward(g, x_dtype):
    return _cast(g, x_dtype)


def _cast(x: Any, dtype: np.dtype) -> Any:
    rows, back = in_order(x)
    if not _is_supported(x, rows, dtype):
        return NotImplemented
    out = xp(x).empty(rows.shape, dtype)
    name, grid = f"cast<{ctype(dtype)}, {ctype(x)}>", (-(-x.size // CHUNK),)
    _kernels.launch(name, grid=grid, block=(THREADS,), args=(out, rows, np.int64(x.size)))
    return out if back is None else out.transpose(back)


def _is_supported(x: Any, rows: Any, dtype: np.dtype) -> bool:
    """Return whether x can be cast to `dtype`; `rows` is x in memory order."""
    floats = dtype != x.dtype and is_float(x.dtype) and is_float(dtype)
    return floats and rows.flags.c_contiguous and (ctype(dtype), ctype(x)) in _PAIRS


@cast_all.path("cuda")
def cast_all_cuda(arrays, *, dtype):
    dtype, device = as_dtype(dtype), device_of(arrays[0])
    groups: defaultdict[np.dtype, list[tuple]] = defaultdict(list)
    made = []
    for x in arrays:
        rows, back = in_order(x)
        if not _is_supported(x, rows, dtype):
            return NotImplemented
        out = xp(x).empty(rows.shape, dtype)
        groups[x.dtype].append((out, rows))
        made.append(out if back is None else out.transpose(back))
    for given, pairs in groups.items():
        name = f"cast_all<{ctype(dtype)}, {ctype(given)}>"
        for tensors, blocks in batches(device, *zip(*pairs, strict=True)):
            _kernels.launch(name, grid=(blocks,), block=(THREADS,), args=(tensors,), device=device)
    return tuple(made), {}
