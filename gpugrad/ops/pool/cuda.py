"""Pooling on cuda (kernels/pool.cu)."""

import ctypes
import math
from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, Strided, aligned, ctype
from ...backend.cuda.memory_order import MemoryOrder
from ...backend.cuda.rows import VECTORS
from ..conv import output_size
from . import max_pool, max_pool_gather, max_pool_indices, max_pool_scatter, sum_pool, sum_pool_adjoint

_THREADS = 256
_KNOWN = (2, 3)  # sides of square windows that the compiler knows
_BLOCKS, _PLANES = 4224, 16  # the number of blocks to aim at; the most planes for one thread


def _instances() -> list[str]:
    found = []
    for t, v in ((t, VECTORS[t]) for t in FLOATS):
        found += [f"sum_pool<{t}, {n}, {k}>" for n in (1, v) for k in (0, *_KNOWN)]
        found += [f"sum_pool_adjoint<{t}, {n}>" for n in (1, v)]
        kinds = (f"{t}, 1, unsigned char", f"{t}, {v}, unsigned char")
        found += [f"max_pool_forward<{kind}, {k}>" for kind in kinds for k in (0, *_KNOWN)]
        found += [f"max_pool_forward<{t}, 1, int, 0>"]
        found += [f"max_pool_backward<{kind}>" for kind in (*kinds, f"{t}, 1, int")]
    return found


def _typical() -> dict[str, Block]:
    names = [f"max_pool_forward<{t}, unsigned char, {k}>" for t in ("__nv_bfloat16, 8", "float, 1") for k in (0, 3)]
    names += ["max_pool_backward<__nv_bfloat16, 8, unsigned char>", "sum_pool<float, 4, 0>", "sum_pool<float, 4, 3>"]
    names += ["sum_pool_adjoint<float, 4>"]
    return {name: Block(_THREADS) for name in names}


_UNROLLED = "8 to 56 bytes: windows of 2 and 3 known to the compiler are unrolled"
_kernels = Kernels(
    "pool.cu",
    _instances,
    typical=_typical,
    spills={"sum_pool<*, [23]>": _UNROLLED, "max_pool_forward<*, unsigned char, [23]>": _UNROLLED},
)
_Axes = ctypes.c_int * 3


class _Windows(ctypes.Structure):
    """The struct Windows of kernels/pool.cu."""

    _fields_ = [
        *((name, _Axes) for name in ("size", "out", "kernel", "stride", "dilation", "low")),
        ("planes", ctypes.c_longlong), ("width", ctypes.c_longlong),
    ]  # fmt: skip


def _axes(values: Any, missing: int) -> Any:
    values = tuple(values)
    return _Axes(*(missing,) * (3 - len(values)), *values)


