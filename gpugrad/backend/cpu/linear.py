"""The linear layer: the product and the bias, and all that its backward needs, in one hand-over to the threads each."""

from typing import Any

import numpy as np

from . import activation, gemm, memory
from .rows import along, repeated

SMALL = 1 << 18  # outputs to which one thread adds the bias: where two end together, one waits for the GIL


def linear_forward(x: np.ndarray, weight: np.ndarray, bias: Any, relu: bool = False) -> np.ndarray:
    """x (N, I) weight^T + bias, for weight (O, I) and bias (O,) or None -> (N, O); with `relu`, 0 where negative."""
    out = memory.empty((len(x), len(weight)), x.dtype)
    line = repeated(bias, out)

    def finish(index: tuple[slice, slice]) -> None:
        part, columns = out[index], index[1]
        if line is not None and columns == slice(None):
            along(np.add, part, line, part)
        elif line is not None:
            part += bias[columns]
        if relu:
            activation.relu_into(part, part)

    beside = out.size > SMALL
    gemm.compute((x, weight.T, out), then=finish if beside else None)
    if out.size and not beside:
        finish((slice(None), slice(None)))
    return out


def linear_backward(g: np.ndarray, x: np.ndarray, weight: np.ndarray, needs: tuple[bool, ...]) -> tuple:
    """The gradients of x (N, I), weight (O, I) and bias (O,) from g (N, O); None where `needs` says so."""
    need_x, need_weight, need_bias = needs
    gx = memory.empty(x.shape, g.dtype) if need_x else None
    gw = memory.empty(weight.shape, g.dtype) if need_weight else None
    gb = np.empty(len(weight), g.dtype) if need_bias else None
    products = []
    if gx is not None:
        products.append((g, weight, gx))
    if gw is not None:
        products.append((g.T, x, gw))
    if gb is not None:
        # BLAS adds up rows several times as fast as NumPy.
        products.append((np.ones((1, len(g)), g.dtype), g, gb[None]))
    gemm.compute(*products)
    return gx, gw, gb
