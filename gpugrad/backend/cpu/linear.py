"""The linear layer: the product and the bias, and all that its backward needs, in one hand-over to the threads each."""

from typing import Any

import numpy as np

from . import activation, gemm, memory

LINE = 1 << 13  # elements to which the bias is repeated: as long as NumPy's buffer, it is not copied there
SMALL = 1 << 18  # outputs to which one thread adds the bias: where two end together, one waits for the GIL


def linear_forward(x: np.ndarray, weight: np.ndarray, bias: Any, relu: bool = False) -> np.ndarray:
    """x (N, I) weight^T + bias, for weight (O, I) and bias (O,) or None -> (N, O); with `relu`, 0 where negative."""
    out = memory.empty((len(x), len(weight)), x.dtype)
    line = None if bias is None else _repeated(bias, out)

    def finish(index: tuple[slice, slice]) -> None:
        part, columns = out[index], index[1]
        if line is not None and columns == slice(None):
            _add_line(part, line)
        elif bias is not None:
            part += bias[columns]
        if relu:
            activation.relu_into(part, part)

    beside = out.size > SMALL
    gemm.compute((x, weight.T, out), then=finish if beside else None)
    if out.size and not beside:
        finish((slice(None), slice(None)))
    return out


def _repeated(bias: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`bias` (K,) for as many rows of `rows` (M, K) as `_add_line` takes at once."""
    line = np.empty((max(1, LINE // max(1, bias.size)) if rows.size > LINE else 1, bias.size), bias.dtype)
    line[...] = bias
    return line.reshape(-1)


def _add_line(rows: np.ndarray, line: np.ndarray) -> None:
    """Add `line` to rows (M, K), in place."""
    rows = rows.reshape(-1, line.size if rows.size % line.size == 0 else rows.shape[1])
    np.add(rows, line[: rows.shape[1]], out=rows)


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
