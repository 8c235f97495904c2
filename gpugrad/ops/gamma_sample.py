"""Gradients of gamma variables with respect to their shape parameter."""

from typing import Any

import numpy as np

from ..autograd.op import Fixed, op, xp

__all__ = []


def _gamma_cases(s: Any) -> list:
    # Reference: -(dP/da) / (dP/dz), P the incomplete gamma function, to 30 digits
    a, z = np.array([0.5, 1.0, 2.0, 9.0, 40.0]), np.array([0.1, 2.0, 1.5, 12.0, 35.0])
    slopes = [0.5097655670826973, 1.6316914623497007, 0.9366390678772174, 1.1722338430624122, 0.9386210202777746]
    return [s.case(a, z, smooth=False, gradient={"alpha": slopes}), s.case(s(0, 3), s(0, 3), smooth=False)]


@op(samples=_gamma_cases, exact=True)
def gamma_sample(alpha, draws: Fixed):
    """Return `draws`, standard gamma variables of the shape `alpha`, with the gradient that makes them functions of it.

    Where alpha moves, a draw moves such that the probability of what is below it stays: implicit reparametrisation
    (M. Figurnov, S. Mohamed, A. Mnih 2018, "Implicit Reparameterization Gradients", eq. 5).
    """
    return draws.astype(alpha.dtype)


gamma_sample.vjp(alpha=lambda g, alpha, draws: g * xp(g).gamma_slope(alpha, draws))


@op(samples=lambda s: [s.case(s.uniform(0.1, 60, 3, 4), s.uniform(0.1, 60, 3, 4)), s.case(s(0, 3), s(0, 3))])
def gamma_slope(alpha, draws: Fixed):
    """Return the derivative of standard gamma variables with respect to their shape alpha. It has none itself.

    With P(a, z) = z^a exp(-z) / gamma(a + 1) sum_n t_n, t_n = z^n / ((a + 1) ... (a + n)), the common factors of dP/da
    and of the density dP/dz cancel.
    """
    ns, a, z = xp(alpha), alpha.astype(np.float64), draws.astype(np.float64)
    term, total, harmonic = ns.ones_like(a + z), ns.ones_like(a + z), ns.zeros_like(a + z)
    weighted, n = ns.zeros_like(total), 1
    while n < 20_000 and bool((term * (1 + harmonic) > 1e-17 * (total + weighted)).any()):
        term, harmonic = term * (z / (a + n)), harmonic + 1 / (a + n)
        total, weighted, n = total + term, weighted + term * harmonic, n + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = -(z / a) * ((ns.log(z) - ns.digamma(a + 1)) * total - weighted)
    return ns.where(z > 0, slope, 0).astype(alpha.dtype)
