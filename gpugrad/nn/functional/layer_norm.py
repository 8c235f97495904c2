"""Normalisation of each sample by itself, with PyTorch's arguments: over trailing axes, groups of channels, or
neighbouring channels."""

import math
from typing import Any

from ...arguments import non_negative, positive_int
from ...autograd.autocast import in_float32
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
    """Return the number of axes in normalized_shape. Raises ShapeError unless the input ends in them."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(f"{name}: input {input.shape} does not end in normalized_shape {shape}")
    return len(shape)


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Bring the trailing axes `normalized_shape` to mean 0 and variance 1, then multiply by weight and add bias (of
    that shape).

    See J. Ba et al. 2016, section 3.

    >>> F.layer_norm(gg.tensor([[1.0, 3.0], [0.0, 8.0]]), 2).round(decimals=3)
    tensor([[-1.,  1.],
            [-1.,  1.]])
    """
    input = input if isinstance(input, Tensor) else asarray(input)
    return layer_norm_op(input, weight, bias, ndim=_trailing("layer_norm", input, normalized_shape), eps=eps)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """Bring the trailing axes `normalized_shape` to root mean square 1, then multiply by weight. eps is that of the
    dtype unless given.

    See B. Zhang and R. Sennrich 2019, section 4.

    >>> F.rms_norm(gg.tensor([[3.0, 4.0]]), 2).round(decimals=4)
    tensor([[0.8485, 1.1314]])
    """
    input = asarray(input)
    ndim = _trailing("rms_norm", input, normalized_shape)
    return rms_norm_op(input, weight, ndim=ndim, eps=finfo(input.dtype).eps if eps is None else eps)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Normalise input (N, C, *S) over each of `num_groups` groups of channels, then multiply by weight and add bias
    (C,).

    See Y. Wu and K. He 2018, section 3.

    >>> F.group_norm(gg.tensor([[[1.0], [3.0], [0.0], [8.0]]]), 2).flatten().round(decimals=3)
    tensor([-1.,  1., -1.,  1.])
    """
    input = asarray(input)
    positive_int("group_norm", "num_groups", num_groups)
    non_negative("group_norm", "eps", eps)
    if input.ndim < 2 or input.shape[1] % num_groups:
        raise ShapeError(f"group_norm: input {input.shape} has no number of channels that {num_groups} groups divide")
    grouped = input.reshape((input.shape[0], num_groups, math.prod(input.shape[1:]) // num_groups))
    out = layer_norm_op(grouped, None, None, ndim=1, eps=eps).reshape(input.shape)
    return out if weight is None and bias is None else channel_affine(out, weight, bias)


@in_float32
def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Return input (N, C, *S) / (k + alpha * mean of squares of `size` channels around)**beta.

    See A. Krizhevsky et al. 2012, section 3.3.

    >>> F.local_response_norm(gg.ones((1, 2, 3)), size=2, alpha=1.0).round(decimals=4)
    tensor([[[0.7378, 0.7378, 0.7378],
             [0.5946, 0.5946, 0.5946]]])
    """
    input = asarray(input)
    positive_int("local_response_norm", "size", size)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm: expected input (N, C, *S), got {input.shape}")
    if 0 in input.shape:
        return input
    squares = (input * input).reshape((input.shape[0], 1, input.shape[1], math.prod(input.shape[2:])))
    window = dict(kernel=(size, 1), stride=(1, 1), padding=((size // 2, (size - 1) // 2), (0, 0)))
    sums = sum_pool(squares, **window).reshape(input.shape)
    return input / (sums * (alpha / size) + k) ** beta
