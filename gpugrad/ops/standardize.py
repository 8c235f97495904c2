"""Standardizing, which layer norm and batch norm do over different axes, and its gradient.

With xhat = (x - mean) * rstd and h the gradient of xhat, the gradient of x is
rstd * (h - mean(h) - xhat * mean(h * xhat)), with all means over the same axes.
"""

import math
from typing import Any

from ..autograd.op import xp


def mean_over(x: Any, axes: tuple) -> Any:
    """Return the mean over `axes`, which stay; NaN, without a warning, where these have no elements."""
    if math.prod(x.shape):
        return x.mean(axis=axes, keepdims=True)
    return x.sum(axis=axes, keepdims=True) * math.nan


def standardize(x: Any, axes: tuple, eps: float) -> tuple[Any, Any]:
    """Return xhat and rstd over `axes`, in two passes: E[x^2] - E[x]^2 would lose every digit of a small deviation."""
    centred = x - mean_over(x, axes)
    rstd = 1 / xp(x).sqrt(mean_over(centred * centred, axes) + eps)
    return centred * rstd, rstd


def standardize_gradient(h: Any, xhat: Any, rstd: Any, axes: tuple) -> Any:
    """Return the gradient of x, where h is that of xhat."""
    return rstd * (h - mean_over(h, axes) - xhat * mean_over(h * xhat, axes))
