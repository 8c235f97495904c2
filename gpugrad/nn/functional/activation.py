"""Activations with PyTorch's arguments."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature
from typing import Any

from ...autograd.convert import asarray
from ...autograd.op import OPS, Op
from ...autograd.tensor import Tensor
from ...backend.random import default_generator
from ...errors import ShapeError
from ...ops import activation as ops
from ...ops.special import sigmoid as sigmoid_op
from ...ops.transcendental import tanh as tanh_op

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu",
    "selu_", "sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip


def _function_of(op: Op) -> Callable[..., Tensor]:
    """`op` with the name that PyTorch gives its first argument: `input`."""

    @wraps(op.forward)
    def function(input: Any, *args: Any, **kwargs: Any) -> Tensor:
        return op(input, *args, **kwargs)

    return _with_signature(function, op)


def _inplace_function_of(op: Op) -> Callable[..., Tensor]:
    """`_named` with one more argument at the end: `inplace=True` writes the result into the input."""
    count = len(op.attributes)

    @wraps(op.forward)
    def function(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) > count:
            args, inplace = args[:-1], args[-1]
        if not inplace:
            return op(input, *args, **kwargs)
        kept = input.clone() if input.requires_grad else input  # the gradient may need what is written over
        return input.copy_(op(kept, *args, **kwargs))

    return _with_signature(function, op, Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False))


def _with_signature(function: Callable[..., Tensor], op: Op, *more: Parameter) -> Callable[..., Tensor]:
    """`function` with the signature that `help` shows: the op's, its first parameter called `input`, and `more`."""
    first, *rest = op.__signature__.parameters.values()
    vars(function)["__signature__"] = Signature([first.replace(name="input"), *rest, *more])
    return function


gelu, logsigmoid, sigmoid, tanh = (_function_of(op) for op in (ops.gelu, ops.logsigmoid, sigmoid_op, tanh_op))
hardshrink, softshrink, tanhshrink = (_function_of(op) for op in (ops.hardshrink, ops.softshrink, ops.tanhshrink))
softplus, softsign = _function_of(ops.softplus), _function_of(ops.softsign)
celu, elu, leaky_relu = (_inplace_function_of(op) for op in (ops.celu, ops.elu, ops.leaky_relu))
hardsigmoid, hardswish, hardtanh = (_inplace_function_of(op) for op in (ops.hardsigmoid, ops.hardswish, ops.hardtanh))
mish, relu, relu6 = (_inplace_function_of(op) for op in (ops.mish, ops.relu, ops.relu6))
selu, silu, threshold = (_inplace_function_of(op) for op in (ops.selu, ops.silu, ops.threshold))


def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """max(0, input) + a min(0, input); a is drawn evenly from lower to upper for each element in training, else their
    mean (B. Xu et al. 2015)."""
    input = asarray(input)
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = default_generator().numpy.uniform(lower, upper, input.shape).astype(input.dtype)
    kept = input.clone() if inplace and input.requires_grad else input
    out = OPS["where"](kept > 0, kept, kept * asarray(slope, device=input.device))
    return input.copy_(out) if inplace else out


def _always_inplace(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(function)
    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, **kwargs, inplace=True)

    change.__name__ = f"{function.__name__}_"
    change.__doc__ = f"`{function.__name__}`, written into its input."
    return change


celu_, elu_, hardtanh_, leaky_relu_ = (_always_inplace(f) for f in (celu, elu, hardtanh, leaky_relu))
relu_, rrelu_, selu_, threshold_ = (_always_inplace(f) for f in (relu, rrelu, selu, threshold))


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
