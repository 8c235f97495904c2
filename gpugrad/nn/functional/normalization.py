"""Normalisation with PyTorch's arguments."""

import math
from typing import Any

from ...autograd.convert import asarray
from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops.batch_norm import batch_norm as batch_norm_op
from ...ops.batch_norm import channel_affine
from ...ops.layer_norm import layer_norm as layer_norm_op
from ...ops.layer_norm import rms_norm as rms_norm_op
from ...ops.pool import sum_pool

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "normalize", "rms_norm"]


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
    from ...backend.dtypes import finfo

    ndim = _trailing("rms_norm", input, normalized_shape)
    return rms_norm_op(input, weight, ndim=ndim, eps=finfo(input.dtype).eps if eps is None else eps)


def batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """input (N, C, *S) normalised per channel, then * weight + bias (C,).

    In training by the batch's statistics, which also move running_mean and running_var (the unbiased variance) in place
    by `momentum`; otherwise by those two. Raises ShapeError in training for one value per channel.
    """
    input = asarray(input)
    if not training:
        if running_mean is None or running_var is None:
            raise ShapeError("batch_norm: running_mean and running_var are needed unless training")
        rstd = (running_var.to(dtype=input.dtype) + eps) ** -0.5
        scale = rstd if weight is None else rstd * weight
        shift = -running_mean.to(dtype=input.dtype) * scale
        shift = shift if bias is None else shift + bias
        return channel_affine(input, scale, shift)
    count = math.prod(input.shape) // max(input.shape[1], 1)
    if count == 1:
        raise ShapeError(f"batch_norm: training needs more than one value per channel, got input {input.shape}")
    out, mean, var = batch_norm_op(input, weight, bias, eps=eps)
    with no_grad():
        if running_mean is not None:
            running_mean.copy_(running_mean * (1 - momentum) + mean.detach().to(dtype=running_mean.dtype) * momentum)
        if running_var is not None:
            unbiased = var.detach().to(dtype=running_var.dtype) * (count / (count - 1))
            running_var.copy_(running_var * (1 - momentum) + unbiased * momentum)
    return out


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """input (N, C, *S) normalised over each of `num_groups` groups of channels, then * weight + bias (C,).

    Y. Wu and K. He, "Group normalization" (2018)."""
    input = asarray(input)
    if input.ndim < 2 or input.shape[1] % num_groups:
        raise ShapeError(f"group_norm: input {input.shape} has no number of channels that {num_groups} groups divide")
    grouped = input.reshape((input.shape[0], num_groups, math.prod(input.shape[1:]) // num_groups))
    out = layer_norm_op(grouped, None, None, ndim=1, eps=eps).reshape(input.shape)
    return out if weight is None and bias is None else channel_affine(out, weight, bias)


def instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """input (N, C, *S) normalised per sample and channel (Ulyanov et al. 2016); statistics as in `batch_norm`."""
    input = asarray(input)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ShapeError(f"instance_norm: needs more than one value per channel, got input {input.shape}")
    if running_mean is not None and running_var is not None:
        axes = tuple(range(2, input.ndim))
        with no_grad():
            mean = input.mean(axis=axes).mean(axis=0)
            var = input.var(axis=axes, ddof=1).mean(axis=0)
            running_mean.copy_(running_mean * (1 - momentum) + mean * momentum)
            running_var.copy_(running_var * (1 - momentum) + var * momentum)
    return group_norm(input, input.shape[1], weight, bias, eps)


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input (N, C, *S) / (k + alpha * mean of squares of `size` channels around)**beta (Krizhevsky et al. 2012)."""
    input = asarray(input)
    if input.ndim < 3:
        raise ShapeError(f"local_response_norm: expected input (N, C, *S), got {input.shape}")
    squares = (input * input).reshape((input.shape[0], 1, input.shape[1], math.prod(input.shape[2:])))
    window = dict(kernel=(size, 1), stride=(1, 1), padding=((size // 2, (size - 1) // 2), (0, 0)))
    sums = sum_pool(squares, **window).reshape(input.shape)
    return input / (sums * (alpha / size) + k) ** beta


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """input / max(||input||_p, eps), the norm over `dim`."""
    from ...autograd.op import OPS

    length = OPS["vector_norm"](input, ord=p, axis=dim, keepdims=True)
    return input / OPS["maximum"](length, eps)
