"""Batch normalisation folded into the layer before it, for evaluation: one layer that gives what the two gave."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops.creation import zeros
from ..batch_norm import _BatchNorm
from ..conv import _Convolution
from ..linear import Linear
from ..parameter import Parameter

AnyConv = TypeVar("AnyConv", bound=_Convolution)


def fuse_conv_bn_eval(conv: AnyConv, bn: _BatchNorm, transpose: bool = False) -> AnyConv:
    """A new convolution that gives bn(conv(x)). Raises ValueError in training, or if bn has no running statistics.

    transpose: conv is transposed; PyTorch does not see that by itself.
    """
    _check("fuse_conv_bn_eval", conv, bn)
    return _fused(conv, bn, transpose or conv.transposed)


def fuse_linear_bn_eval(linear: Linear, bn: _BatchNorm) -> Linear:
    """A new linear layer that gives bn(linear(x)), for a bn of as many features, or of one.

    Raises ShapeError for another number of features, ValueError in training, or if bn has no running statistics.
    """
    _check("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise ShapeError(
            f"fuse_linear_bn_eval: bn must have {linear.out_features} features, as linear gives, or 1, "
            f"got {bn.num_features}"
        )
    return _fused(linear, bn, False)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and the bias of both: W s and (b - mean) s + bn_b, s = bn_w / sqrt(var + eps) for each output channel.

    conv_w: (out, in / groups, ...), or with transpose (in, out / groups, ...). What is None counts as zeros, bn_w as
    ones. bn_rm, bn_rv: the running mean and variance. The results are new, of the dtypes given, and require gradients
    where conv_w and conv_b did.
    """
    with no_grad():
        scale = (bn_rv + bn_eps) ** -0.5
        scale = scale if bn_w is None else scale * bn_w
        outputs = bn_rm.shape[0] if transpose else conv_w.shape[0]
        bias = zeros((outputs,), dtype=conv_w.dtype, device=conv_w.device) if conv_b is None else conv_b
        shift = (bias - bn_rm) * scale
        shift = shift if bn_b is None else shift + bn_b
        rest = (1,) * (conv_w.ndim - 2)
        if transpose:
            groups = outputs // conv_w.shape[1]
            by_group = conv_w.reshape((groups, conv_w.shape[0] // groups, *conv_w.shape[1:]))
            weight = (by_group * scale.reshape((groups, 1, conv_w.shape[1], *rest))).reshape(conv_w.shape)
        else:
            weight = conv_w * scale.reshape((-1, 1, *rest))
        made = weight.astype(conv_w.dtype), shift.astype(bias.dtype)
    return Parameter(made[0], conv_w.requires_grad), Parameter(made[1], bias.requires_grad)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """`fuse_conv_bn_weights` for linear_w (out, in), a convolution of one pixel."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _check(name: str, layer: Any, bn: _BatchNorm) -> None:
    if layer.training or bn.training:
        raise ValueError(f"{name}: both layers must be in evaluation mode: call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError(f"{name}: bn has no running statistics (track_running_stats=False)")


def _fused(layer: Any, bn: Any, transpose: bool) -> Any:
    made = copy.deepcopy(layer)
    made.weight, made.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return made
