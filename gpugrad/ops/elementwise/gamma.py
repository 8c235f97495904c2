"""The gamma function's logarithm and its derivatives, the zeta function behind them, and the incomplete gamma function.

They are computed in float64. Small arguments are moved up by recurrences to where asymptotic series hold.

Source: M. Abramowitz, I. Stegun 1964, "Handbook of Mathematical Functions", chapters 6 and 23.
"""

import math
from typing import Any

import numpy as np

from ...arguments import non_negative_int, positive_int
from ...autograd.check.samples import unary
from ...autograd.convert import asarray
from ...autograd.op import op, xp
from ...autograd.ufunc import elementwise
from ...backend.dtypes import complex_of, real_of
from .special import polynomial

__all__ = ["digamma", "gammainc", "gammaincc", "gammaln", "lgamma", "mvlgamma", "polygamma", "psi", "zeta"]

_SHIFT = 8  # from where on the series have all digits
# Coefficients of 1/x, 1/x^3, ... in log gamma (6.1.41), and of 1/x^2, 1/x^4, ... in digamma (6.3.18)
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
_DIGAMMA = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132, 691 / 32760, -1 / 12)
# (2k)! / B_2k: the remainder of the Euler-Maclaurin sum for zeta (23.1.30)
_ZETA = (
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10, -2.950130727918164224e12,
    1.1646782814350067249e14, -4.5979787224074726105e15, 1.8152105401943546773e17, -7.1661652561756670113e18,
)  # fmt: skip


def _sin_pi(ns: Any, x: Any) -> Any:
    """Return |sin(pi x)|, exactly 0 for integers."""
    return ns.abs(ns.sin(math.pi * (x - ns.round(x))))


def _log_gamma(ns: Any, x: Any) -> Any:
    """Return log gamma(x) for x > 0."""
    small = x < _SHIFT
    product = ns.where(small, x, 1.0)
    for k in range(1, _SHIFT):
        product = product * ns.where(small, x + k, 1.0)
    y = ns.where(small, x + _SHIFT, x)
    inverse = 1 / y
    stirling = (y - 0.5) * (ns.log(y) - 1) - 0.5 + 0.5 * math.log(2 * math.pi)
    return stirling + inverse * polynomial(_STIRLING[::-1], inverse * inverse) - ns.log(product)


def _gamma_cases(s: Any) -> list:
    return [*unary(0.1, 12)(s), s.case(s.uniform(0.1, 0.9, 8) - s.ints(5, 8) - 1.0)]


@elementwise(samples=_gamma_cases, dtypes="float", autocast={"cuda": "float32"})
def lgamma(x):
    """Return the logarithm of |gamma(x)|: infinite at 0, -1, -2, ...

    >>> gg.lgamma([1.0, 5.0]).round(decimals=4)
    tensor([0.    , 3.1781])
    """
    ns, wide = xp(x), x.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below = wide < 0.5
        out = _log_gamma(ns, ns.where(below, 1 - wide, wide))
        mirrored = math.log(math.pi) - ns.log(_sin_pi(ns, wide)) - out  # 6.1.17
        return ns.where(below, mirrored, out).astype(x.dtype)


lgamma.vjp(x=lambda g, x: g * xp(g).digamma(x))


@elementwise(samples=_gamma_cases, dtypes="float", autocast={"cuda": "float32"})
def digamma(x):
    """Return the derivative of log gamma: -infinite at 0, NaN at -1, -2, ...

    >>> gg.digamma([1.0, 2.0]).round(decimals=4)
    tensor([-0.5772,  0.4228])
    """
    ns, wide = xp(x), x.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below = wide <= 0
        y, total = ns.where(below, 1 - wide, wide), 0.0
        small = y < _SHIFT
        for k in range(_SHIFT):
            total = total + ns.where(small, 1 / (y + k), 0.0)
        y = ns.where(small, y + _SHIFT, y)
        inverse = 1 / y
        out = ns.log(y) - 0.5 * inverse + inverse**2 * polynomial(_DIGAMMA[::-1], inverse * inverse) - total
        out = ns.where(below, out - math.pi / ns.tan(math.pi * (wide - ns.round(wide))), out)  # 6.3.7
        out = ns.where(wide == 0, ns.copysign(np.inf, -wide), out)
        return ns.where((wide < 0) & (wide == ns.round(wide)), np.nan, out).astype(x.dtype)


