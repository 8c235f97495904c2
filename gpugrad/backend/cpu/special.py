"""erfc and erfinv on NumPy arrays, in float64 whatever the input's dtype: nearly full precision, tails included."""

import math

import numpy as np

from . import activation

# erfc(z) = t * exp(-z^2 + series(t)), t = 2 / (2 + z), z >= 0: W. Press et al., Numerical Recipes, 3rd ed., 6.2.2.
_ERFC = (
    -1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3, -9.46595344482036e-4,
    3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5, -1.624290004647e-6, 1.303655835580e-6,
    1.5626441722e-8,
    -8.5238095915e-8, 6.529054439e-9, 5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12,
    -6.886027e-12, 8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15, -9.4e-17, 1.21e-16,
    -2.8e-17,
)  # fmt: skip
_SERIES = (_ERFC[0] / 2, *_ERFC[1:])  # in Chebyshev polynomials of 2 * t - 1

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


def erfc(x: np.ndarray) -> np.ndarray:
    """1 - erf(x)."""
    x64 = x.astype(np.float64)
    z = np.minimum(np.abs(x64), 30.0)  # erfc(30) is 0 in float64
    high = z.astype(np.float32).astype(np.float64)  # its square is exact, so exp(-z^2) keeps its digits
    t = 2 / (2 + z)
    series = np.polynomial.chebyshev.chebval(2 * t - 1, _SERIES)
    with np.errstate(under="ignore"):
        tail = t * np.exp(-high * high) * np.exp((high - z) * (high + z) + series)
    out = np.where(x64 < 0, 2 - tail, tail)
    return np.where(z < 0.5, 1 - activation.erf(x64), out).astype(x.dtype)


def erfinv(x: np.ndarray) -> np.ndarray:
    """The inverse of erf."""
    x64 = x.astype(np.float64)
    size = np.abs(x64)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = x64 / 2 * _ratio(_CENTRE, 0.180625 - x64 * x64 / 4)
        r = np.sqrt(-np.log((1 - size) / 2))
        tail = np.where(r <= 5, _ratio(_NEAR, r - 1.6), _ratio(_FAR, np.minimum(r, 30.0) - 5))
        tail = np.where(size == 1, np.inf, tail)
    quantile = np.where(size <= 0.85, centre, np.copysign(tail, x64))
    out = quantile * math.sqrt(0.5)
    return np.where(size > 1, np.nan, out).astype(x.dtype)


def _ratio(polynomials: tuple, r: np.ndarray) -> np.ndarray:
    above, below = polynomials
    return np.polyval(above, r) / np.polyval(below, r)
