"""The CUDA paths of softmax, log-softmax and masked softmax: launches of kernels/softmax.cu."""

import ctypes
from math import prod
from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, Strided, aligned, ctype, dense
from ...backend.cuda.rows import MOST_THREADS, accumulator, power_of_two, row_threads, rows_grid, scalar
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import log_softmax, masked_softmax, softmax

# Bytes of a row that a thread keeps in registers: those of few threads a row, those of many, and none.
FORWARD, BACKWARD = (32, 128, 0), (32, 64, 0)
LOGS = ("false", "true")


def _instances() -> list[str]:
    made = []
    for T in FLOATS:
        size = 8 if T == "double" else 4
        for log in LOGS:
            made += [f"softmax_forward<{T}, {kept // size}, {log}>" for kept in FORWARD]
            made += [f"softmax_backward<{T}, {kept // size}, {log}>" for kept in BACKWARD]
            made += [f"softmax_strided_{way}<{T}, {log}>" for way in ("forward", "backward")]
        masks = ("bool", "double" if T == "double" else "float")
        made += [f"masked_softmax_forward<{T}, {M}, {kept // size}>" for M in masks for kept in FORWARD]
    return made


def _typical() -> dict[str, Block]:
    made = {}
    for way, (few, many, _) in (("forward", FORWARD), ("backward", BACKWARD)):
        for kept, threads in ((few, 32), (many, 128), (0, MOST_THREADS)):
            made |= {f"softmax_{way}<{T}, {kept // 4}, false>": Block(threads) for T in ("float", "__nv_bfloat16")}
    strided = Block(256)
    return {
        **made,
        f"softmax_forward<__nv_bfloat16, {FORWARD[1] // 4}, true>": Block(128),
        f"masked_softmax_forward<__nv_bfloat16, bool, {FORWARD[1] // 4}>": Block(128),
        "softmax_strided_forward<float, false>": strided,
    }


KERNELS = Kernels(
    "softmax.cu",
    _instances,
    spills={"*<double, *": "around calls of float64 exp, log and division"},
    typical=_typical,
)


def _in_registers(n: int, choices: tuple, *arrays: Any) -> tuple[int, int]:
    """Return (elements that a thread keeps, threads of a row) for rows of n of the arrays."""
    size, vector = accumulator(arrays[0]).itemsize, 16 // arrays[0].itemsize
    few, many = choices[0] // size, choices[1] // size
    span = n if n % vector == 0 and aligned(*arrays) else n + vector - 1  # a row may begin inside of a vector
    kept = few if span <= 32 * few else many
    threads = row_threads(-(-span // kept))
    return (kept, threads) if threads <= MOST_THREADS else (0, MOST_THREADS)


def _layout(x: Any, axis: Any) -> tuple[int, int, int] | None:
    """Return x as (outer, n, inner) with n the axis, or None if the kernels do not support it."""
    if not x.ndim or not isinstance(axis, int) or not is_float(x.dtype):
        return None
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    return prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :])


