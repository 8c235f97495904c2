"""The CUDA path of bias + activation: one launch each way of functors of kernels/elementwise.cu put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....backend.cuda.launch import FLOATS, Kernels, ctype, dense
from ....backend.dtypes import is_float
from ....backend.namespace import xp
from ...reduce.cuda import sum_reduced, sum_rows
from ..bias_activation import ACTIVATIONS, bias_activation
from .functors import functors
from .launch import THREADS, map_arrays

_WARP = 32
_ENOUGH, _ROWS = 512, 64  # blocks that keep every GPU busy; rows that a block should have


def _instances() -> list[str]:
    chains = [_names(activation) for activation in ACTIVATIONS]
    forwards = [f"map<{forward}, {T}, {T}, {T}>" for forward, _ in chains for T in FLOATS]
    backwards = [f"map<{backward}, {T}, {T}, {T}, {T}>" for _, backward in chains for T in FLOATS]
    return [*forwards, *backwards, *(f"bias_backward<{backward}, {T}>" for _, backward in chains for T in FLOATS)]


kernels = Kernels("elementwise.cu", _instances)


def _names(activation: str) -> tuple[str, str]:
    """Return the functor of activation(x + bias), and that of its gradient."""
    forward, backward = f"{activation}_forward", f"{activation}_backward"
    from_out = "out" in functors()[backward].arrays
    return f"Biased<{forward}>::forward", f"BiasedBackward<{forward}, {backward}, {str(from_out).lower()}>::backward"


@bias_activation.path("cuda")
def bias_activation_cuda(x, bias, *, activation, axis):
    if not is_float(x.dtype) or activation not in ACTIVATIONS or bias.shape != (x.shape[axis],):
        return NotImplemented
    T = ctype(x)
    name = f"map<{_names(activation)[0]}, {T}, {T}, {T}>"
    made = map_arrays(kernels, name, x.dtype, [x, bias.reshape(_bias_shape(x.ndim, axis))])
    return made if made is NotImplemented else (made, {})


@bias_activation_cuda.backward
def bias_activation_cuda_backward(g, x, bias, activation, axis, needs):
    if not x.size:
        return NotImplemented
    functor, T = _names(activation)[1], ctype(x)
    if needs[1] and axis in (-1, x.ndim - 1):
        return _with_bias_sum(functor, dense(g), dense(x), dense(bias))
    name = f"map<{functor}, {T}, {T}, {T}, {T}>"
    gx = map_arrays(kernels, name, x.dtype, [g, x, bias.reshape(_bias_shape(x.ndim, axis))])
    if gx is NotImplemented or not needs[1]:
        return gx
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return gx, sum_reduced(gx, others)


def _with_bias_sum(functor: str, g: Any, x: Any, bias: Any) -> tuple:
    """Return gx and its sum over all axes but the last, from one pass over g and x."""
    channels = bias.size
    rows, wide = x.size // channels, np.float64 if x.itemsize == 8 else np.float32
    tiles = -(-channels // (_WARP * (16 // x.itemsize)))
    parts = max(min(_ENOUGH // tiles, -(-rows // _ROWS)), 1)
    gx, sums = xp(x).empty(x.shape, x.dtype), xp(x).empty((parts, channels), wide)
    sizes = np.int64(rows), np.int64(channels)
    block = (_WARP, THREADS // _WARP)
    name = f"bias_backward<{functor}, {ctype(x)}>"
    kernels.launch(name, grid=(tiles, parts), block=block, args=(gx, sums, g, x, bias, *sizes))
    return gx, sum_rows(sums, bias.dtype)


def _bias_shape(ndim: int, axis: int) -> list[int]:
    return [-1 if i == axis % ndim else 1 for i in range(ndim)]
