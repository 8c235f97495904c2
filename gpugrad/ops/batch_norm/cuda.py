"""The CUDA paths of batch norm and of channels scaled and shifted: launches of kernels/batch_norm.cu."""

import ctypes
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...backend.cuda.launch import FLOATS, Block, Kernels, Strided, aligned, ctype, dense
from ...backend.cuda.memory_order import MemoryOrder
from ...backend.cuda.rows import VECTORS, accumulator
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import batch_norm, channel_affine, check_channels

_THREADS, _LANES = 256, 8  # of a block; that lie along channels of vectors, 128 bytes together
_BLOCKS = 528  # to aim at: four for each multiprocessor of an H100
_SHARES, _LEAST = 128, 4096  # the most shares of a channel, and the fewest elements of a share


def _instances() -> list[str]:
    names = (*(f"batch_norm_{part}" for part in ("moments", "forward", "sums", "backward")), "channel_affine")
    order = ("true", "false")
    return [f"{n}<{t}, {v}, {o}>" for n in names for t in FLOATS for v in (1, VECTORS[t]) for o in order]


def _typical() -> dict[str, Block]:
    parts = ("moments", "forward", "sums", "backward")
    kinds = ("__nv_bfloat16, 8, true", "float, 4, true", "float, 4, false")
    return {f"batch_norm_{part}<{kind}>": Block(_THREADS) for part in parts for kind in kinds}


_kernels = Kernels("batch_norm.cu", _instances, typical=_typical)


class _Shape(ctypes.Structure):
    _fields_ = [("batch", ctypes.c_longlong), ("channels", ctypes.c_longlong), ("plane", ctypes.c_longlong)]


