"""Activations with PyTorch's arguments."""

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, cleandoc
from typing import Any

from ...arguments import ordered
from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS, Op
from ...autograd.tensor import Tensor
from ...backend.random import default_generator
from ...errors import DTypeError, ShapeError
from ...ops import elementwise as ops
from ...ops.shape import axis_of

__all__ = [
    "celu", "celu_", "elu", "elu_", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "hardtanh_",
    "leaky_relu", "leaky_relu_", "logsigmoid", "mish", "prelu", "relu", "relu6", "relu_", "rrelu", "rrelu_", "selu",
    "selu_", "sigmoid", "silu", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "threshold", "threshold_",
]  # fmt: skip


def _with_signature(function: Callable[..., Tensor], op: Op, *more: Parameter) -> Callable[..., Tensor]:
    """Return `function` with the signature that `help` shows: the op's, with `input` as the first name, and `more`."""
    first, *rest = op.__signature__.parameters.values()
    vars(function)["__signature__"] = Signature([first.replace(name="input"), *rest, *more])
    return function


def _with_example(function: Callable[..., Tensor], op: Op, values: str, arguments: str) -> None:
    """Give `function` the text of the op, and an example that shows the `values` at -1, 0 and 2.

    The example gives the function the further `arguments`.
    """
    text = cleandoc(op.forward.__doc__ or "").partition(">>>")[0].rstrip()
    call = f"F.{function.__name__}(gg.tensor([-1.0, 0.0, 2.0]){arguments}).round(decimals=4)"
    function.__doc__ = f"{text}\n\n>>> {call}\ntensor({values})"
    function.__module__ = __name__


def _function_of(op: Op, values: str, arguments: str = "") -> Callable[..., Tensor]:
    """Return `op` as a function whose first argument has the name that PyTorch gives it: `input`."""

    @wraps(op.forward)
    def function(input: Any, *args: Any, **kwargs: Any) -> Tensor:
        return op(input, *args, **kwargs)

    _with_example(function, op, values, arguments)
    return _with_signature(function, op)


def _inplace_function_of(op: Op, values: str, arguments: str = "") -> Callable[..., Tensor]:
    """Return `op` as by `_function_of`, with one more argument at the end: `inplace` writes the result into `input`."""
    count = len(op.attributes)

    @wraps(op.forward)
    def function(input: Any, *args: Any, inplace: bool = False, **kwargs: Any) -> Tensor:
        if len(args) > count:
            args, inplace = args[:-1], args[-1]
        return _written_into(input, op, args, kwargs) if inplace else op(input, *args, **kwargs)

    _with_example(function, op, values, arguments)
    return _with_signature(function, op, Parameter("inplace", Parameter.POSITIONAL_OR_KEYWORD, default=False))