digamma.vjp(x=lambda g, x: g * xp(g).polygamma_of(x, n=1))


def _zeta(ns: Any, s: Any, q: Any) -> Any:
    """Return the sum of (q + k)^-s over k = 0, 1, ... for s > 1 and q > 0, by Euler-Maclaurin."""
    total = 0.0
    for k in range(9):
        total = total + (q + k) ** -s
    w = q + 9
    power = w**-s
    total = total + w ** (1 - s) / (s - 1) + 0.5 * power
    factor = s / w
    for i, divisor in enumerate(_ZETA):
        total = total + factor * power / divisor
        factor = factor * ((s + 2 * i + 1) / w) * ((s + 2 * i + 2) / w)
    return total


def _zeta_cases(s: Any) -> list:
    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), ()), ((0, 3), (3,))]
    return [s.case(s.uniform(1.2, 6, *a), s.uniform(0.2, 9, *b)) for a, b in shapes]


@elementwise(samples=_zeta_cases, dtypes="float", autocast={"cuda": "float32"})
def zeta(x, y):
    """Return Hurwitz's zeta function, the sum of (y + k)^-x over k = 0, 1, ...: infinite for x = 1, NaN below and for
    y <= 0. No gradient flows to x.

    >>> gg.zeta([2.0], [1.0]).round(decimals=4)
    tensor([1.6449])
    """
    ns, s, q = xp(x), x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        out = ns.where(s == 1, np.inf, _zeta(ns, ns.where(s > 1, s, 2.0), q))
        return ns.where((s < 1) | (q <= 0), np.nan, out).astype(x.dtype)


zeta.vjp(y=lambda g, x, y: -(g * (x * xp(g).zeta(x + 1, y))))


