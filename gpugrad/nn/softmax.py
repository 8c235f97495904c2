"""Softmax layers."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from . import functional as F
from .activation import Activation, PlainActivation


class Softmax(Activation):
    """Computes exp(x) / sum exp(x) along `dim`.

    >>> nn.Softmax(dim=1)(gg.tensor([[0.0, 0.0], [0.0, 2.0]])).round(decimals=4)
    tensor([[0.5   , 0.5   ],
            [0.1192, 0.8808]])
    """

    function = staticmethod(F.softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class Softmin(Activation):
    """Computes softmax(-x) along `dim`.

    >>> nn.Softmin(dim=1)(gg.tensor([[0.0, 0.0], [0.0, 2.0]])).round(decimals=4)
    tensor([[0.5   , 0.5   ],
            [0.8808, 0.1192]])
    """

    function = staticmethod(F.softmin)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class LogSoftmax(Activation):
    """Computes log(softmax(x)) along `dim` without overflow.

    >>> nn.LogSoftmax(dim=1)(gg.tensor([[0.0, 0.0], [0.0, 2.0]])).round(decimals=4)
    tensor([[-0.6931, -0.6931],
            [-2.1269, -0.1269]])
    """

    function = staticmethod(F.log_softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class Softmax2d(PlainActivation):
    """Computes the softmax over the channels of (N, C, H, W) or (C, H, W).

    >>> nn.Softmax2d()(gg.zeros((1, 4, 1, 2))).tolist()
    [[[[0.25, 0.25]], [[0.25, 0.25]], [[0.25, 0.25]], [[0.25, 0.25]]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d: expected input (N, C, H, W) or (C, H, W), got {input.shape}")
        return F.softmax(input, -3)