def _always_inplace(op: Op, arguments: str = "") -> Callable[..., Tensor]:
    """Return `op` as a function that writes the result into `input`; the example gives it the further `arguments`."""

    def function(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _written_into(input, op, args, kwargs)

    name = function.__name__ = function.__qualname__ = f"{op.name}_"
    function.__doc__ = (
        f"Compute `{op.name}` in place: overwrite `input` with the result, and return it.\n\n"
        f">>> x = gg.tensor([-1.0, 0.0, 2.0])\n>>> F.{name}(x{arguments}) is x\nTrue"
    )
    return _with_signature(function, op)


def _written_into(input: Tensor, op: Callable[..., Tensor], args: tuple, kwargs: dict) -> Tensor:
    """Overwrite `input` with `op` of it and the other arguments, and return it."""
    if not isinstance(input, Tensor):
        raise DTypeError(f"{op.__name__}: only a Tensor can be overwritten in place, got {type(input).__name__}")
    kept = input.clone() if input.requires_grad else input  # the gradient may need what is written over
    return input.copy_(op(kept, *args, **kwargs))


gelu = _function_of(ops.gelu, "[-0.1587,  0.    ,  1.9545]")
hardshrink = _function_of(ops.hardshrink, "[-1.,  0.,  2.]")
logsigmoid = _function_of(ops.logsigmoid, "[-1.3133, -0.6931, -0.1269]")
sigmoid = _function_of(ops.sigmoid, "[0.2689, 0.5   , 0.8808]")
softplus = _function_of(ops.softplus, "[0.3133, 0.6931, 2.1269]")
softshrink = _function_of(ops.softshrink, "[-0.5,  0. ,  1.5]")
softsign = _function_of(ops.softsign, "[-0.5   ,  0.    ,  0.6667]")
tanh = _function_of(ops.tanh, "[-0.7616,  0.    ,  0.964 ]")
tanhshrink = _function_of(ops.tanhshrink, "[-0.2384,  0.    ,  1.036 ]")
celu = _inplace_function_of(ops.celu, "[-0.6321,  0.    ,  2.    ]")
elu = _inplace_function_of(ops.elu, "[-0.6321,  0.    ,  2.    ]")
hardsigmoid = _inplace_function_of(ops.hardsigmoid, "[0.3333, 0.5   , 0.8333]")
hardswish = _inplace_function_of(ops.hardswish, "[-0.3333,  0.    ,  1.6667]")
hardtanh = _inplace_function_of(ops.hardtanh, "[-1.,  0.,  1.]")
leaky_relu = _inplace_function_of(ops.leaky_relu, "[-0.01,  0.  ,  2.  ]")
mish = _inplace_function_of(ops.mish, "[-0.3034,  0.    ,  1.944 ]")
relu = _inplace_function_of(ops.relu, "[0., 0., 2.]")
relu6 = _inplace_function_of(ops.relu6, "[0., 0., 2.]")
selu = _inplace_function_of(ops.selu, "[-1.1113,  0.    ,  2.1014]")
silu = _inplace_function_of(ops.silu, "[-0.2689,  0.    ,  1.7616]")
threshold = _inplace_function_of(ops.threshold, "[-1., -1.,  2.]", ", 0.5, -1.0")
celu_, elu_, hardtanh_ = (_always_inplace(op) for op in (ops.celu, ops.elu, ops.hardtanh))
leaky_relu_, relu_, selu_ = (_always_inplace(op) for op in (ops.leaky_relu, ops.relu, ops.selu))
threshold_ = _always_inplace(ops.threshold, ", 0.5, -1.0")


def rrelu(
    input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Compute max(0, input) + a min(0, input) with a drawn evenly from lower to upper for each element in training;
    otherwise a is their mean.

    See B. Xu et al. 2015, section 2.4.

    >>> F.rrelu(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.2292,  0.    ,  2.    ])
    """
    input = asarray(input)
    ordered("rrelu", "lower", lower, "upper", upper)
    if inplace:
        return _written_into(input, rrelu, (lower, upper, training), {})
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slope = default_generator().numpy.uniform(lower, upper, input.shape).astype(input.dtype)
    return OPS["where"](input > 0, input, input * asarray(slope, device=input.device))


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """Compute `rrelu` in place: overwrite `input` with the result, and return it.

    >>> x = gg.tensor([-1.0, 0.0, 2.0])
    >>> F.rrelu_(x) is x
    True
    """
    return rrelu(input, lower, upper, training, inplace=True)


def glu(input: Any, dim: int = -1) -> Tensor:
    """Compute a * sigmoid(b), a and b being the halves of input along `dim` (Y. Dauphin et al. 2017, section 2).

    >>> F.glu(gg.tensor([[1.0, 2.0, 0.0, 0.0]]))
    tensor([[0.5, 1. ]])
    """
    input = asarray(input)
    length = input.shape[axis_of("glu", input, dim)]
    if length % 2:
        raise ShapeError(f"glu: axis {dim} of {input.shape} cannot be halved")
    a, b = input.split([length // 2, length // 2], dim=dim)
    return a * OPS["sigmoid"](b)


@governed("low")
def prelu(input: Any, weight: Any) -> Tensor:
    """Compute max(0, input) + weight * min(0, input); weight has one element, or one per channel of (N, C, ...).

    See K. He et al. 2015, section 2.1.

    >>> F.prelu(gg.tensor([-1.0, 0.0, 2.0]), gg.tensor([0.5]))
    tensor([-0.5,  0. ,  2. ])
    """
    input, weight = asarray(input), asarray(weight)
    if weight.ndim == 1 and weight.shape[0] != 1:
        if input.ndim < 2 or input.shape[1] != weight.shape[0]:
            raise ShapeError(f"prelu: weight {weight.shape} must have one element or one per channel of {input.shape}")
        weight = weight.reshape((-1, *(1,) * (input.ndim - 2)))
    elif weight.ndim == 1:
        weight = weight.reshape(())
    return OPS["where"](input > 0, input, weight * input)
