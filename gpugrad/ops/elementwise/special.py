"""The error function and its relatives, and the sigmoid. Integers give the default float dtype.

erf(x) is tanh(x * R(x^2)): atanh(erf(x)) / x is a smooth, even function, so a rational R of low degree gives it to full
precision, and NumPy's tanh is vectorised. A relative error of the argument never grows in tanh. R was fitted (weighted
minimax) up to |x| = 4 in float32 and 6 in float64; beyond, erf is 1 to the last digit and R is held at its end value.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.check.samples import unary
from ...autograd.op import xp
from ...autograd.ufunc import elementwise

__all__ = ["erf", "erfc", "erfinv", "sigmoid"]

# fmt: off
# erf(x) = tanh(x * P(u) / Q(u)), u = min(x^2, cap): cap, then P and Q from the constant term up.
ERF = {
    np.dtype(np.float32): (16.0, np.array([
        [1.12837917, 0.27980759, 0.0426470709, 0.00217833734],
        [1.0, 0.156893252, 0.0236903218, 0.000324936322],
    ], np.float32)),
    np.dtype(np.float64): (36.0, np.array([
        [
            1.1283791670955123, 0.48746939856161542, 0.13726364097982757, 0.023980235424126181,
            0.0030184728565072079, 0.00025656406061338218, 1.4566112761517924e-05, 4.3401406753642209e-07,
            2.6967236604462535e-09,
        ],
        [
            1.0, 0.3409286580944918, 0.090780398003651563, 0.013569854477992667, 0.0015770637576793354,
            0.00011114219010389174, 5.4170085554084577e-06, 8.8270466323758669e-08, 1.4340836573386808e-10,
        ],
    ])),
}
# fmt: on

# erfc(z) = t * exp(-z^2 + series(t)), t = 2 / (2 + z), z >= 0: W. Press et al., Numerical Recipes, 3rd ed., 6.2.2.
_ERFC = (
    -1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3, -9.46595344482036e-4,
    3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5, -1.624290004647e-6, 1.303655835580e-6,
    1.5626441722e-8,
    -8.5238095915e-8, 6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12,
    -6.886027e-12, 8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15, -9.4e-17, 1.21e-16,
    -2.8e-17,
)  # fmt: skip
ERFC_SERIES = (_ERFC[0] / 2, *_ERFC[1:])  # in Chebyshev polynomials of 2 * t - 1

# The normal quantile function, M. J. Wichura, algorithm AS 241 (PPND16): numerators, denominators, high powers first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_NEAR = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def polynomial(coefficients: Any, x: Any) -> Any:
    """Return the polynomial with these coefficients, high powers first (Horner's scheme)."""
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def ratio(polynomials: Sequence, x: Any) -> Any:
    """Return the quotient of two polynomials."""
    numerator, denominator = polynomials
    return polynomial(numerator, x) / polynomial(denominator, x)


def chebyshev(coefficients: Any, x: Any) -> Any:
    """Return the series of Chebyshev polynomials with these coefficients (Clenshaw's scheme)."""
    b0, b1, twice = coefficients[-2], coefficients[-1], 2 * x
    for coefficient in coefficients[-3::-1]:
        b0, b1 = coefficient - b1, b0 + b1 * twice
    return b0 + b1 * x


@elementwise(samples=unary(), dtypes="float", inplace=True)
def erf(x):
    """Return the error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    >>> gg.erf([0.0, 1.0]).round(decimals=4)
    tensor([0.    , 0.8427])
    """
    cap, rational = ERF[x.dtype]
    return xp(x).tanh(x * ratio([row[::-1] for row in rational.tolist()], xp(x).minimum(x * x, cap)))


erf.vjp(x=lambda g, x: g * xp(g).exp(-x * x) * (2 / math.sqrt(math.pi)))


@elementwise(samples=unary(-3, 6), dtypes="float")
def erfc(x):
    """Return 1 - erf(x), accurate also if that is small.

    >>> gg.erfc([0.0, 1.0]).round(decimals=4)
    tensor([1.    , 0.1573])
    """
    ns, wide = xp(x), x.astype(np.float64)
    z = ns.minimum(abs(wide), 30.0)  # erfc(30) is 0 in float64
    high = z.astype(np.float32).astype(np.float64)  # its square is exact, so exp(-z^2) keeps its digits
    t = 2 / (2 + z)
    with np.errstate(under="ignore"):
        tail = t * ns.exp(-high * high) * ns.exp((high - z) * (high + z) + chebyshev(ERFC_SERIES, 2 * t - 1))
    out = ns.where(wide < 0, 2 - tail, tail)
    return ns.where(z < 0.5, 1 - ns.erf(wide), out).astype(x.dtype)


erfc.vjp(x=lambda g, x: g * xp(g).exp(-x * x) * (-2 / math.sqrt(math.pi)))


def normal_quantile(p: Any, upper: Any = None) -> Any:
    """Return the x below which a standard normal variable lies with the probabilities p, float64 numbers.

    upper: 1 - p, where it is known better than that.
    """
    ns = xp(p)
    upper = 1 - p if upper is None else upper
    with np.errstate(divide="ignore", invalid="ignore"):
        q = (p - upper) / 2
        least = ns.minimum(p, upper)
        r = ns.sqrt(-ns.log(least))
        tail = ns.where(r <= 5, ratio(_NEAR, r - 1.6), ratio(_FAR, ns.minimum(r, 30.0) - 5))
        tail = ns.where(least == 0, np.inf, tail)
        out = ns.where(ns.abs(q) <= 0.425, q * ratio(_CENTRE, 0.180625 - q * q), ns.copysign(tail, q))
    return ns.where(least < 0, np.nan, out)


@elementwise(samples=unary(-0.95, 0.95), dtypes="float", autocast={"cuda": "float32"})
def erfinv(x):
    """Return the inverse of erf: infinite at -1 and 1, NaN beyond.

    >>> gg.erfinv([0.0, 0.5]).round(decimals=4)
    tensor([0.    , 0.4769])
    """
    wide = x.astype(np.float64)
    return (normal_quantile((1 + wide) / 2, (1 - wide) / 2) * math.sqrt(0.5)).astype(x.dtype)


erfinv.vjp(x=lambda g, out: g * xp(g).exp(out * out) * (math.sqrt(math.pi) / 2))


def _sigmoid_cases(s: Any) -> list:
    return [*unary(-4, 4)(s), s.case(np.array([-1000.0, 1000.0, -np.inf, np.inf]), smooth=False)]


@elementwise(samples=_sigmoid_cases, dtypes="float", inplace=True, complex="holomorphic")
def sigmoid(x):
    """Return 1 / (1 + exp(-x)), without overflow.

    >>> gg.sigmoid([0.0, 2.0]).round(decimals=4)
    tensor([0.5   , 0.8808])
    """
    ns = xp(x)
    if x.dtype.kind == "c":
        return 1 / (1 + ns.exp(-x))
    return ns.exp(ns.minimum(x, 0)) / (1 + ns.exp(-ns.abs(x)))


sigmoid.vjp(x=lambda g, out: g * (out * (1 - out)))