class _Pool:
    """Windows over x of `shape` (N, C, *S) in memory order `order`; `out` is (N, C, *O)."""

    def __init__(self, order: MemoryOrder, shape: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple):
        out = output_size(shape[2:], kernel, stride, padding, dilation)
        count, channels = shape[:2]
        self.order, self.shape, self.out = order, shape, (count, channels, *out)
        self.offset = np.dtype(np.uint8 if math.prod(kernel) <= 256 else np.int32)
        *leading, down, across = (1, 1, *kernel)
        self.known = across if set(leading) == {1} and down == across in _KNOWN else 0
        self.windows = _Windows(
            _axes(shape[2:], 1), _axes(out, 1), _axes(kernel, 1), _axes(stride, 1), _axes(dilation, 1),
            _axes((low for low, _ in padding), 0),
            count if order.last else count * channels, channels if order.last else 1,
        )  # fmt: skip

    def empty(self, like: Any, shape: tuple, dtype: Any) -> Any:
        return self.order.empty(like, shape, dtype)

    def launch(self, kernel: str, over: tuple, dtype: Any, *args: Any, offsets: bool = False) -> None:
        """Launch a kernel with a thread for each place of planes of the shape `over`; it takes several planes."""
        width, planes = self.windows.width, self.windows.planes
        vector = VECTORS[ctype(dtype)]
        whole = width % vector == 0 and aligned(*args) and (not offsets or self.offset == np.uint8)
        at_once = vector if whole else 1
        places = math.prod(over[2:]) * width // at_once
        along = min(_THREADS, 1 << max(places - 1, 0).bit_length())
        columns, rows = -(-places // along), -(-planes // (_THREADS // along))
        each = min(_PLANES, max(1, columns * rows // _BLOCKS))
        kinds = [ctype(dtype), str(at_once)] + ([ctype(self.offset)] if offsets else [])
        kinds += [str(self.known)] if kernel in ("max_pool_forward", "sum_pool") else []
        given = [None if a is None else Strided(a) for a in args]
        _kernels.launch(
            f"{kernel}<{', '.join(kinds)}>",
            grid=(columns, min(-(-rows // each), 65_535)),
            block=(along, _THREADS // along),
            args=(*given, self.windows),
        )

    def maxima(self, x: Any, out: Any = None, offsets: Any = None, positions: Any = None, source: Any = None) -> None:
        """Write the maxima of x, or the elements of `source` where they are, and their places."""
        self.launch("max_pool_forward", self.out, x.dtype, out, offsets, positions, x, source, offsets=True)

    def scatter_windows(self, y: Any, offsets: Any) -> Any:
        """Put y (N, C, *O) where the maxima are, in zeros: (N, C, *S)."""
        gx = self.empty(y, self.shape, y.dtype)
        self.launch("max_pool_backward", self.shape, y.dtype, gx, self.order.arranged(y), offsets, offsets=True)
        return gx


def _is_supported(x: Any) -> bool:
    return x.ndim <= 5 and x.dtype.name in ("float32", "float64", "float16", "bfloat16")


@max_pool.path("cuda")
def max_pool_cuda(x, *, kernel, stride, padding, dilation):
    if not _is_supported(x):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(x), x.shape, kernel, stride, padding, dilation)
    out, offsets = pool.empty(x, pool.out, x.dtype), pool.empty(x, pool.out, pool.offset)
    pool.maxima(pool.order.arranged(x), out, offsets)
    return out, {"offsets": offsets, "order": pool.order}


@max_pool_cuda.backward
def max_pool_cuda_backward(g, offsets, order, x_shape, kernel, stride, padding, dilation):
    return _Pool(order, x_shape, kernel, stride, padding, dilation).scatter_windows(g, offsets)


@max_pool_indices.path("cuda")
def max_pool_indices_cuda(x, *, kernel, stride, padding, dilation):
    if not _is_supported(x):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(x), x.shape, kernel, stride, padding, dilation)
    positions = pool.empty(x, pool.out, np.int64)
    pool.maxima(pool.order.arranged(x), positions=positions)
    return positions, {}


@max_pool_scatter.path("cuda")
def max_pool_scatter_cuda(y, x, *, kernel, stride, padding, dilation):
    if not _is_supported(x):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(x), x.shape, kernel, stride, padding, dilation)
    if y.shape != pool.out:
        return NotImplemented  # the body says what is wrong
    offsets = pool.empty(x, pool.out, pool.offset)
    pool.maxima(pool.order.arranged(x), offsets=offsets)
    return pool.scatter_windows(y, offsets), {}


@max_pool_gather.path("cuda")
def max_pool_gather_cuda(y, x, *, kernel, stride, padding, dilation):
    if not _is_supported(x):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(x), x.shape, kernel, stride, padding, dilation)
    out = pool.empty(y, pool.out, y.dtype)
    pool.maxima(pool.order.arranged(x), out, source=pool.order.arranged(y))
    return out, {}


@sum_pool.path("cuda")
def sum_pool_cuda(x, *, kernel, stride, padding):
    if not _is_supported(x):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(x), x.shape, kernel, stride, padding, (1,) * len(kernel))
    out = pool.empty(x, pool.out, x.dtype)
    pool.launch("sum_pool", pool.out, x.dtype, out, pool.order.arranged(x))
    return out, {"order": pool.order}


@sum_pool_cuda.backward
def sum_pool_cuda_backward(g, order, x_shape, kernel, stride, padding):
    return _scatter_sums(g, _Pool(order, x_shape, kernel, stride, padding, (1,) * len(kernel)))


def _scatter_sums(y: Any, pool: _Pool) -> Any:
    """Add each element of y (N, C, *O) to all elements of its window: (N, C, *S)."""
    out = pool.empty(y, pool.shape, y.dtype)
    pool.launch("sum_pool_adjoint", pool.shape, y.dtype, out, pool.order.arranged(y))
    return out


@sum_pool_adjoint.path("cuda")
def sum_pool_adjoint_cuda(y, *, shape, kernel, stride, padding):
    if not _is_supported(y):
        return NotImplemented
    pool = _Pool(MemoryOrder.of(y), tuple(shape), kernel, stride, padding, (1,) * len(kernel))
    if y.shape != pool.out:
        return NotImplemented  # the body says what is wrong
    return _scatter_sums(y, pool), {}
