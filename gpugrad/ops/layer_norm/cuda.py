"""The CUDA paths of layer norm and RMS norm, also of a sum: launches of kernels/layer_norm.cu."""

import math
from typing import Any, NamedTuple

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, aligned, ctype, dense
from ...backend.cuda.rows import VECTORS, accumulator
from ...backend.devices import device_of
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from ..batch_norm.cuda import differentiate, normalise
from . import add_layer_norm, add_rms_norm, check_affine, check_sum, layer_norm, rms_norm

_WARP, _TEAMS = 32, 8  # threads and rows of a block where a warp has a row
_FORWARD, _BACKWARD = 1024, 512  # the most threads that share a row
_MANY = 32  # elements of a row that a thread keeps so that a warp can have rows of 1024 in a backward
_UNDER_WAY = 32 << 10  # bytes that keep a multiprocessor's share of the memory busy
_WIDE = 8192  # a row without weights that is longer is cut up
_SLABS = 32  # of rows, for the sums over columns of wide rows


def _instances() -> list[str]:
    names = ["forward", "forward_wide", "backward_wide", "columns"]
    kinds = [(t, v) for t in FLOATS for v in (1, VECTORS[t])]
    rows = [f"layer_norm_{n}<{t}, {v}>" for n in names for t, v in kinds]
    rows += [f"layer_norm_backward<{t}, {v}, {_kept(t, v)}>" for t, v in kinds]
    rows += [f"layer_norm_backward<{t}, {v}, {_MANY}>" for t, v in kinds if _kept(t, v) == 16]
    return [*rows, *(f"layer_norm_sum<{t}>" for t in FLOATS)]


def _kept(type: str, at_once: int) -> int:
    """Return how many elements of a row a thread keeps in registers: kKept of the kernels."""
    return 8 if at_once == 1 or type == "double" else 16


def _typical() -> dict[str, Block]:
    made = {f"layer_norm_forward<{t}>": Block(256) for t in ("float, 4", "__nv_bfloat16, 8", "__nv_bfloat16, 1")}
    made |= {f"layer_norm_backward<{t}, {_MANY}>": Block(128) for t in ("float, 4", "__nv_bfloat16, 8")}
    made |= {f"layer_norm_backward<{t}>": Block(256) for t in ("float, 4, 16", "__nv_bfloat16, 8, 16")}
    wide = "__nv_bfloat16, 8"
    return {
        **made,
        f"layer_norm_forward_wide<{wide}>": Block(_FORWARD),
        f"layer_norm_backward_wide<{wide}>": Block(_BACKWARD),
        f"layer_norm_columns<{wide}>": Block(_BACKWARD),
        "layer_norm_sum<__nv_bfloat16>": Block(1024),
    }


_kernels = Kernels("layer_norm.cu", _instances, typical=_typical)


