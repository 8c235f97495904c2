"""Functions that fold batch normalisation into the layer before it, for evaluation: one layer does what the two did."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops.creation import zeros
from ..batch_norm import _BatchNorm
from ..conv import _Convolution
from ..linear import Linear
from ..parameter import Parameter

AnyConv = TypeVar("AnyConv", bound=_Convolution)


def fuse_conv_bn_eval(conv: AnyConv, bn: _BatchNorm, transpose: bool = False) -> AnyConv:
    """Return a new convolution that computes bn(conv(x)). Raises OptionError in training, or if bn has no running
    statistics.

    transpose: conv is transposed; PyTorch does not see that by itself.

    >>> nn.utils.fuse_conv_bn_eval(nn.Conv2d(3, 8, 3).eval(), nn.BatchNorm2d(8).eval())
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
    """
    _check_evaluation("fuse_conv_bn_eval", conv, bn)
    return _fuse_copy(conv, bn, transpose or conv.transposed)


def fuse_linear_bn_eval(linear: Linear, bn: _BatchNorm) -> Linear:
    """Return a new linear layer that computes bn(linear(x)), for a bn of as many features, or of one.

    Raises ShapeError for another number of features, ValueError in training, or if bn has no running statistics.

    >>> nn.utils.fuse_linear_bn_eval(nn.Linear(4, 8).eval(), nn.BatchNorm1d(8).eval())
    Linear(in_features=4, out_features=8, bias=True)
    """
    _check_evaluation("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise ShapeError(
            f"fuse_linear_bn_eval: bn must have {linear.out_features} features, as linear gives, or 1, "
            f"got {bn.num_features}"
        )
    return _fuse_copy(linear, bn, False)


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
    """Return the weight and the bias of both layers together: W s and (b - mean) s + bn_b, s = bn_w / sqrt(var + eps)
    for each output channel.

    conv_w is (out, in / groups, ...), or with transpose (in, out / groups, ...). An argument that is None counts as
    zeros, bn_w as ones. bn_rm and bn_rv are the running mean and variance. The results are new, of the dtypes given,
    and require gradients if conv_w and conv_b did.
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
    """Return `fuse_conv_bn_weights` for linear_w (out, in), which is a convolution of one pixel."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _check_evaluation(name: str, layer: Any, bn: _BatchNorm) -> None:
    """Raise ValueError in training, or if bn has no running statistics."""
    if layer.training or bn.training:
        raise OptionError(f"{name}: both layers must be in evaluation mode: call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise OptionError(f"{name}: bn has no running statistics (track_running_stats=False)")


def _fuse_copy(layer: Any, bn: Any, transpose: bool) -> Any:
    """Return a copy of the layer with the weight and the bias of both layers."""
    made = copy.deepcopy(layer)
    made.weight, made.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return made
