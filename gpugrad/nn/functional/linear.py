"""Linear and bilinear maps with PyTorch's arguments."""

from typing import Any

from ...autograd.tensor import Tensor
from ...ops import matmul
from ...ops.einsum import einsum

__all__ = ["bilinear", "linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """input weight^T + bias: input (..., in), weight (out, in), bias (out,) -> (..., out)."""
    return matmul.linear(input, weight, bias)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """input1 (..., A), input2 (..., B), weight (K, A, B): out[..., k] = input1 weight[k] input2 + bias[k]."""
    out = einsum("...a,kab,...b->...k", input1, weight, input2)
    return out if bias is None else out + bias
