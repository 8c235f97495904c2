"""Matrix products by cuBLASLt: one call for a batch, 16-bit floats with float32 sums."""

from math import prod
from typing import Any

import numpy as np

from ...backend.cuda.gemm import product, supports
from ...backend.namespace import xp
from . import matmul, rows_of


def _batch(x: Any, lead: tuple) -> Any:
    """Return x (..., M, K) as (B, M, K), its leading axes broadcast to `lead`."""
    return xp(x).broadcast_to(x, (*lead, *x.shape[-2:])).reshape(prod(lead), *x.shape[-2:])


@matmul.path("cuda")
def matmul_cuda(x, y):
    if not x.ndim or not y.ndim or not supports(x, y) or x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
        return NotImplemented
    left = x.reshape(1, -1) if x.ndim == 1 else x
    right = y.reshape(-1, 1) if y.ndim == 1 else y
    if right.ndim == 2:
        out = product(rows_of(left), right).reshape(*left.shape[:-1], right.shape[-1])
    else:
        try:
            lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        except ValueError:
            return NotImplemented  # the body says why
        out = product(_batch(left, lead), _batch(right, lead))
        out = out.reshape(*lead, left.shape[-2], right.shape[-1])
    shape = out.shape if x.ndim > 1 else (*out.shape[:-2], out.shape[-1])
    return out.reshape(shape if y.ndim > 1 else shape[:-1]), {}


@matmul_cuda.backward
def matmul_cuda_backward(g, x, y, needs):
    if x.ndim < 2 or y.ndim < 2 or not supports(g, x, y):
        return NotImplemented
    if y.ndim == 2:
        rows = rows_of(g)
        gx = product(rows, y.T).reshape(x.shape) if needs[0] else None
        return gx, product(rows_of(x).T, rows) if needs[1] else None
    if x.shape[:-2] != y.shape[:-2]:
        return NotImplemented  # a gradient is then summed over the axes that were broadcast
    lead = x.shape[:-2]
    g, left, right = (_batch(a, lead) for a in (g, x, y))
    gx = product(g, right.swapaxes(1, 2)).reshape(x.shape) if needs[0] else None
    return gx, product(left.swapaxes(1, 2), g).reshape(y.shape) if needs[1] else None
