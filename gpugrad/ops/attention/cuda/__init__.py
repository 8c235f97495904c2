"""The CUDA path of attention: launches of kernels/attention.cu, for floats in widths up to 256 and any strides.

16-bit floats go to tensor cores (`mma`) where their layout allows.
"""

from typing import Any

import numpy as np

from ....backend.cuda.launch import FLOATS, Block, Kernels, ctype
from ....backend.namespace import xp
from .. import attention, check_shapes
from . import mma
from .problem import AttentionProblem, rows_like

_WIDTHS = (64, 128, 256)
_NAMES = ("forward", "backward_q", "backward_kv")
_THREADS = 256

_kernels = Kernels(
    "attention.cu",
    lambda: [
        *(f"attention_{name}<{T}, {W}>" for name in _NAMES for T in FLOATS for W in _WIDTHS),
        *(f"attention_delta<{T}>" for T in FLOATS),
    ],
    typical=lambda: {
        **{f"attention_{name}<float, {W}>": Block(_THREADS) for name in _NAMES for W in (64, 128)},
        "attention_delta<__nv_bfloat16>": Block(_THREADS),
    },
    spills={"attention_backward_kv<*, 64>": "20 bytes: a stored seed needs registers while dropout draws"},
)


@attention.path("cuda")
def attention_cuda(q, k, v, mask, *, causal, scale, dropout_p, seed):
    check_shapes(q, k, v)
    if max(q.shape[3], v.shape[3]) > _WIDTHS[-1]:
        return NotImplemented
    problem = AttentionProblem(q, k, v, mask, causal, scale, dropout_p, seed)
    out, lse = rows_like(q, v.shape[3]), xp(q).empty((*q.shape[:3], 2), problem.accumulator)
    problem.strides(out=out)
    launch = mma.launch if mma.supports(q, k, v) else _launch
    launch("forward", problem, out, lse, q, k, v, problem.mask)
    return out, {"lse": lse}


@attention_cuda.backward
def attention_cuda_backward(g, q, k, v, mask, out, lse, causal, scale, dropout_p, seed, needs):
    problem = AttentionProblem(q, k, v, mask, causal, scale, dropout_p, seed)
    launch = _launch
    if mma.supports(q, k, v):
        launch, g = mma.launch, mma.readable(g)
    delta = xp(q).empty(q.shape[:3], problem.accumulator)
    problem.strides(g=g, out=out)
    _launch("delta", problem, delta, g, out)
    given = g, q, k, v, problem.mask, lse, delta
    gq = gk = gv = None
    if needs[0]:
        gq = rows_like(q, q.shape[3])
        problem.strides(gq=gq)
        launch("backward_q", problem, gq, *given)
    if needs[1] or needs[2]:
        gk, gv = rows_like(k, k.shape[3]), rows_like(v, v.shape[3])
        problem.strides(gk=gk, gv=gv)
        launch("backward_kv", problem, gk, gv, *given)
    return gq, gk if needs[1] else None, gv if needs[2] else None, None


def _launch(name: str, problem: AttentionProblem, *arrays: Any) -> None:
    """Run a kernel of attention.cu: "delta", "forward", "backward_q" or "backward_kv"."""
    tile = 32 if problem.accumulator == np.float64 else 64
    pairs, length = (problem.key_pairs, problem.keys) if name == "backward_kv" else (problem.pairs, problem.queries)
    width = next(w for w in _WIDTHS if problem.widest <= w)
    T = ctype(arrays[1] if name == "delta" else arrays[0])
    instance = f"attention_delta<{T}>" if name == "delta" else f"attention_{name}<{T}, {width}>"
    grid = (pairs * -(-length // tile),)
    _kernels.launch(instance, grid=grid, block=(_THREADS,), args=problem.args(*arrays))
