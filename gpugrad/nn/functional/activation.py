"""Activations with PyTorch's arguments: those that have `inplace`, and those that are more than an op."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import OPS, Op
from ...autograd.tensor import Tensor
from ...backend.random import default_generator
from ...errors import ShapeError
from ...ops import activation as ops

__all__ = [
    "bilinear", "celu", "elu", "glu", "gumbel_softmax", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "log_softmax", "mish", "prelu", "relu", "relu6", "selu", "silu", "softmax", "softmin", "threshold",
]  # fmt: skip


def _with_inplace(op: Op) -> Callable[..., Tensor]:
    """`op` with one more argument at the end: `inplace=True` writes the result into the input."""
    count = len(op.attributes)

    @wraps(op.forward)
    def function(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) > count:
            args, inplace = args[:-1], args[-1]
        out = op(input, *args, **kwargs)
        return input.copy_(out) if inplace else out

    return function


celu, elu, leaky_relu = (_with_inplace(op) for op in (ops.celu, ops.elu, ops.leaky_relu))
hardsigmoid, hardswish, hardtanh = (_with_inplace(op) for op in (ops.hardsigmoid, ops.hardswish, ops.hardtanh))
mish, relu, relu6 = (_with_inplace(op) for op in (ops.mish, ops.relu, ops.relu6))
selu, silu, threshold = (_with_inplace(op) for op in (ops.selu, ops.silu, ops.threshold))


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


def glu(input: Any, dim: int = -1) -> Tensor:
    """a * sigmoid(b) where a and b are the halves of input along `dim` (Dauphin et al. 2017)."""
    input = asarray(input)
    if input.shape[dim] % 2:
        raise ShapeError(f"glu: axis {dim} of {input.shape} cannot be halved")
    half = input.shape[dim] // 2
    a, b = input.split(half, dim=dim)
    return a * OPS["sigmoid"](b)


def prelu(input: Any, weight: Any) -> Tensor:
    """max(0, input) + weight * min(0, input); weight has one element, or one per channel of (N, C, ...)."""
    input, weight = asarray(input), asarray(weight)
    if weight.ndim == 1 and weight.shape[0] != 1:
        if input.ndim < 2 or input.shape[1] != weight.shape[0]:
            raise ShapeError(f"prelu: weight {weight.shape} must have one element or one per channel of {input.shape}")
        weight = weight.reshape((-1, *(1,) * (input.ndim - 2)))
    return OPS["where"](input > 0, input, weight * input)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """input1 (..., A), input2 (..., B), weight (K, A, B): out[..., k] = input1 weight[k] input2 + bias[k]."""
    from ...ops.einsum import einsum

    out = einsum("...a,kab,...b->...k", input1, weight, input2)
    return out if bias is None else out + bias
