"""Reductions over axes: sums, products, extremes, moments, truth.

`axis` is None (all axes), an int or a tuple of ints; the result is an array, 0-d when nothing is left. A sum, product
or mean takes a `dtype` to compute in; without it, sums and products of integers and bools are int64.
"""

from .extremes import all, amax, amin, any, argmax, argmin, count_nonzero, max, min
from .moments import std, var
from .sums import logsumexp, mean, prod, sum

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min", "prod", "std",
    "sum", "var",
]  # fmt: skip
