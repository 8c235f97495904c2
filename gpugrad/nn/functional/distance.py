"""Distances between vectors, and vectors scaled to length 1, with PyTorch's arguments."""

from typing import Any

import numpy as np

from ...arguments import non_negative, number
from ...autograd.autocast import governed, in_float32
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import ShapeError

__all__ = ["cosine_similarity", "normalize", "pairwise_distance", "pdist"]


@in_float32
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Return input / max(||input||_p, eps), the norm taken over `dim`.

    >>> F.normalize(gg.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    number("normalize", "p", p)
    non_negative("normalize", "eps", eps)
    length = OPS["vector_norm"](input, ord=p, axis=dim, keepdims=True)
    return input / OPS["maximum"](length, eps)


def _vector_norm(x: Tensor, p: float, axis: int = -1, keepdims: bool = False) -> Tensor:
    """Return the p-norm of x along an axis."""
    return OPS["vector_norm"](x, ord=p, axis=axis, keepdims=keepdims)


@governed({"cuda": "float32"})
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return x1 x2 / (max(||x1||, eps) max(||x2||, eps)) along `dim` of inputs that are broadcast to each other.

    The gradient of a length passes as if it were not cut off at eps, as in PyTorch.

    >>> F.cosine_similarity(gg.tensor([[1.0, 0.0]]), gg.tensor([[1.0, 1.0]])).round(decimals=4)
    tensor([0.7071])
    """
    non_negative("cosine_similarity", "eps", eps)
    x1, x2 = asarray(x1), asarray(x2)
    shape = np.broadcast_shapes(x1.shape, x2.shape)
    x1, x2 = (t if t.shape == shape else OPS["broadcast_to"](t, shape=shape) for t in (x1, x2))
    lengths = [_vector_norm(t, 2, dim, True) for t in (x1, x2)]
    first, second = (n + (OPS["maximum"](n.detach(), eps) - n.detach()) for n in lengths)
    return ((x1 / first) * (x2 / second)).sum(axis=dim)


@governed({"cuda": "float32"})
def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return ||x1 - x2 + eps||_p along the last axis: (N, D) and (N, D) give (N,), or (N, 1) with keepdim.

    >>> F.pairwise_distance(gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]])).round(decimals=4)
    tensor([5.])
    """
    number("pairwise_distance", "p", p)
    number("pairwise_distance", "eps", eps)
    return _vector_norm(asarray(x1) - x2 + eps, p, keepdims=keepdim)


@governed("float32")
def pdist(input: Any, p: float = 2.0) -> Tensor:
    """Return ||x_i - x_j||_p of all pairs i < j of rows of input (N, D): (N (N - 1) / 2,), in the order of i, then j.

    Raises ShapeError unless input is 2-d and p not negative.

    >>> F.pdist(gg.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])).round(decimals=4)
    tensor([5.    , 1.    , 4.2426])
    """
    x = asarray(input)
    if x.ndim != 2 or number("pdist", "p", p) < 0:
        raise ShapeError(f"pdist: expected input (N, D) and p >= 0, got {x.shape} and p={p}")
    first, second = (asarray(i, device=x.device) for i in np.triu_indices(x.shape[0], 1))
    return _vector_norm(OPS["take"](x, first, axis=0) - OPS["take"](x, second, axis=0), p)
