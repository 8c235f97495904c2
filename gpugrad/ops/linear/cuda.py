"""The linear layer by cuBLASLt: one matrix product, with bias and activation inside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.plan import raised
from ...backend.cuda.gemm import product, supports
from ...backend.namespace import xp
from ..elementwise.activation import gelu
from ..elementwise.piecewise import relu
from ..matmul import rows_of
from . import linear, linear_gelu, linear_relu

_AUX = 8  # what the number of features must be a multiple of for GELU's argument to be kept


def _is_supported(x: Any, weight: Any, bias: Any) -> bool:
    """Return whether the shapes fit and cuBLASLt can multiply; if not, the op's body raises the error."""
    fit = weight.ndim == 2 and x.ndim > 0 and x.shape[-1] == weight.shape[1]
    return fit and (bias is None or bias.shape == weight.shape[:1]) and supports(x, weight, bias)


def _has_epilogue(x: Any, bias: Any) -> bool:
    """Return whether cuBLASLt can add the bias within the product."""
    return bias is not None and x.dtype != np.float64 and bias.flags.c_contiguous and x.size > 0


@linear.path("cuda")
def linear_cuda(x, weight, bias=None):
    if not _is_supported(x, weight, bias):
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
def linear_cuda_backward(g, x, weight, needs):
    return _linear_gradients(rows_of(g), x, weight, needs) if supports(g, x, weight) else NotImplemented


def _linear_gradients(rows: Any, x: Any, weight: Any, needs: tuple) -> tuple:
    """Return the gradients of x, weight and bias from that of the product, (rows, out)."""
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
    if not _is_supported(x, weight, bias) or not _has_epilogue(x, bias):
        return NotImplemented
    out = product(rows_of(x), weight.T, epilogue="relu_bias", bias=bias)
    return out.reshape(*x.shape[:-1], weight.shape[0]), {}


@linear_relu_cuda.backward
def linear_relu_cuda_backward(g, x, weight, out, needs):
    if not supports(g, x, weight):
        return NotImplemented
    return _linear_gradients(rows_of(relu.rules["x"](g, out)), x, weight, needs)


@linear_gelu.path("cuda")
def linear_gelu_cuda(x, weight, bias):
    if not _is_supported(x, weight, bias) or not _has_epilogue(x, bias) or weight.shape[0] % _AUX:
        return NotImplemented
    rows = rows_of(x)
    before = xp(x).empty((rows.shape[0], weight.shape[0]), x.dtype)
    out = product(rows, weight.T, epilogue="gelu_aux_bias", bias=bias, aux=before)
    return out.reshape(*x.shape[:-1], weight.shape[0]), {"before": before}


@linear_gelu_cuda.backward
def linear_gelu_cuda_backward(g, x, weight, before, needs):
    rows = gelu.rules["x"](raised(rows_of(g)), raised(before), "tanh").astype(before.dtype)
    return _linear_gradients(rows, x, weight, needs)
