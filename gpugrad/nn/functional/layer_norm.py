"""Normalisation of each sample by itself: over trailing axes, groups of channels, neighbouring channels."""

import math
from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...backend.dtypes import finfo
from ...errors import ShapeError
from ...ops.batch_norm import channel_affine
from ...ops.layer_norm import layer_norm as layer_norm_op
from ...ops.layer_norm import rms_norm as rms_norm_op
from ...ops.pool import sum_pool

__all__ = ["group_norm", "layer_norm", "local_response_norm", "rms_norm"]


def _trailing(name: str, input: Any, normalized_shape: Any) -> int:
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(f"{name}: input {input.shape} does not end in normalized_shape {shape}")
    return len(shape)


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Zero mean and unit variance over the trailing axes `normalized_shape`, then * weight + bias (of that shape)."""
    return layer_norm_op(input, weight, bias, ndim=_trailing("layer_norm", input, normalized_shape), eps=eps)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """Unit root mean square over the trailing axes `normalized_shape`, then * weight. eps: the dtype's unless given."""
    ndim = _trailing("rms_norm", input, normalized_shape)
    return rms_norm_op(input, weight, ndim=ndim, eps=finfo(input.dtype).eps if eps is None else eps)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """input (N, C, *S) normalised over each of `num_groups` groups of channels, then * weight + bias (C,).

    Y. Wu and K. He, "Group normalization" (2018)."""
    input = asarray(input)
    if input.ndim < 2 or input.shape[1] % num_groups:
        raise ShapeError(f"group_norm: input {input.shape} has no number of channels that {num_groups} groups divide")
    grouped = input.reshape((input.shape[0], num_groups, math.prod(input.shape[1:]) // num_groups))
    out = layer_norm_op(grouped, None, None, ndim=1, eps=eps).reshape(input.shape)
    return out if weight is None and bias is None else channel_affine(out, weight, bias)


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input (N, C, *S) / (k + alpha * mean of squares of `size` channels around)**beta (Krizhevsky et al. 2012)."""
    input = asarray(input)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm: expected input (N, C, *S), got {input.shape}")
    squares = (input * input).reshape((input.shape[0], 1, input.shape[1], math.prod(input.shape[2:])))
    window = dict(kernel=(size, 1), stride=(1, 1), padding=((size // 2, (size - 1) // 2), (0, 0)))
    sums = sum_pool(squares, **window).reshape(input.shape)
    return input / (sums * (alpha / size) + k) ** beta
