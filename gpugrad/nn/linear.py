"""Linear and bilinear layers, and the identity."""

from collections.abc import Callable
from typing import Any

from ..autograd.tensor import Tensor
from ..ops.linear import linear_relu
from . import functional as F
from . import init
from .activation import ReLU
from .module import Module
from .parameter import empty


class Identity(Module):
    """Returns its input; it takes and ignores any arguments.

    >>> nn.Identity()(gg.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """Computes x W^T + b, which maps (..., in_features) to (..., out_features).

    Its parameters are weight (out_features, in_features) and bias (out_features,) or None.

    >>> nn.Linear(4, 3)(gg.ones((2, 4))).shape
    (2, 3)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = empty((out_features, in_features), device, dtype)
        self.register_parameter("bias", empty((out_features,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new start values, uniform within 1 / sqrt(in_features)."""
        init.uniform_fan_in_(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def _joined_with(self, after: Module) -> Callable | None:
        return self._with_relu if self._is_plain(Linear) and after._is_plain(ReLU) else None

    def _with_relu(self, input: Tensor) -> Tensor:
        return linear_relu(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """Computes x1^T W_k x2 + b_k, which maps (..., in1_features) and (..., in2_features) to (..., out_features).

    Its parameters are weight (out_features, in1_features, in2_features) and bias (out_features,) or None.

    >>> nn.Bilinear(4, 5, 3)(gg.ones((2, 4)), gg.ones((2, 5))).shape
    (2, 3)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = empty((out_features, in1_features, in2_features), device, dtype)
        self.register_parameter("bias", empty((out_features,), device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new start values, uniform within 1 / sqrt(in1_features)."""
        bound = self.in1_features**-0.5
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