class _Blocks(NamedTuple):
    """Shares arrays of one shape and memory order out to blocks of threads."""

    type: str
    at_once: int
    last: bool
    shape: _Shape
    positions: int  # of a channel

    @classmethod
    def of(cls, order: MemoryOrder, x: Any, *others: Any) -> "_Blocks":
        channels, vector, positions = x.shape[1], VECTORS[ctype(x)], x.size // x.shape[1]
        batch = positions if order.last else x.shape[0]
        whole = (channels if order.last else positions // batch) % vector == 0 and aligned(x, *others)
        shape = _Shape(batch, channels, positions // batch)
        return cls(ctype(x), vector if whole else 1, order.last, shape, positions)

    @property
    def block(self) -> tuple[int, int]:
        lanes = _LANES if self.at_once > 1 else 32
        return (lanes, _THREADS // lanes) if self.last else (_THREADS, 1)

    @property
    def grid(self) -> tuple[int, int]:
        """The groups of channels, and the shares into which each group cuts its positions."""
        together = self.block[0] * self.at_once if self.last else 1
        groups = -(-self.shape.channels // together)
        shares = min(_SHARES, -(-_BLOCKS // groups), -(-self.positions * together // _LEAST))
        return groups, shares

    def launch(self, kernel: str, *args: Any) -> None:
        name = f"{kernel}<{self.type}, {self.at_once}, {str(self.last).lower()}>"
        _kernels.launch(name, grid=self.grid, block=self.block, args=args)

    def shares(self, x: Any, fields: int) -> Any:
        """Make memory for the sums of each share, `fields` numbers for each channel."""
        return xp(x).empty((self.grid[1], self.shape.channels, fields), accumulator(x))


def normalise(x: Any, weight: Any, bias: Any, eps: float, running: Any = None) -> tuple:
    """Return (out, mean, var, shift, rstd) of x (N, C, *S), normalised by its own statistics (C,); x is not empty.

    Running statistics, unless None, are moved.
    """
    order, ns = MemoryOrder.of(x), xp(x)
    x, weight, bias = order.arranged(x), *(None if a is None else dense(a) for a in (weight, bias))
    blocks = _Blocks.of(order, x)
    out, partial = order.empty(x, x.shape, x.dtype), blocks.shares(x, 3)
    mean, var = (ns.empty(x.shape[1], x.dtype) for _ in range(2))
    shift, rstd = (ns.empty(x.shape[1], accumulator(x)) for _ in range(2))
    inside = _moves_inside(running, x)
    moved = (running.mean, running.var, running.momentum) if inside else (None, None, 0.0)
    blocks.launch("batch_norm_moments", partial, running.batches if inside else None, Strided(x), blocks.shape)
    affine = (weight, bias, partial, np.int32(len(partial)), blocks.shape, np.float64(eps))
    wide = np.int32(inside and next((a.dtype != x.dtype for a in moved[:2] if a is not None), False))
    statistics = (mean, var, shift, rstd, *moved[:2], np.float64(moved[2]), wide)
    blocks.launch("batch_norm_forward", Strided(out), *statistics, Strided(x), *affine)
    if running is not None and not inside:
        running.move(mean, var, blocks.positions)
    return out, mean, var, shift, rstd


def _moves_inside(running: Any, x: Any) -> bool:
    """Return whether the kernel can move the running statistics: in the dtype of x, or that in which it computes."""
    if running is None:
        return False
    arrays = [a for a in (running.mean, running.var) if a is not None]
    whole = all(a.flags.c_contiguous for a in arrays)
    return whole and {a.dtype for a in arrays} in ({x.dtype}, {np.dtype(accumulator(x))}, set())


def differentiate(g: tuple, x: Any, weight: Any, shift: Any, rstd: Any, needs: tuple) -> tuple:
    """Return (gx, gweight, gbias) of `normalise`, None where `needs` is false; g: gradients of out, mean and var."""
    g, g_mean, g_var = g
    order = MemoryOrder.of(x)
    x, g = order.arranged(x), order.arranged(xp(x).zeros(x.shape, x.dtype) if g is None else g)
    small = [None if a is None else dense(a) for a in (g_mean, g_var, weight, shift, rstd)]
    blocks = _Blocks.of(order, x, g)
    partial = blocks.shares(x, 2)
    blocks.launch("batch_norm_sums", partial, Strided(g), Strided(x), small[3], blocks.shape)
    gx = order.empty(x, x.shape, x.dtype) if needs[0] else None
    sums = [xp(x).empty(x.shape[1], x.dtype) if need else None for need in needs[1:]]
    given = (None if gx is None else Strided(gx), *sums, Strided(g), *small[:2], Strided(x), *small[2:])
    blocks.launch("batch_norm_backward", *given, partial, np.int32(len(partial)), blocks.shape)
    return gx, *sums


@batch_norm.path("cuda")
def batch_norm_cuda(x, weight, bias, *, eps, running):
    if x.size == 0 or not is_float(x.dtype):
        return NotImplemented
    check_channels(x, weight=weight, bias=bias)
    *outs, shift, rstd = normalise(x, weight, bias, eps, running)
    return tuple(outs), {"shift": shift, "rstd": rstd}


@partial(batch_norm_cuda.backward, partial=True)
def batch_norm_cuda_backward(g, x, weight, shift, rstd, needs):
    return differentiate(g, x, weight, shift, rstd, needs)


@channel_affine.path("cuda")
def channel_affine_cuda(x, scale, shift):
    if x.size == 0 or not is_float(x.dtype):
        return NotImplemented
    check_channels(x, scale=scale, shift=shift)
    return _affine(x, MemoryOrder.of(x), scale, shift), {}


def _affine(x: Any, order: MemoryOrder, scale: Any, shift: Any) -> Any:
    x, scale, shift = order.arranged(x), *(None if a is None else dense(a) for a in (scale, shift))
    out, blocks = order.empty(x, x.shape, x.dtype), _Blocks.of(order, x)
    blocks.launch("channel_affine", Strided(out), Strided(x), scale, shift, blocks.shape)
    return out


@channel_affine_cuda.backward
def channel_affine_cuda_backward(g, x, scale, needs):
    if x.size == 0:
        return NotImplemented
    order, sums = MemoryOrder.of(x), [None, None]
    if needs[1] or needs[2]:
        x, g = order.arranged(x), order.arranged(g)
        blocks = _Blocks.of(order, x, g)
        partial = blocks.shares(x, 2)
        blocks.launch("batch_norm_sums", partial, Strided(g), Strided(x), None, blocks.shape)
        total = partial.sum(axis=0).astype(x.dtype)
        sums = [total[:, i] if needs[2 - i] else None for i in (1, 0)]
    return (_affine(g, order, scale, None) if needs[0] else None), *sums
