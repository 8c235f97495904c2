"""Linear and bilinear maps with PyTorch's arguments."""

from typing import Any

from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops import linear as ops
from ...ops import matmul
from ...ops.creation import zeros
from ...ops.einsum import einsum
from ...ops.join import concatenate, split, stack, unstack
from ...ops.shape import swapaxes

__all__ = ["bilinear", "grouped_mm", "linear"]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return input weight^T + bias: input (..., in), weight (out, in) and bias (out,) give (..., out).

    >>> F.linear(gg.tensor([1.0, 2.0]), gg.tensor([[3.0, 4.0]]), gg.tensor([0.5]))
    tensor([11.5])
    """
    return ops.linear(input, weight, bias)


@governed("plain")
def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """Return out[..., k] = input1 weight[k] input2 + bias[k] of input1 (..., A), input2 (..., B) and weight (K, A, B).

    >>> F.bilinear(gg.ones((2, 3)), gg.ones((2, 4)), gg.ones((1, 3, 4)))
    tensor([[12.],
            [12.]])
    """
    out = einsum("...a,kab,...b->...k", input1, weight, input2)
    return out if bias is None else out + bias


def grouped_mm(mat_a: Any, mat_b: Any, *, offs: Any = None, bias: Any = None, out_dtype: Any = None) -> Tensor:
    """Return the products of G pairs of matrices, such as tokens and the weights of their experts.

    (G, M, K) and (G, K, N) give (G, M, N). Of a 2-d factor, group i is the part from offs[i - 1] to offs[i]: of the
    rows in (T, K), (G, K, N), which give (T, N); of the columns in (G, M, K), (K, T), which give (M, T); of the axis
    that is summed over in (M, T), (T, N), which give (G, M, N). The part beyond the last offset is ignored: its results
    are zeros. offs are integers that rise, read on the host, so a GPU is waited for. out_dtype is the dtype of the
    result. Raises ShapeError for factors that do not fit, OptionError for a bias, which PyTorch refuses as well.

    >>> F.grouped_mm(gg.ones((4, 3)), gg.ones((2, 3, 5)), offs=gg.tensor([1, 4])).shape
    (4, 5)
    """
    a, b = asarray(mat_a), asarray(mat_b)
    ranks = a.ndim, b.ndim
    if bias is not None:
        raise OptionError("grouped_mm: a bias is not supported; add it to the result")
    if not {*ranks} <= {2, 3} or (offs is None) != (ranks == (3, 3)):
        raise ShapeError(
            f"grouped_mm: expected factors of 2 or 3 axes, and offs unless both have 3; got {a.shape} and {b.shape} "
            f"{'without' if offs is None else 'with'} offs"
        )
    if offs is None:
        out = matmul.matmul(a, b)
    else:
        ends = [int(end) for end in asarray(offs).tolist()]
        out = swapaxes(_grouped_mm(b.T, swapaxes(a, 1, 2), ends), 0, 1) if ranks == (3, 2) else _grouped_mm(a, b, ends)
    return out if out_dtype is None else out.astype(out_dtype)


def _grouped_mm(a: Tensor, b: Tensor, ends: list[int]) -> Tensor:
    """Multiply (T, K), (G, K, N) to (T, N) or (M, T), (T, N) to (G, M, N); group i is the part of T that ends at
    ends[i]."""
    both = b.ndim == 2
    length = a.shape[int(both)]
    if [0, *ends, length] != sorted([0, *ends, length]) or not both and len(ends) != b.shape[0]:
        groups = "" if both else f"{b.shape[0]} "
        raise ShapeError(f"grouped_mm: offs must be {groups}numbers that rise from 0 to at most {length}, got {ends}")
    parts = split(a, ends, axis=int(both))[:-1]
    others = split(b, ends)[:-1] if both else unstack(b)
    made = [matmul.matmul(x, y) for x, y in zip(parts, others, strict=True)]
    if both:
        return stack(made)
    rest = (length - ends[-1] if ends else length, b.shape[2])
    return concatenate([*made, zeros(rest, dtype=a.dtype, device=a.device)] if rest[0] else made)