def _cotangent_derivative(n: int) -> list[float]:
    """Return the n-th derivative of cot as a polynomial in cot, low powers first: cot' = -(1 + cot^2)."""
    coefficients = [0.0, 1.0]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [-(a + b) for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    return coefficients


@op(
    samples=lambda s: [
        s.case(s.uniform(0.2, 9, 3, 4), n=1),
        s.case(s.uniform(0.2, 9, 4, 3).T, n=2),
        s.case(s.uniform(0.2, 9), n=4),
        s.case(s.uniform(0.1, 0.9, 5) - s.ints(4, 5) - 1.0, n=1),
        s.case(s(0, 3), n=3),
    ],
    dtypes="float",
    autocast={"cuda": "float32"},
)
def polygamma_of(x, *, n):
    """Return the n-th derivative (n > 0) of digamma."""
    ns, wide = xp(x), x.astype(np.float64)
    with np.errstate(all="ignore"):
        below = wide <= 0
        out = (-1.0) ** (n + 1) * math.factorial(n) * _zeta(ns, float(n + 1), ns.where(below, 1 - wide, wide))
        cotangent = 1 / ns.tan(math.pi * (wide - ns.round(wide)))
        mirrored = (-1.0) ** n * out - math.pi ** (n + 1) * polynomial(_cotangent_derivative(n)[::-1], cotangent)
        return ns.where(below, mirrored, out).astype(x.dtype)  # 6.4.7


polygamma_of.vjp(x=lambda g, x, n: g * xp(g).polygamma_of(x, n=n + 1))


def polygamma(n: int, x: Any) -> Any:
    """Return the n-th derivative of digamma, which is polygamma(0, x).

    Raises OptionError unless n is an integer of at least 0.

    >>> gg.polygamma(1, [1.0, 2.0]).round(decimals=4)
    tensor([1.6449, 0.6449])
    """
    return polygamma_of(x, n=n) if non_negative_int("polygamma", "n", n) else digamma(x)


def mvlgamma(x: Any, p: int) -> Any:
    """Return the logarithm of the multivariate gamma function of dimension p, for x > (p - 1) / 2.

    >>> gg.mvlgamma(gg.tensor([2.0]), 1).round(decimals=4)
    tensor([0.])
    """
    positive_int("mvlgamma", "p", p)
    x = asarray(x)
    steps = asarray(x.device.xp.arange(p) * 0.5, device=x.device).to(dtype=real_of(complex_of(x.dtype)))
    return lgamma(x[..., None] - steps).sum(axis=-1) + p * (p - 1) / 4 * math.log(math.pi)


# The incomplete gamma function


def _lower_series(ns: Any, a: Any, x: Any) -> Any:
    """Return sum_n x^n / ((a + 1) ... (a + n)) (6.5.29), until nothing is added any more."""
    term = total = ns.ones_like(a + x)
    n = 1
    while bool((term > 1e-17 * total).any()) and n < 10_000:
        term = term * (x / (a + n))
        total, n = total + term, n + 1
    return total


def _upper_fraction(ns: Any, a: Any, x: Any) -> Any:
    """Return the continued fraction of the upper function (6.5.31), by Lentz's method."""
    b = x + 1 - a
    c, d = ns.full_like(b, 1e300), 1 / b
    out, n = d, 1
    while n < 10_000:
        factor = -n * (n - a)
        b = b + 2
        d, c = 1 / (factor * d + b), b + factor / c
        step = c * d
        out, n = out * step, n + 1
        if not bool((ns.abs(step - 1) > 1e-15).any()):
            break
    return out


def _incomplete(a: Any, x: Any, upper: bool) -> Any:
    ns, kind, a, x = xp(a), a.dtype, a.astype(np.float64), x.astype(np.float64)
    with np.errstate(all="ignore"):
        a, x = a + 0 * x, x + 0 * a
        front = ns.exp(a * ns.log(x) - x - _log_gamma(ns, a))
        below = x < a + 1
        lower = front / a * _lower_series(ns, ns.where(below, a, 1.0), ns.where(below, x, 0.0))
        above = front * _upper_fraction(ns, ns.where(below, 1.0, a), ns.where(below, 3.0, x))
        out = ns.where(below, 1 - lower, above) if upper else ns.where(below, lower, 1 - above)
        out = ns.where(x == 0, float(upper), ns.where(x == np.inf, float(not upper), out))
        return ns.where((a <= 0) | (x < 0), np.nan, out).astype(kind)


def _incomplete_cases(s: Any) -> list:
    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), ()), ((0, 3), (3,))]
    return [s.case(s.uniform(0.3, 9, *a), s.uniform(0.2, 12, *b)) for a, b in shapes]


@elementwise(samples=_incomplete_cases, dtypes="float", autocast={"cuda": "float32"})
def gammainc(x, y):
    """Return the lower incomplete gamma function of y with the parameter x, from 0 to 1. No gradient flows to x.

    It is the probability that a gamma variable of this shape is below y.

    >>> gg.gammainc([1.0], [2.0]).round(decimals=4)
    tensor([0.8647])
    """
    return _incomplete(x, y, False)


def _gamma_density(g: Any, x: Any, y: Any) -> Any:
    ns = xp(g)
    return g * ns.exp((x - 1) * ns.log(y) - y - ns.lgamma(x))


gammainc.vjp(y=_gamma_density)


@elementwise(samples=_incomplete_cases, dtypes="float", autocast={"cuda": "float32"})
def gammaincc(x, y):
    """Return 1 - gammainc(x, y), accurate also where that is small. No gradient flows to x.

    >>> gg.gammaincc([1.0], [2.0]).round(decimals=4)
    tensor([0.1353])
    """
    return _incomplete(x, y, True)


gammaincc.vjp(y=lambda g, x, y: -_gamma_density(g, x, y))

gammaln, psi = lgamma, digamma
