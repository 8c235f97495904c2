"""Dropout layers, which act in training mode only.

`inplace` is accepted because PyTorch has it; results are always new tensors.
"""

from typing import Any

from ..autograd.tensor import Tensor
from ..errors import OptionError
from . import functional as F
from .module import Module


class _Dropout(Module):
    """Calls `function` with the probability `p` while the layer is in training mode."""

    function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise OptionError(f"{type(self).__name__}: p must be between 0 and 1, got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zeroes each value with probability p and multiplies the others by 1 / (1 - p).

    See N. Srivastava et al. 2014, section 4.

    >>> nn.Dropout(p=0.5).eval()(gg.ones((2, 3))).sum().item()
    6.0
    """

    function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Zeroes whole channels of (N, C, L) with probability p and scales the others.

    See J. Tompson et al. 2015, section 3.2.

    >>> nn.Dropout1d(p=1.0)(gg.ones((1, 2, 3))).sum().item()
    0.0
    """

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Zeroes whole channels of (N, C, H, W) with probability p and scales the others.

    See J. Tompson et al. 2015, section 3.2.

    >>> nn.Dropout2d(p=1.0)(gg.ones((1, 2, 3, 3))).sum().item()
    0.0
    """

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Zeroes whole channels of (N, C, D, H, W) with probability p and scales the others.

    See J. Tompson et al. 2015, section 3.2.

    >>> nn.Dropout3d(p=1.0)(gg.ones((1, 2, 3, 3, 3))).sum().item()
    0.0
    """

    function = staticmethod(F.dropout3d)


class StochasticDepth(Module):
    """Zeroes what a residual branch computed, (N, ...), with probability p: for each sample by itself with mode "row",
    for the whole batch with "batch"; else it is multiplied by 1 / (1 - p). Names are torchvision's.

    See G. Huang et al. 2016, section 3.

    >>> nn.StochasticDepth(p=0.2, mode="row").eval()(gg.ones((2, 3))).sum().item()
    6.0
    """

    def __init__(self, p: float, mode: str):
        super().__init__()
        if not 0 <= p <= 1:
            raise OptionError(f"StochasticDepth: p must be between 0 and 1, got {p}")
        if mode not in ("row", "batch"):
            raise OptionError(f"StochasticDepth: mode must be 'row' or 'batch', got {mode!r}")
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return F.stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"


class AlphaDropout(_Dropout):
    """Drops values so that the mean and the variance of what SELU made stay as they are.

    See G. Klambauer et al. 2017, section 2.

    >>> nn.AlphaDropout(p=0.2).eval()(gg.ones(3))
    tensor([1., 1., 1.])
    """

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """Drops whole channels of (N, C, *S) in the way of `AlphaDropout`.

    >>> nn.FeatureAlphaDropout(p=0.2).eval()(gg.ones((1, 2, 2))).shape
    (1, 2, 2)
    """

    function = staticmethod(F.feature_alpha_dropout)