class _Rows(NamedTuple):
    """Cuts x into rows and a row into pieces: `type` is the elements' C++ name, `at_once` how many move at once."""

    rows: int
    width: int
    type: str
    at_once: int

    @classmethod
    def of(cls, x: Any, ndim: int, *others: Any) -> "_Rows":
        width = math.prod(x.shape[x.ndim - ndim :])
        rows, vector = math.prod(x.shape[: x.ndim - ndim]), VECTORS[ctype(x)]
        whole = width % vector == 0 and aligned(x, *others)
        return cls(rows, width, ctype(x), vector if whole else 1)

    def block(self, most: int) -> tuple[int, int] | None:
        """Return a row's threads and a block's rows, or None if `most` threads cannot keep a row in registers."""
        warps = -(-self.width // (_kept(self.type, self.at_once) * _WARP))
        return (_WARP, _TEAMS) if warps <= 1 else (warps * _WARP, 1) if warps * _WARP <= most else None

    def backward(self, x: Any) -> tuple[int, tuple[int, int], int] | None:
        """Return the elements that a thread of a backward keeps, a row's threads and a block's rows, and how many
        blocks run; None if registers cannot keep a row."""
        kept, block, warps = _kept(self.type, self.at_once), self.block(_BACKWARD), _BACKWARD // _WARP
        if kept == 16 and _WARP * kept < self.width <= _WARP * _MANY:
            kept, block, warps = _MANY, (_WARP, 4), 12  # of a multiprocessor: kThreadsOf and kBlocksOf of the kernel
        if block is None:
            return None
        wanted = max(-(-_UNDER_WAY // (2 * _WARP * kept * x.itemsize)), 8)
        together = block[0] * block[1] // _WARP  # warps of a block
        most = device_of(x).multiprocessors * max(-(-min(wanted, warps) // together), 1)
        return kept, block, min(-(-self.rows // block[1]), most)

    def launch(self, kernel: str, grid: tuple, block: tuple, *args: Any, kept: int | None = None) -> None:
        sizes = (np.int64(self.rows), np.int32(self.width))
        name = f"layer_norm_{kernel}<{self.type}, {self.at_once}{'' if kept is None else f', {kept}'}>"
        _kernels.launch(name, grid=grid, block=block, args=(*args[:-1], *sizes, *args[-1]))


def _forward(x: Any, residual: Any, weight: Any, bias: Any, ndim: int, eps: float, centre: bool) -> Any:
    """Return out, x + residual (None without one), and the shift (None unless `centre`) and rstd of each row."""
    ns, lead = xp(x), x.shape[: x.ndim - ndim]
    x, residual, weight, bias = (None if a is None else dense(a) for a in (x, residual, weight, bias))
    out = ns.empty(x.shape, x.dtype)
    total = None if residual is None else ns.empty(x.shape, x.dtype)
    shift = ns.empty(lead, accumulator(x)) if centre else None
    rstd = ns.empty(lead, accumulator(x))
    if x.size:
        rows = _Rows.of(x, ndim, residual, weight, bias)
        block = rows.block(_FORWARD)
        args = (out, total, shift, rstd, x, residual, weight, bias, (np.float64(eps),))
        if block is None:
            rows.launch("forward_wide", (rows.rows,), (_FORWARD,), *args)
        else:
            rows.launch("forward", (-(-rows.rows // block[1]),), block, *args)
    return out, total, shift, rstd


def _backward(g: Any, extra: Any, x: Any, weight: Any, shift: Any, rstd: Any, needs: tuple) -> tuple:
    """Return (gx + extra, gweight, gbias), None where `needs` is false; `extra` may be None."""
    ns, ndim = xp(x), x.ndim - rstd.ndim
    g, x = dense(g), dense(x)
    extra, weight = (None if a is None else dense(a) for a in (extra, weight))
    rows = _Rows.of(x, ndim, g, extra, weight)
    gx = ns.empty(x.shape, x.dtype) if needs[0] else None
    sums = [ns.empty(x.shape[rstd.ndim :], x.dtype) if need else None for need in needs[1:]]
    shape = rows.backward(x)
    count = shape[2] if shape else min(rows.rows, _SLABS)
    partial = [ns.empty((count, rows.width), rstd.dtype) if need else None for need in needs[1:]]
    if shape and x.size:
        args = (gx, *partial, g, extra, x, weight, shift, rstd, ())
        rows.launch("backward", (count,), shape[1], *args, kept=shape[0])
    elif x.size:
        if needs[0]:
            rows.launch("backward_wide", (rows.rows,), (_BACKWARD,), gx, g, extra, x, weight, shift, rstd, ())
        if any(needs[1:]):
            columns = -(-rows.width // (_BACKWARD * rows.at_once))
            rows.launch("columns", (columns, count), (_BACKWARD,), *partial, g, x, shift, rstd, ())
    if any(needs[1:]):
        args = (*sums, *partial, np.int32(count), np.int32(rows.width))
        _kernels.launch(f"layer_norm_sum<{rows.type}>", grid=(-(-rows.width // 32), 2), block=(32, 32), args=args)
    return gx, *sums


@layer_norm.path("cuda")
def layer_norm_cuda(x, weight, bias, *, ndim, eps):
    if not is_float(x.dtype):
        return NotImplemented
    check_affine(x, ndim, weight=weight, bias=bias)
    if weight is None and bias is None and _is_wide(x, ndim):
        out, _, _, shift, rstd = normalise(_channels(x, ndim), None, None, eps)
        out, shift, rstd = out.reshape(x.shape), *(a.reshape(x.shape[: x.ndim - ndim]) for a in (shift, rstd))
    else:
        out, _, shift, rstd = _forward(x, None, weight, bias, ndim, eps, centre=True)
    return out, {"shift": shift, "rstd": rstd}


@layer_norm_cuda.backward
def layer_norm_cuda_backward(g, x, weight, shift, rstd, needs):
    ndim = x.ndim - rstd.ndim
    if any(needs[1:]) or weight is not None or not _is_wide(x, ndim):
        return _backward(g, None, x, weight, shift, rstd, needs)
    g, statistics = (_channels(g, ndim), None, None), (shift.reshape(-1), rstd.reshape(-1))
    gx, *_ = differentiate(g, _channels(x, ndim), None, *statistics, (True, False, False))
    return gx.reshape(x.shape)


def _is_wide(x: Any, ndim: int) -> bool:
    """Return whether several blocks should share a row, as batch norm's kernels let them."""
    return x.size > 0 and math.prod(x.shape[x.ndim - ndim :]) > _WIDE


def _channels(x: Any, ndim: int) -> Any:
    """Return the rows of x as the channels of one sample."""
    return dense(x).reshape(1, -1, math.prod(x.shape[x.ndim - ndim :]))


@rms_norm.path("cuda")
def rms_norm_cuda(x, weight, *, ndim, eps):
    if not is_float(x.dtype):
        return NotImplemented
    check_affine(x, ndim, weight=weight)
    out, _, _, rstd = _forward(x, None, weight, None, ndim, eps, centre=False)
    return out, {"rstd": rstd}


@rms_norm_cuda.backward
def rms_norm_cuda_backward(g, x, weight, rstd, needs):
    return _backward(g, None, x, weight, None, rstd, (*needs, False))[:2]


@add_layer_norm.path("cuda")
def add_layer_norm_cuda(x, residual, weight, bias, *, ndim, eps):
    if not is_float(x.dtype):
        return NotImplemented
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight, bias=bias)
    out, total, shift, rstd = _forward(x, residual, weight, bias, ndim, eps, centre=True)
    return (out, total), {"shift": shift, "rstd": rstd}


@add_layer_norm_cuda.backward
def add_layer_norm_cuda_backward(g, out, weight, shift, rstd, needs):
    wanted = (needs[0] or needs[1], *needs[2:])
    gx, gweight, gbias = _backward(g[0], g[1], out[1], weight, shift, rstd, wanted)
    return gx, gx, gweight, gbias


@add_rms_norm.path("cuda")
def add_rms_norm_cuda(x, residual, weight, *, ndim, eps):
    if not is_float(x.dtype):
        return NotImplemented
    check_sum(x, residual)
    check_affine(x, ndim, weight=weight)
    out, total, _, rstd = _forward(x, residual, weight, None, ndim, eps, centre=False)
    return (out, total), {"rstd": rstd}


@add_rms_norm_cuda.backward
def add_rms_norm_cuda_backward(g, out, weight, rstd, needs):
    gx, gweight, _ = _backward(g[0], g[1], out[1], weight, None, rstd, (needs[0] or needs[1], needs[2], False))
    return gx, gx, gweight
