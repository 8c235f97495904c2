"""The linear layer, alone and with the activation after it. All rows are multiplied in one matrix product."""

from typing import Any

import numpy as np

from ...autograd.op import op, xp
from ..elementwise.activation import gelu
from ..elementwise.piecewise import relu
from ..matmul import dense, products, rows_of

__all__ = ["linear", "linear_gelu", "linear_relu"]


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(2, 4), s(2)),
        s.case(s(3, 4), s(2, 4)),
        s.case(s(2, 3, 4), s(5, 4), s(5)),
        s.case(s(4), s(2, 4), s(2)),
        s.case(s(4, 3).T, s(4, 2).T, s(4)[::2]),
        s.case(s(0, 3), s(2, 3), s(2)),
        s.case(s(2, 0), s(3, 0), s(3)),
        s.case(s(2, 3), s(1, 3), s(1)),
    ],
    bench=lambda s: (s.case(s(n, 1024), s(1024, 1024), s(1024)) for n in (1024, 32, 256, 4096, 16384)),
    flops=lambda x, out: products(x, out),
    broadcasts=True,
    autocast="low",
    complex="holomorphic",
)
def linear(x, weight, bias=None):
    """Return y = x weight^T + bias: x (..., in), weight (out, in), bias (out,) -> (..., out).

    All rows are multiplied in one matrix product. Raises ShapeError if the sizes `in` or `out` differ.

    >>> gg.linear(gg.tensor([1.0, 2.0]), gg.tensor([[3.0, 4.0], [5.0, 6.0]]), gg.tensor([0.5, 0.0]))
    tensor([11.5, 17. ])
    """
    check_shapes(x, weight, bias)
    out = dense(x, weight.T)
    if bias is not None:
        out += bias
    return out


def check_shapes(x: Any, weight: Any, bias: Any) -> None:
    """Raise ValueError unless x (..., in), weight (out, in) and bias (out,) or None fit each other."""
    if weight.ndim != 2 or x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError("expected x (..., in) and weight (out, in)")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError("expected weight (out, in) and bias (out,)")


linear.vjp(
    x=lambda g, weight: dense(g, weight),
    weight=lambda g, x: dense(rows_of(g).T, rows_of(x)),
    bias=lambda g: g,
)


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(8, 4), s.away(8, gap=9.0)),
        s.case(s(2, 3, 4), s(5, 4), s.away(5, gap=9.0)),
        s.case(np.abs(s.away(3, 4)), s.away(1, 4)),
        s.case(s(4, 3).T, s(2, 8)[:, ::-2], s(2), smooth=False),
        s.case(s(4), s(2, 4), s.away(2, gap=9.0)),
        s.case(s(0, 3), s(2, 3), s(2)),
        s.case(s(70, 40), s(90, 40), s(90), smooth=False),
    ],
    bench=lambda s: (s.case(s(n, 784), s(512, 784), s(512)) for n in (256, 32, 4096)),
    flops=lambda x, out: products(x, out),
    broadcasts=True,
    autocast="low",
)
def linear_relu(x, weight, bias=None):
    """Return relu(x weight^T + bias): x (..., in), weight (out, in), bias (out,) -> (..., out).

    On cuda it is one matrix product, whose last step applies bias and ReLU. Raises ShapeError if the sizes `in` or
    `out` differ.

    >>> gg.linear_relu(gg.tensor([1.0, 2.0]), gg.tensor([[3.0, 4.0], [5.0, -6.0]]))
    tensor([11.,  0.])
    """
    return xp(x).relu(linear.forward(x, weight, bias))


def _before_relu(g: Any, out: Any) -> Any:
    """Return the gradient of the input of ReLU."""
    return relu.rules["x"](g, out)


linear_relu.vjp(
    x=lambda g, weight, out: dense(_before_relu(g, out), weight),
    weight=lambda g, x, out: dense(rows_of(_before_relu(g, out)).T, rows_of(x)),
    bias=lambda g, out: _before_relu(g, out),
)


@op(
    samples=lambda s: [
        s.case(s(3, 4), s(8, 4), s(8)), s.case(s(2, 3, 4), s(5, 4), s(5)), s.case(s(0, 3), s(2, 3), s(2)),
    ],
    bench=lambda s: (s.case(s(n, 768), s(3072, 768), s(3072)) for n in (1024, 128, 8192)),
    flops=lambda x, out: products(x, out), broadcasts=True, autocast="low",
)  # fmt: skip
def linear_gelu(x, weight, bias):
    """Return gelu(x weight^T + bias) with GELU's tanh form: x (..., in), weight (out, in), bias (out,) -> (..., out).

    On cuda it is one matrix product, whose last step applies bias and GELU. Raises ShapeError if the sizes `in` or
    `out` differ. GELU: Hendrycks and Gimpel, arXiv:1606.08415.

    >>> gg.linear_gelu(gg.tensor([1.0, 2.0]), gg.tensor([[0.0, 0.5]]), gg.tensor([0.0])).round(decimals=4)
    tensor([0.8412])
    """
    return xp(x).gelu(linear.forward(x, weight, bias), approximate="tanh")


def _before_gelu(g: Any, x: Any, weight: Any, bias: Any) -> Any:
    """Return the gradient of the input of GELU."""
    return gelu.rules["x"](g, xp(g).linear(x, weight, bias), "tanh")


linear_gelu.vjp(
    x=lambda g, x, weight, bias: dense(_before_gelu(g, x, weight, bias), weight),
    weight=lambda g, x, weight, bias: dense(rows_of(_before_gelu(g, x, weight, bias)).T, rows_of(x)),
    bias=lambda g, x, weight, bias: _before_gelu(g, x, weight, bias),
)
