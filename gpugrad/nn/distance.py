"""Layers that compare vectors."""

from ..autograd.tensor import Tensor
from . import functional as F
from .module import Module


class CosineSimilarity(Module):
    """Computes x1 x2 / (||x1|| ||x2||) along `dim`, with lengths of at least eps.

    >>> nn.CosineSimilarity()(gg.tensor([[1.0, 0.0]]), gg.tensor([[1.0, 1.0]])).round(decimals=4)
    tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """Computes ||x1 - x2 + eps||_p along the last axis: (N, D) and (N, D) give (N,), or (N, 1) with keepdim.

    >>> nn.PairwiseDistance()(gg.tensor([[0.0, 0.0]]), gg.tensor([[3.0, 4.0]])).round(decimals=4)
    tensor([5.])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
