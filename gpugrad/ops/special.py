"""The error function and its relatives, and the sigmoid. Integers give the default float dtype."""

import math
from typing import Any

import numpy as np

from ..autograd.check.samples import unary
from ..autograd.op import xp
from ..autograd.ufunc import elementwise, ufunc
from ..backend import cpu

__all__ = ["erf", "erfc", "erfinv", "sigmoid"]


@ufunc(samples=unary(), dtypes="float")
def erf(x):
    """The error function: 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x."""


erf.vjp(x=lambda g, x: g * xp(g).exp(-x * x) * (2 / math.sqrt(math.pi)))


@ufunc(samples=unary(-3, 6), dtypes="float")
def erfc(x):
    """1 - erf(x), accurate where that is small."""


erfc.vjp(x=lambda g, x: g * xp(g).exp(-x * x) * (-2 / math.sqrt(math.pi)))


@ufunc(samples=unary(-0.95, 0.95), dtypes="float")
def erfinv(x):
    """The inverse of erf: infinite at -1 and 1, NaN beyond."""


erfinv.vjp(x=lambda g, out: g * xp(g).exp(out * out) * (math.sqrt(math.pi) / 2))


def _sigmoid_cases(s: Any) -> list:
    return [*unary(-4, 4)(s), s.case(np.array([-1000.0, 1000.0, -np.inf, np.inf]), smooth=False)]


@elementwise(samples=_sigmoid_cases, dtypes="float")
def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    ns = xp(x)
    return ns.exp(ns.minimum(x, 0)) / (1 + ns.exp(-ns.abs(x)))


sigmoid.vjp(x=lambda g, out: g * (out * (1 - out)))


@sigmoid.path("cpu")
def sigmoid_cpu(x):
    return cpu.activation.sigmoid_forward(x), {}
