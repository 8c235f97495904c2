"""Softmax layers."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from . import functional as F
from .activation import Activation, PlainActivation


class Softmax(Activation):
    """exp(x) / sum exp(x) along `dim`."""

    function = staticmethod(F.softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class Softmin(Activation):
    """softmax(-x) along `dim`."""

    function = staticmethod(F.softmin)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class LogSoftmax(Activation):
    """log(softmax(x)) along `dim`."""

    function = staticmethod(F.log_softmax)

    def __init__(self, dim: int | None = None):
        super().__init__(dim=dim)


class Softmax2d(PlainActivation):
    """Softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(f"Softmax2d: expected input (N, C, H, W) or (C, H, W), got {input.shape}")
        return F.softmax(input, -3)
