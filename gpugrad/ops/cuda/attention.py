"""Attention on CUDA devices: kernels/attention.cu, for any float type, widths up to 256 and arrays of any strides.

16-bit floats go to tensor cores (attention_mma.py) where their layout allows.
"""

from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Kernels, ctype
from ...backend.namespace import xp
from ..attention import attention, check_shapes
from . import attention_mma as mma
from .attention_call import Call, rows_like

_WIDTHS = (64, 128, 256)
_NAMES = ("forward", "backward_q", "backward_kv")
_THREADS = 256

_kernels = Kernels(
    "attention.cu",
    lambda: [
        *(f"attention_{name}<{T}, {W}>" for name in _NAMES for T in FLOATS for W in _WIDTHS),
        *(f"attention_delta<{T}>" for T in FLOATS),
    ],
)


@attention.path("cuda")
def _attention_cuda(q, k, v, mask, *, causal, scale, dropout_p, seed):
    check_shapes(q, k, v)
    if max(q.shape[3], v.shape[3]) > _WIDTHS[-1]:
        return NotImplemented
    call = Call(q, k, v, mask, causal, scale, dropout_p, seed)
    out, level = rows_like(q, v.shape[3]), xp(q).empty((*q.shape[:3], 2), call.accumulator)
    call.strides(out=out)
    launch = mma.launch if mma.takes(q, k, v) else _launch
    launch("forward", call, out, level, q, k, v, call.mask)
    return out, {"level": level}


@_attention_cuda.backward
def _(g, q, k, v, mask, out, level, causal, scale, dropout_p, seed, needs):
    call = Call(q, k, v, mask, causal, scale, dropout_p, seed)
    launch = _launch
    if mma.takes(q, k, v):
        launch, g = mma.launch, mma.readable(g)
    delta = xp(q).empty(q.shape[:3], call.accumulator)
    call.strides(g=g, out=out)
    _launch("delta", call, delta, g, out)
    given = g, q, k, v, call.mask, level, delta
    gq = gk = gv = None
    if needs[0]:
        gq = rows_like(q, q.shape[3])
        call.strides(gq=gq)
        launch("backward_q", call, gq, *given)
    if needs[1] or needs[2]:
        gk, gv = rows_like(k, k.shape[3]), rows_like(v, v.shape[3])
        call.strides(gk=gk, gv=gv)
        launch("backward_kv", call, gk, gv, *given)
    return gq, gk if needs[1] else None, gv if needs[2] else None, None


def _launch(name: str, call: Call, *arrays: Any) -> None:
    """Run a kernel of attention.cu: "delta", "forward", "backward_q" or "backward_kv"."""
    tile = 32 if call.accumulator == np.float64 else 64
    pairs, length = (call.key_pairs, call.keys) if name == "backward_kv" else (call.pairs, call.queries)
    width = next(w for w in _WIDTHS if call.widest <= w)
    T = ctype(arrays[1] if name == "delta" else arrays[0])
    instance = f"attention_delta<{T}>" if name == "delta" else f"attention_{name}<{T}, {width}>"
    grid = (pairs * -(-length // tile),)
    _kernels.launch(instance, grid=grid, block=(_THREADS,), args=call.args(*arrays))
