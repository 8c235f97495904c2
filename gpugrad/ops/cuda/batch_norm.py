"""Batch norm by the statistics of the batch, and channels scaled and shifted, on cuda (kernels/batch_norm.cu)."""

import ctypes
from typing import Any, NamedTuple

import numpy as np

from ...backend.cuda.launch import FLOATS, Kernels, Strided, aligned, ctype, dense
from ...backend.cuda.order import Order
from ...backend.namespace import xp
from .. import normalization as ops

_VECTORS = {"float": 4, "double": 2, "__half": 8, "__nv_bfloat16": 8}  # elements in 16 bytes
_FLOATS = ("float32", "float64", "float16", "bfloat16")
_THREADS, _LANES = 512, 8  # of a block; that lie along channels of vectors, 128 bytes together
_BLOCKS = 528  # to aim at: four for each multiprocessor of an H100
_SHARES, _LEAST = 128, 4096  # the most shares of a channel, and the fewest elements of a share


def _instances() -> list[str]:
    names = (*(f"batch_norm_{part}" for part in ("moments", "forward", "sums", "backward")), "channel_affine")
    order = ("true", "false")
    return [f"{n}<{t}, {v}, {o}>" for n in names for t in FLOATS for v in (1, _VECTORS[t]) for o in order]


_kernels = Kernels("batch_norm.cu", _instances)


class _Shape(ctypes.Structure):
    _fields_ = [("batch", ctypes.c_longlong), ("channels", ctypes.c_longlong), ("plane", ctypes.c_longlong)]


class _Walk(NamedTuple):
    """How blocks walk over arrays of one shape and order."""

    type: str
    at_once: int
    last: bool
    shape: _Shape
    positions: int  # of a channel

    @classmethod
    def of(cls, order: Order, x: Any, *others: Any) -> "_Walk":
        channels, vector, positions = x.shape[1], _VECTORS[ctype(x)], x.size // x.shape[1]
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
        """Groups of channels, and the shares into which each cuts its positions."""
        together = self.block[0] * self.at_once if self.last else 1
        groups = -(-self.shape.channels // together)
        shares = min(_SHARES, -(-_BLOCKS // groups), -(-self.positions * together // _LEAST))
        return groups, shares

    def launch(self, kernel: str, *args: Any) -> None:
        name = f"{kernel}<{self.type}, {self.at_once}, {str(self.last).lower()}>"
        _kernels.launch(name, grid=self.grid, block=self.block, args=args)

    def partial(self, x: Any, fields: int) -> Any:
        """Memory for what each share adds up to, of so many numbers for each channel."""
        return xp(x).empty((self.grid[1], self.shape.channels, fields), _statistic(x))


def _statistic(x: Any) -> np.dtype:
    return np.dtype(np.float64 if x.dtype == np.float64 else np.float32)


def _is_float(x: Any) -> bool:
    return x.dtype.name in _FLOATS


def normalise(x: Any, weight: Any, bias: Any, eps: float) -> tuple:
    """(out, mean, var, shift, rstd) of x (N, C, *S), normalised by its own statistics (C,); x is not empty."""
    order, ns = Order.of(x), xp(x)
    x, weight, bias = order.arranged(x), *(None if a is None else dense(a) for a in (weight, bias))
    walk = _Walk.of(order, x)
    out, partial = order.empty(x, x.shape, x.dtype), walk.partial(x, 3)
    mean, var = (ns.empty(x.shape[1], x.dtype) for _ in range(2))
    shift, rstd = (ns.empty(x.shape[1], _statistic(x)) for _ in range(2))
    walk.launch("batch_norm_moments", partial, Strided(x), walk.shape)
    affine = (weight, bias, partial, np.int32(len(partial)), walk.shape, np.float64(eps))
    walk.launch("batch_norm_forward", Strided(out), mean, var, shift, rstd, Strided(x), *affine)
    return out, mean, var, shift, rstd


def differentiate(g: tuple, x: Any, weight: Any, shift: Any, rstd: Any, needs: tuple) -> tuple:
    """(gx, gweight, gbias) of `normalise`, None where `needs` says so, from the gradients of out, mean and var."""
    g, g_mean, g_var = g
    order = Order.of(x)
    x, g = order.arranged(x), order.arranged(g)
    small = [None if a is None else dense(a) for a in (g_mean, g_var, weight, shift, rstd)]
    walk = _Walk.of(order, x, g)
    partial = walk.partial(x, 2)
    walk.launch("batch_norm_sums", partial, Strided(g), Strided(x), small[3], walk.shape)
    gx = order.empty(x, x.shape, x.dtype) if needs[0] else None
    sums = [xp(x).empty(x.shape[1], x.dtype) if need else None for need in needs[1:]]
    given = (None if gx is None else Strided(gx), *sums, Strided(g), *small[:2], Strided(x), *small[2:])
    walk.launch("batch_norm_backward", *given, partial, np.int32(len(partial)), walk.shape)
    return gx, *sums


@ops.batch_norm.path("cuda")
def _batch_norm(x, weight, bias, *, eps):
    if x.size == 0 or not _is_float(x):
        return NotImplemented
    ops.check_channels(x, weight=weight, bias=bias)
    *outs, shift, rstd = normalise(x, weight, bias, eps)
    return tuple(outs), {"shift": shift, "rstd": rstd}


@_batch_norm.backward
def _(g, x, weight, shift, rstd, needs):
    return differentiate(g, x, weight, shift, rstd, needs)


@ops.channel_affine.path("cuda")
def _channel_affine(x, scale, shift):
    if x.size == 0 or not _is_float(x):
        return NotImplemented
    ops.check_channels(x, scale=scale, shift=shift)
    return _affine(x, Order.of(x), scale, shift), {}


def _affine(x: Any, order: Order, scale: Any, shift: Any) -> Any:
    x, scale, shift = order.arranged(x), *(None if a is None else dense(a) for a in (scale, shift))
    out, walk = order.empty(x, x.shape, x.dtype), _Walk.of(order, x)
    walk.launch("channel_affine", Strided(out), Strided(x), scale, shift, walk.shape)
    return out


@_channel_affine.backward
def _(g, x, scale, needs):
    if x.size == 0:
        return NotImplemented
    order, sums = Order.of(x), [None, None]
    if needs[1] or needs[2]:
        x, g = order.arranged(x), order.arranged(g)
        walk = _Walk.of(order, x, g)
        partial = walk.partial(x, 2)
        walk.launch("batch_norm_sums", partial, Strided(g), Strided(x), None, walk.shape)
        total = partial.sum(axis=0).astype(x.dtype)
        sums = [total[:, i] if needs[2 - i] else None for i in (1, 0)]
    return (_affine(g, order, scale, None) if needs[0] else None), *sums
