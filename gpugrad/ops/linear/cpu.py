"""The linear layer on the CPU: a pass hands its products, and bias and ReLU after them, to the threads at once."""

from typing import Any

import numpy as np

from ...backend.cpu import gemm, memory
from ..elementwise.cpu import relu_backward, relu_into
from ..matmul import rows_of
from . import check_shapes, linear, linear_relu

LINE = 1 << 13  # elements to which the bias is repeated: as long as NumPy's buffer, it is not copied there
SMALL = 1 << 18  # outputs to which one thread adds the bias: where two end together, one waits for the GIL


@linear.path("cpu")
def linear_cpu(x, weight, bias=None):
    return _layer(x, weight, bias, relu=False), {}


@linear_cpu.backward
def linear_cpu_backward(g, x, weight, needs):
    return _gradients(g, x, weight, needs)


@linear_relu.path("cpu")
def linear_relu_cpu(x, weight, bias=None):
    return _layer(x, weight, bias, relu=True), {}


@linear_relu_cpu.backward
def linear_relu_cpu_backward(g, x, weight, out, needs):
    return _gradients(relu_backward(g, out), x, weight, needs)


def _layer(x: np.ndarray, weight: np.ndarray, bias: Any, relu: bool) -> np.ndarray:
    """Compute x weight^T + bias for x (..., I), weight (O, I) and bias (O,) or None; with `relu`, 0 where negative."""
    if x.ndim < 2 or x.ndim > 2 and not x.flags.c_contiguous:  # there is no matrix of all rows without a copy
        return (linear_relu if relu else linear).forward(x, weight, bias)
    check_shapes(x, weight, bias)
    rows = rows_of(x)
    out = memory.empty((len(rows), len(weight)), x.dtype)
    line = None if bias is None else _repeated(bias, out)

    def finish(index: tuple[slice, slice]) -> None:
        part, columns = out[index], index[1]
        if line is not None and columns == slice(None):
            _add_line(part, line)
        elif bias is not None:
            part += bias[columns]
        if relu:
            relu_into(part, part)

    on_each_thread = out.size > SMALL
    gemm.compute((rows, weight.T, out), then=finish if on_each_thread else None)
    if out.size and not on_each_thread:
        finish((slice(None), slice(None)))
    return out.reshape(*x.shape[:-1], len(weight))


def _repeated(bias: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return `bias` (K,) repeated for as many rows of `rows` (M, K) as `_add_line` takes at once."""
    line = np.empty((max(1, LINE // max(1, bias.size)) if rows.size > LINE else 1, bias.size), bias.dtype)
    line[...] = bias
    return line.reshape(-1)


def _add_line(rows: np.ndarray, line: np.ndarray) -> None:
    """Add `line` to rows (M, K), in place."""
    rows = rows.reshape(-1, line.size if rows.size % line.size == 0 else rows.shape[1])
    np.add(rows, line[: rows.shape[1]], out=rows)


def _gradients(g: np.ndarray, x: np.ndarray, weight: np.ndarray, needs: tuple[bool, ...]) -> tuple:
    """Return the gradients of x (..., I), weight (O, I) and bias (O,) from g (..., O); None where `needs` says so."""
    need_x, need_weight, need_bias = needs
    g, rows = rows_of(g), rows_of(x)
    gx = memory.empty(rows.shape, g.dtype) if need_x else None
    gw = memory.empty(weight.shape, g.dtype) if need_weight else None
    gb = np.empty(len(weight), g.dtype) if need_bias else None
    products = []
    if gx is not None:
        products.append((g, weight, gx))
    if gw is not None:
        products.append((g.T, rows, gw))
    if gb is not None:
        # BLAS adds up rows several times as fast as NumPy.
        products.append((np.ones((1, len(g)), g.dtype), g, gb[None]))
    gemm.compute(*products)
    return gx if gx is None else gx.reshape(x.shape), gw, gb
