"""Standardizing, which layer norm and batch norm do over different axes, and its gradient.

With xhat = (x - mean) * rstd and h the gradient of xhat, the gradient of x is
rstd * (h - mean(h) - xhat * mean(h * xhat)), with all means over the same axes.
"""

from typing import Any

from ..autograd.op import xp


def standardize(x: Any, axes: tuple, eps: float) -> tuple[Any, Any]:
    """Return xhat and rstd over `axes`, in two passes: E[x^2] - E[x]^2 would lose every digit of a small deviation."""
    centred = x - x.mean(axis=axes, keepdims=True)
    rstd = 1 / xp(x).sqrt((centred * centred).mean(axis=axes, keepdims=True) + eps)
    return centred * rstd, rstd


def standardize_gradient(h: Any, xhat: Any, rstd: Any, axes: tuple) -> Any:
    """Return the gradient of x, where h is that of xhat."""
    mean = h.mean(axis=axes, keepdims=True)
    return rstd * (h - mean - xhat * (h * xhat).mean(axis=axes, keepdims=True))
