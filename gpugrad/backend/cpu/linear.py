"""The linear layer: the product and the bias, and all that its backward needs, in one hand-over to the threads each."""

from typing import Any

import numpy as np

from . import activation, gemm, memory, threads
from .rows import along, repeated

SMALL = 1 << 18  # outputs to which one thread adds the bias: where two end together, one waits for the GIL


def linear_forward(x: np.ndarray, weight: np.ndarray, bias: Any, relu: bool = False) -> np.ndarray:
    """x (N, I) weight^T + bias, for weight (O, I) and bias (O,) or None -> (N, O); with `relu`, 0 where negative."""
    out = memory.empty((len(x), len(weight)), x.dtype)
    line = repeated(bias, out)
    beside = out.size > SMALL

    def finish(part: np.ndarray, columns: slice) -> None:
        if line is not None and columns == slice(None):
            along(np.add, part, line, part)
        elif line is not None:
            part += bias[columns]
        if relu:
            activation.relu_into(part, part)

    def fill(number: int, count: int) -> None:
        rows, columns = gemm.piece(x, weight.T, out, number, count)
        if beside:
            finish(out[rows, columns], columns)

    gemm.share(x.size * len(weight), out, fill)
    if out.size and not beside:
        finish(out, slice(None))
    return out


def linear_backward(g: np.ndarray, x: np.ndarray, weight: np.ndarray, needs: tuple[bool, ...]) -> tuple:
    """The gradients of x (N, I), weight (O, I) and bias (O,) from g (N, O); None where `needs` says so."""
    need_x, need_weight, need_bias = needs
    gx = memory.empty(x.shape, g.dtype) if need_x else None
    gw = memory.empty(weight.shape, g.dtype) if need_weight else None
    gb = np.empty(len(weight), g.dtype) if need_bias else None
    made = [array for array in (gx, gw) if array is not None]

    def fill(number: int, count: int) -> None:
        if gx is not None:
            gemm.piece(g, weight, gx, number, count)
        if gw is not None:
            gemm.piece(g.T, x, gw, number, count)
        if gb is not None:
            columns = threads.one_of(len(gb), number, count)
            # BLAS adds up rows several times as fast as NumPy.
            np.matmul(np.ones(len(g), g.dtype), g[:, columns], out=gb[columns])

    if made:
        gemm.share(len(made) * g.size * x.shape[1], min(made, key=lambda array: max(array.shape)), fill)
    elif gb is not None:
        fill(0, 1)
    return gx, gw, gb