def _strided(name: str, log: bool, arrays: list, layout: tuple) -> None:
    """Launch a kernel for an axis other than the last: threads lie along inner, and share a long axis."""
    outer, n, inner = layout
    x = min(power_of_two(inner), 256 if n < 8 else 32)
    y = min(power_of_two(-(-n // 4)), 256 // x)
    z = min(256 // (x * y), 64)
    grid = -(-inner // x) * -(-outer // z)
    instance = f"softmax_strided_{name}<{ctype(arrays[0])}, {LOGS[log]}>"
    KERNELS.launch(instance, grid=(grid,), block=(x, y, z), args=(*arrays, *map(np.int64, layout)))


def _forward(x: Any, axis: Any, log: bool) -> Any:
    layout = _layout(x, axis)
    if layout is None:
        return NotImplemented
    x, out = dense(x), xp(x).empty(x.shape, x.dtype)
    outer, n, inner = layout
    if not x.size:
        return out, {}
    if inner > 1:
        _strided("forward", log, [out, x], layout)
        return out, {}
    items, threads = _in_registers(n, FORWARD, x, out)
    grid, block = rows_grid(outer, threads)
    instance = f"softmax_forward<{ctype(x)}, {items}, {LOGS[log]}>"
    KERNELS.launch(instance, grid=grid, block=block, args=(out, x, np.int64(outer), np.int64(n)))
    return out, {}


def _backward(g: Any, out: Any, axis: int, log: bool, scale: float = 1.0) -> Any:
    layout = _layout(out, axis)
    assert layout is not None
    g, out, gx = dense(g), dense(out), xp(out).empty(out.shape, out.dtype)
    outer, n, inner = layout
    if not out.size:
        return gx
    if inner > 1:
        _strided("backward", log, [gx, g, out], layout)
        return gx
    items, threads = _in_registers(n, BACKWARD, out, g, gx)
    grid, block = rows_grid(outer, threads)
    args = (gx, g, out, np.int64(outer), np.int64(n), scalar(out, scale))
    KERNELS.launch(f"softmax_backward<{ctype(out)}, {items}, {LOGS[log]}>", grid=grid, block=block, args=args)
    return gx


@softmax.path("cuda")
def softmax_cuda(x, *, axis):
    return _forward(x, axis, log=False)


@softmax_cuda.backward
def softmax_cuda_backward(g, out, axis):
    return _backward(g, out, axis, log=False)


@log_softmax.path("cuda")
def log_softmax_cuda(x, *, axis):
    return _forward(x, axis, log=True)


@log_softmax_cuda.backward
def log_softmax_cuda_backward(g, out, axis):
    return _backward(g, out, axis, log=True)


class MaskLayout(ctypes.Structure):
    """Holds the leading axes of x as four, and the mask's strides along them and the columns, in elements."""

    _fields_ = (("sizes", ctypes.c_uint32 * 4), ("strides", ctypes.c_int64 * 4), ("column", ctypes.c_int64))


def _mask_layout(mask: Any, shape: tuple) -> MaskLayout | None:
    """Return the layout of a mask of x's `shape`, or None if it needs more than four axes."""
    sizes, strides = [1], [0]
    for size, stride in zip(shape[:-1], mask.strides[:-1], strict=True):
        step = stride // mask.itemsize
        if size == 1:
            continue
        if strides[-1] == size * step:  # this axis goes on where the one before ends
            sizes[-1], strides[-1] = sizes[-1] * size, step
        else:
            sizes.append(size)
            strides.append(step)
    if len(sizes) > 4 + (sizes[0] == 1):
        return None
    sizes, strides = ([*fill, *values][-4:] for fill, values in (([1] * 4, sizes), ([0] * 4, strides)))
    column = mask.strides[-1] // mask.itemsize
    return MaskLayout((ctypes.c_uint32 * 4)(*sizes), (ctypes.c_int64 * 4)(*strides), column)


@masked_softmax.path("cuda")
def masked_softmax_cuda(x, mask, *, causal, scale):
    if not is_float(x.dtype) or not x.ndim or (causal and x.ndim < 2):
        return NotImplemented
    if mask is not None and mask.dtype != np.bool_ and not is_float(mask.dtype):
        return NotImplemented
    x, out, n = dense(x), xp(x).empty(x.shape, x.dtype), x.shape[-1]
    layout, kind = MaskLayout((1,) * 4), "bool"
    if mask is not None:
        if mask.dtype != np.bool_:
            mask = mask.astype(accumulator(x), copy=False)
        kind, mask = ctype(mask), xp(x).broadcast_to(mask, x.shape)
        layout = _mask_layout(mask, x.shape)
        if layout is None:
            mask = dense(mask)
            layout = _mask_layout(mask, x.shape)
    if not x.size:
        return out, {}
    rows = x.size // n
    if rows >= 2**31:
        return NotImplemented
    items, threads = _in_registers(n, FORWARD, x, out)
    grid, block = rows_grid(rows, threads)
    args = (out, x, None if mask is None else Strided(mask), layout, np.uint32(rows), np.int64(n))
    queries = np.uint32(x.shape[-2] if causal else 0)
    instance = f"masked_softmax_forward<{ctype(x)}, {kind}, {items}>"
    KERNELS.launch(instance, grid=grid, block=block, args=(*args, queries, scalar(x, scale)))
    return out, {}


@masked_softmax_cuda.backward
def masked_softmax_cuda_backward(g, out, scale):
    return _backward(g, out, -1, log=False, scale=scale)
