"""Bias + activation in one launch each way: functors of kernels/elementwise.cu put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Kernels, ctype, dense
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from .. import fused
from ..reduce import cuda as reduce
from .elementwise import THREADS, functors, mapped

_WARP = 32
_ENOUGH, _ROWS = 512, 64  # blocks that keep every GPU busy; rows that a block should have


def _instances() -> list[str]:
    chains = [_names(activation) for activation in fused.ACTIVATIONS]
    forwards = [f"map<{forward}, {T}, {T}, {T}>" for forward, _ in chains for T in FLOATS]
    backwards = [f"map<{backward}, {T}, {T}, {T}, {T}>" for _, backward in chains for T in FLOATS]
    return [*forwards, *backwards, *(f"bias_backward<{backward}, {T}>" for _, backward in chains for T in FLOATS)]


kernels = Kernels("elementwise.cu", _instances)


def _names(activation: str) -> tuple[str, str]:
    """The functor of activation(x + bias), and that of its gradient."""
    forward, backward = f"{activation}_forward", f"{activation}_backward"
    from_out = "out" in functors()[backward].arrays
    return f"Biased<{forward}>::forward", f"BiasedBackward<{forward}, {backward}, {str(from_out).lower()}>::backward"


@fused.bias_activation.path("cuda")
def bias_activation_cuda(x, bias, *, activation, axis):
    if not is_float(x.dtype) or activation not in fused.ACTIVATIONS or bias.shape != (x.shape[axis],):
        return NotImplemented
    T = ctype(x)
    name = f"map<{_names(activation)[0]}, {T}, {T}, {T}>"
    made = mapped(kernels, name, x.dtype, [x, bias.reshape(_lying(x.ndim, axis))])
    return made if made is NotImplemented else (made, {})


@bias_activation_cuda.backward
def _(g, x, bias, activation, axis, needs):
    if not x.size:
        return NotImplemented
    functor, T = _names(activation)[1], ctype(x)
    if needs[1] and axis in (-1, x.ndim - 1):
        return _with_bias_sum(functor, dense(g), dense(x), dense(bias))
    name = f"map<{functor}, {T}, {T}, {T}, {T}>"
    gx = mapped(kernels, name, x.dtype, [g, x, bias.reshape(_lying(x.ndim, axis))])
    if gx is NotImplemented or not needs[1]:
        return gx
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return gx, reduce.sum_over(gx, others)


def _with_bias_sum(functor: str, g: Any, x: Any, bias: Any) -> tuple:
    """(gx, the sum of gx over all axes but the last), in one pass over g and x."""
    channels = bias.size
    rows, wide = x.size // channels, np.float64 if x.itemsize == 8 else np.float32
    tiles = -(-channels // (_WARP * (16 // x.itemsize)))
    parts = max(min(_ENOUGH // tiles, -(-rows // _ROWS)), 1)
    gx, sums = xp(x).empty(x.shape, x.dtype), xp(x).empty((parts, channels), wide)
    sizes = np.int64(rows), np.int64(channels)
    block = (_WARP, THREADS // _WARP)
    name = f"bias_backward<{functor}, {ctype(x)}>"
    kernels.launch(name, grid=(tiles, parts), block=block, args=(gx, sums, g, x, bias, *sizes))
    return gx, reduce.sum_rows(sums, bias.dtype)


def _lying(ndim: int, axis: int) -> list[int]:
    return [-1 if i == axis % ndim else 1 for i in range(ndim)]
