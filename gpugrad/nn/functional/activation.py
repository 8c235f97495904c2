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
from ...ops import elementwise as ops

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu",
    "selu_", "sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip


def _named(op: Op) -> Callable[..., Tensor]:
    """`op` with the name that PyTorch gives its first argument: `input`."""

    @wraps(op.forward)
    def function(input: Any, *args: Any, **kwargs: Any) -> Tensor:
        return op(input, *args, **kwargs)

    return _shown(function, op)


def _with_inplace(op: Op) -> Callable[..., Tensor]:
    """`_named` with one more argument at the end: `inplace=True` writes the result into the input."""
    count = len(op.attributes)

    @wraps(op.forward)
    def function(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) > count:
            args, inplace = args[:-1], args[-1]
        return _written_into(input, op, args, kwargs) if inplace else op(input, *args, **kwargs)

    return _shown(function, op, Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False))


def _always_inplace(op: Op) -> Callable[..., Tensor]:
    """`_named` under the op's name with `_` at the end, which writes the result into the input."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _written_into(input, op, args, kwargs)

    function.__name__ = function.__qualname__ = f"{op.name}_"
    function.__doc__ = f"`{op.name}`, written into its input."
    return _shown(function, op)


def _written_into(input: Tensor, op: Callable[..., Tensor], args: tuple, kwargs: dict) -> Tensor:
    """`op` of the input and the rest, written into the input."""
    kept = input.clone() if input.requires_grad else input  # the gradient may need what is written over
    return input.copy_(op(kept, *args, **kwargs))


def _shown(function: Callable[..., Tensor], op: Op, *more: Parameter) -> Callable[..., Tensor]:
    """`function` with the signature that `help` shows: the op's, its first parameter called `input`, and `more`."""
    first, *rest = op.__signature__.parameters.values()
    vars(function)["__signature__"] = Signature([first.replace(name="input"), *rest, *more])
    return function


gelu, logsigmoid, sigmoid, tanh = (_named(op) for op in (ops.gelu, ops.logsigmoid, ops.sigmoid, ops.tanh))
hardshrink, softshrink, tanhshrink = (_named(op) for op in (ops.hardshrink, ops.softshrink, ops.tanhshrink))
softplus, softsign = _named(ops.softplus), _named(ops.softsign)
celu, elu, leaky_relu = (_with_inplace(op) for op in (ops.celu, ops.elu, ops.leaky_relu))
hardsigmoid, hardswish, hardtanh = (_with_inplace(op) for op in (ops.hardsigmoid, ops.hardswish, ops.hardtanh))
mish, relu, relu6 = (_with_inplace(op) for op in (ops.mish, ops.relu, ops.relu6))
selu, silu, threshold = (_with_inplace(op) for op in (ops.selu, ops.silu, ops.threshold))
celu_, elu_, hardtanh_ = (_always_inplace(op) for op in (ops.celu, ops.elu, ops.hardtanh))
leaky_relu_, relu_ = (_always_inplace(op) for op in (ops.leaky_relu, ops.relu))
selu_, threshold_ = (_always_inplace(op) for op in (ops.selu, ops.threshold))


def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """max(0, input) + a min(0, input); a is drawn evenly from lower to upper for each element in training, else their
    mean (B. Xu et al. 2015)."""
    input = asarray(input)
    if inplace:
        return _written_into(input, rrelu, (lower, upper, training), {})
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slope = default_generator().numpy.uniform(lower, upper, input.shape).astype(input.dtype)
    return OPS["where"](input > 0, input, input * asarray(slope, device=input.device))


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """`rrelu`, written into its input."""
    return rrelu(input, lower, upper, training, inplace=True)


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
