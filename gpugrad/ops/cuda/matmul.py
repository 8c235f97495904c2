"""Matrix products by cuBLASLt: one call for a batch, bias and activation inside it, 16-bit floats with float32 sums."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...autograd.plan import raised
from ...backend.cuda.gemm import DTYPES, product
from ...backend.devices import device_of
from ...backend.namespace import xp
from ..activation import gelu, relu
from ..linear import linear, linear_gelu, linear_relu
from ..matmul import matmul, rows_of

_AUX = 8  # features: what GELU's kept argument must be a multiple of


def _fits(*arrays: Any) -> bool:
    """Whether cuBLASLt is there and takes these dtypes; otherwise the array library multiplies."""
    dtypes = {a.dtype for a in arrays if a is not None}
    return len(dtypes) == 1 and np.dtype(dtypes.pop()).name in DTYPES and device_of(arrays[0]).has_products


def _batch(x: Any, lead: tuple) -> Any:
    """x (..., M, K) as (B, M, K), its leading axes broadcast to `lead`."""
    return xp(x).broadcast_to(x, (*lead, *x.shape[-2:])).reshape(prod(lead), *x.shape[-2:])


@matmul.path("cuda")
def matmul_cuda(x, y):
    if not x.ndim or not y.ndim or not _fits(x, y) or x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
        return NotImplemented
    left = x.reshape(1, -1) if x.ndim == 1 else x
    right = y.reshape(-1, 1) if y.ndim == 1 else y
    if right.ndim == 2:
        out = product(rows_of(left), right).reshape(*left.shape[:-1], right.shape[-1])
    else:
        lead = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        out = product(_batch(left, lead), _batch(right, lead))
        out = out.reshape(*lead, left.shape[-2], right.shape[-1])
    shape = out.shape if x.ndim > 1 else (*out.shape[:-2], out.shape[-1])
    return out.reshape(shape if y.ndim > 1 else shape[:-1]), {}


@matmul_cuda.backward
def _(g, x, y, needs):
    if x.ndim < 2 or y.ndim < 2 or not _fits(g, x, y):
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


def _check(x: Any, weight: Any, bias: Any) -> bool:
    """Whether the shapes fit and the product is cuBLASLt's; the op's body says what is wrong."""
    fits = weight.ndim == 2 and x.ndim > 0 and x.shape[-1] == weight.shape[1]
    return fits and (bias is None or bias.shape == weight.shape[:1]) and _fits(x, weight, bias)


def _has_epilogue(x: Any, bias: Any) -> bool:
    return bias is not None and x.dtype != np.float64 and bias.flags.c_contiguous and x.size > 0


@linear.path("cuda")
def linear_cuda(x, weight, bias=None):
    if not _check(x, weight, bias):
        return NotImplemented
    rows = rows_of(x)
    if _has_epilogue(x, bias):
        out = product(rows, weight.T, epilogue="bias", bias=bias)
    else:
        out = product(rows, weight.T)
        if bias is not None:
            out += bias
    return out.reshape(*x.shape[:-1], weight.shape[0]), {}


@linear_cuda.backward
def _(g, x, weight, needs):
    return _linear_gradients(rows_of(g), x, weight, needs) if _fits(g, x, weight) else NotImplemented


def _linear_gradients(rows: Any, x: Any, weight: Any, needs: tuple) -> tuple:
    """The gradients of x, weight and bias from that of the product, (rows, out)."""
    gx = product(rows, weight).reshape(x.shape) if needs[0] else None
    gw = gb = None
    if needs[1] and needs[2] and rows.dtype != np.float64 and rows.size and x.size:
        gb = xp(rows).empty((rows.shape[1],), rows.dtype)
        gw = product(rows.T, rows_of(x), epilogue="bgradb", bias=gb)
    else:
        gw = product(rows.T, rows_of(x)) if needs[1] else None
        gb = rows.sum(axis=0, dtype=None if rows.dtype == np.float64 else np.float32) if needs[2] else None
    return gx, gw, gb


@linear_relu.path("cuda")
def linear_relu_cuda(x, weight, bias=None):
    if not _check(x, weight, bias) or not _has_epilogue(x, bias):
        return NotImplemented
    out = product(rows_of(x), weight.T, epilogue="relu_bias", bias=bias)
    return out.reshape(*x.shape[:-1], weight.shape[0]), {}


@linear_relu_cuda.backward
def _(g, x, weight, out, needs):
    if not _fits(g, x, weight):
        return NotImplemented
    return _linear_gradients(rows_of(relu.rules["x"](g, out)), x, weight, needs)


@linear_gelu.path("cuda")
def linear_gelu_cuda(x, weight, bias):
    if not _check(x, weight, bias) or not _has_epilogue(x, bias) or weight.shape[0] % _AUX:
        return NotImplemented
    rows = rows_of(x)
    before = xp(x).empty((rows.shape[0], weight.shape[0]), x.dtype)
    out = product(rows, weight.T, epilogue="gelu_aux_bias", bias=bias, aux=before)
    return out.reshape(*x.shape[:-1], weight.shape[0]), {"before": before}


@linear_gelu_cuda.backward
def _(g, x, weight, before, needs):
    rows = gelu.rules["x"](raised(rows_of(g)), raised(before), "tanh").astype(before.dtype)
    return _linear_gradients(rows, x, weight, needs)
