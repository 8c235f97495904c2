"""Softmax and its relatives with PyTorch's arguments."""

from typing import Any

import numpy as np

from ...arguments import positive
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...backend.random import default_generator

__all__ = ["gumbel_softmax", "log_softmax", "masked_softmax", "softmax", "softmin"]


def _default_axis(input: Tensor, dim: int | None) -> int:
    """Return `dim`, or PyTorch's default: the first axis of inputs of 0, 1 or 3 axes, else the second."""
    return (0 if input.ndim in (0, 1, 3) else 1) if dim is None else dim


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return exp(input) normalised along `dim`, computed in `dtype` if that is given.

    >>> F.softmax(gg.tensor([0.0, 0.0, 2.0]), dim=0).round(decimals=4)
    tensor([0.1065, 0.1065, 0.787 ])
    """
    input = asarray(input, dtype)
    return OPS["softmax"](input, axis=_default_axis(input, dim))


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return the logarithm of `softmax`, without overflow.

    >>> F.log_softmax(gg.tensor([0.0, 0.0, 2.0]), dim=0).round(decimals=4)
    tensor([-2.2395, -2.2395, -0.2395])
    """
    input = asarray(input, dtype)
    return OPS["log_softmax"](input, axis=_default_axis(input, dim))


def masked_softmax(input: Any, mask: Any = None, causal: bool = False, scale: float = 1.0) -> Tensor:
    """Return softmax(scale * input + mask) along the last axis of (..., L, S); rows that see nothing give 0.

    mask is broadcast to input: bool (True is visible) or numbers that are added. With causal, row i sees columns 0..i.

    >>> F.masked_softmax(gg.zeros((2, 2)), causal=True)
    tensor([[1. , 0. ],
            [0.5, 0.5]])
    """
    input = asarray(input)
    if isinstance(mask, Tensor) and mask.requires_grad:
        input, mask, scale = input * scale + mask, None, 1.0
    return OPS["masked_softmax"](input, mask, causal=causal, scale=scale)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Return `softmax` of -input.

    >>> F.softmin(gg.tensor([0.0, 0.0, 2.0]), dim=0).round(decimals=4)
    tensor([0.4683, 0.4683, 0.0634])
    """
    return softmax(-asarray(input), dim, dtype=dtype)


def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Return a sample that is nearly one-hot and differentiable; with `hard` it is exactly one-hot in forward.

    See E. Jang et al. 2017, section 2.

    >>> F.gumbel_softmax(gg.zeros((2, 3)), hard=True).sum(axis=-1).round(decimals=4)
    tensor([1., 1.])
    """
    logits = asarray(logits)
    positive("gumbel_softmax", "tau", tau)
    if not logits.ndim:
        return gumbel_softmax(logits.reshape((1,)), tau, hard, eps, dim).reshape(())
    noise = default_generator().numpy.gumbel(size=logits.shape).astype(logits.dtype)
    soft = OPS["softmax"]((logits + asarray(noise, device=logits.device)) / tau, axis=dim)
    if not hard:
        return soft
    best = OPS["argmax"](soft.detach(), axis=dim, keepdims=True)
    ones = asarray(np.ones(best.shape, soft.dtype), device=soft.device)
    return OPS["put_along"](ones, best, axis=dim, shape=soft.shape) - soft.detach() + soft
