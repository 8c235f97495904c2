"""Normalisation of each channel, with PyTorch's arguments: over the batch (batch norm), or over each sample (instance
norm)."""

import math
from typing import Any

from ...arguments import non_negative, number, positive
from ...autograd.convert import asarray
from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...autograd.versions import all_changed
from ...errors import DeviceError, ShapeError
from ...ops.batch_norm import Running, channel_affine
from ...ops.batch_norm import batch_norm as batch_norm_op
from ...ops.reduce import var
from .layer_norm import group_norm

__all__ = ["batch_norm", "instance_norm"]


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
    """Normalise input (N, C, *S) per channel, then multiply by weight and add bias (C,).

    In training it uses the batch's statistics, which also move running_mean and running_var (the unbiased variance) in
    place by `momentum` unless the batch is empty; otherwise it uses those two. Raises ShapeError in training for one
    value per channel. See S. Ioffe and C. Szegedy 2015, section 3.

    >>> F.batch_norm(gg.tensor([[1.0], [3.0]]), None, None, training=True).round(decimals=3)
    tensor([[-1.],
            [ 1.]])
    """
    input = asarray(input)
    if input.ndim < 2:
        raise ShapeError(f"batch_norm: expected input (N, C, *S), got {input.shape}")
    if not training:
        non_negative("batch_norm", "eps", eps)
        if running_mean is None or running_var is None:
            raise ShapeError("batch_norm: running_mean and running_var are needed unless training")
        rstd = (running_var.to(dtype=input.dtype) + eps) ** -0.5
        scale = rstd if weight is None else rstd * weight
        shift = -running_mean.to(dtype=input.dtype) * scale
        shift = shift if bias is None else shift + bias
        return channel_affine(input, scale, shift)
    return trained(input, running_mean, running_var, None, weight, bias, momentum, eps)


def trained(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    batches: Tensor | None,
    weight: Any,
    bias: Any,
    momentum: float,
    eps: float,
) -> Tensor:
    """Normalise as `batch_norm` does in training, and also count the batch in `batches`, an int64 tensor or None."""
    positive("batch_norm", "eps", eps)
    count = math.prod(input.shape) // max(input.shape[1], 1)
    if count == 1:
        raise ShapeError(f"batch_norm: training needs more than one value per channel, got input {input.shape}")
    number("batch_norm", "momentum", momentum)
    moved = {"running_mean": running_mean, "running_var": running_var, "num_batches_tracked": batches}
    tensors = {name: t for name, t in moved.items() if t is not None}
    for name, t in tensors.items():
        if t is not batches and t.shape != input.shape[1:2]:
            raise ShapeError(f"batch_norm: {name} {t.shape} must have one value per channel of input {input.shape}")
        if t.device is not input.device:
            raise DeviceError(f"batch_norm: {name} is on {t.device}, the input on {input.device}")
    mean, var, counter = [None if t is None else t._array for t in moved.values()]
    running = Running(mean, var, counter, momentum) if tensors else None
    out, _, _ = batch_norm_op(input, weight, bias, eps=eps, running=running)
    if tensors:
        all_changed([t._array for t in tensors.values()], "batch_norm")
    return out


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
    """Normalise input (N, C, *S) per sample and channel; statistics are as in `batch_norm`.

    See D. Ulyanov et al. 2016, section 2.

    >>> F.instance_norm(gg.tensor([[[1.0, 3.0], [0.0, 8.0]]])).round(decimals=3)
    tensor([[[-1.,  1.],
             [-1.,  1.]]])
    """
    input = asarray(input)
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3:
        raise ShapeError(f"instance_norm: expected input (N, C, *S), got {input.shape}")
    if math.prod(input.shape[2:]) == 1:
        raise ShapeError(f"instance_norm: needs more than one value per channel, got input {input.shape}")
    if running_mean is not None and running_var is not None:
        axes = tuple(range(2, input.ndim))
        with no_grad():
            mean = input.mean(axis=axes).mean(axis=0)
            spread = var(input, axis=axes, ddof=1).mean(axis=0)
            running_mean.copy_(running_mean * (1 - momentum) + mean * momentum)
            running_var.copy_(running_var * (1 - momentum) + spread * momentum)
    return group_norm(input, max(input.shape[1], 1), weight, bias, eps)
