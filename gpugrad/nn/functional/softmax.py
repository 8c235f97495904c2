"""Softmax and its relatives with PyTorch's arguments."""

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.random import default_generator

__all__ = ["gumbel_softmax", "log_softmax", "masked_softmax", "softmax", "softmin"]


def _axis(input: Tensor, dim: int | None) -> int:
    """PyTorch's default: the first axis of vectors and of rank 3, else the second."""
    return (0 if input.ndim in (0, 1, 3) else 1) if dim is None else dim


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(input) normalised along `dim`; computed in `dtype` if given."""
    input = asarray(input, dtype)
    return OPS["softmax"](input, axis=_axis(input, dim))


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`."""
    input = asarray(input, dtype)
    return OPS["log_softmax"](input, axis=_axis(input, dim))


def masked_softmax(input: Any, mask: Any = None, causal: bool = False, scale: float = 1.0) -> Tensor:
    """softmax(scale * input + mask) along the last axis, (..., L, S); rows that see nothing give 0.

    mask: broadcast to input; bool (True is visible) or numbers that are added. causal: row i sees columns 0..i.
    """
    input = asarray(input)
    if isinstance(mask, Tensor) and mask.requires_grad:
        input, mask, scale = input * scale + mask, None, 1.0
    return OPS["masked_softmax"](input, mask, causal=causal, scale=scale)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """`softmax` of -input."""
    return softmax(-asarray(input), dim, dtype=dtype)


def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """A sample that is nearly one-hot and differentiable; exactly one-hot forward if `hard` (Jang et al. 2017)."""
    logits = asarray(logits)
    noise = default_generator().numpy.gumbel(size=logits.shape).astype(logits.dtype)
    soft = OPS["softmax"]((logits + asarray(noise, device=logits.device)) / tau, axis=dim)
    if not hard:
        return soft
    best = OPS["argmax"](soft.detach(), axis=dim, keepdims=True)
    ones = asarray(np.ones(best.shape, soft.dtype), device=soft.device)
    return OPS["put_along"](ones, best, axis=dim, shape=soft.shape) - soft.detach() + soft
