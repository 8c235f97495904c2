"""Products with logarithms that are 0 where a factor is, log-odds, and the normalised sinc."""

import math
from typing import Any

import numpy as np

from ...autograd.check.samples import unary
from ...autograd.op import op, xp
from ...autograd.ufunc import elementwise

__all__ = ["entr", "logit", "sinc", "xlog1py", "xlogy"]


def _pairs(low: float, high: float) -> Any:
    def cases(s: Any) -> list:
        shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), ()), ((0, 3), (3,))]
        return [s.case(s.away(*a), s.uniform(low, high, *b)) for a, b in shapes]

    return cases


def _times(x: Any, y: Any, logarithm: Any) -> Any:
    """Return x * logarithm, and 0 where x is 0 unless y is NaN."""
    with np.errstate(invalid="ignore"):
        product = x * logarithm
    return xp(x).where((x == 0) & (y == y), xp(x).zeros((), x.dtype), product)


@elementwise(samples=_pairs(0.2, 3), dtypes="float", autocast={"cuda": "float32"})
def xlogy(x, y):
    """Return x * log(y), and 0 where x is 0, whatever y is but NaN.

    >>> gg.xlogy([0.0, 2.0], [0.0, 1.0])
    tensor([0., 0.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _times(x, y, xp(x).log(y))


def _xlogy_x(g: Any, x: Any, y: Any) -> Any:
    ns = xp(g)  # no slope where the product is 0 by definition
    return g * ns.log(ns.where((x == 0) & (y <= 0), 1, y))


xlogy.vjp(x=_xlogy_x, y=lambda g, x, y: g * x / y)


@elementwise(samples=_pairs(-0.7, 3), dtypes="float", autocast={"cuda": "float32"})
def xlog1py(x, y):
    """Return x * log(1 + y), and 0 where x is 0, whatever y is but NaN.

    >>> gg.xlog1py([0.0, 2.0], [-1.0, 0.0])
    tensor([0., 0.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return _times(x, y, xp(x).log1p(y))


def _xlog1py_x(g: Any, x: Any, y: Any) -> Any:
    ns = xp(g)
    return g * ns.log1p(ns.where((x == 0) & (y <= -1), 0, y))


xlog1py.vjp(x=_xlog1py_x, y=lambda g, x, y: g * x / (1 + y))


@elementwise(samples=unary(0.1, 3), dtypes="float", autocast={"cuda": "float32"})
def entr(x):
    """Return -x * log(x): 0 at 0, and -infinite below.

    >>> gg.entr([0.0, 0.5]).round(decimals=4)
    tensor([0.    , 0.3466])
    """
    ns = xp(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = -x * ns.log(x)
    return ns.where(x == 0, ns.zeros((), x.dtype), ns.where(x < 0, -np.inf, out))


entr.vjp(x=lambda g, x: g * (-xp(g).log(x) - 1))


@op(
    samples=lambda s: [
        *unary(0.05, 0.95)(s), s.case(s.uniform(0.2, 0.8, 4), eps=0.1),
        s.case(np.array([-1.0, 0.05, 0.5, 2.0]), eps=0.1, smooth=False, gradient={"x": [0, 0, 4, 0]}),
    ],
    dtypes="float", inplace=True, autocast={"cuda": "float32"},
)  # fmt: skip
def logit(x, *, eps=None):
    """Return log(x / (1 - x)), the inverse of sigmoid, of x held between eps and 1 - eps (None: as it is).

    >>> gg.logit([0.5, 0.8808]).round(decimals=3)
    tensor([0., 2.])
    """
    x = x if eps is None else xp(x).clip(x, eps, 1 - eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return xp(x).log(x) - xp(x).log1p(-x)


def _logit_rule(g: Any, x: Any, eps: float | None) -> Any:
    if eps is None:
        return g / (x * (1 - x))
    inside = (x >= eps) & (x <= 1 - eps)
    return xp(g).keep_where(g, inside) / xp(g).where(inside, x * (1 - x), 1)


logit.vjp(x=_logit_rule)


@elementwise(
    samples=lambda s: [*unary(0.1, 3)(s), s.case(np.zeros(2), smooth=False)],
    dtypes="float", inplace=True, complex="holomorphic",
)  # fmt: skip
def sinc(x):
    """Return sin(pi x) / (pi x), and 1 at 0.

    >>> gg.sinc([0.0, 0.5]).round(decimals=4)
    tensor([1.    , 0.6366])
    """
    return xp(x).sinc(x)


def _sinc_rule(g: Any, x: Any, out: Any) -> Any:
    zero = (x == 0).astype(x.dtype)
    return g * (xp(g).cos(math.pi * x) - out) / (x + zero)


sinc.vjp(x=_sinc_rule)
