"""Activation layers: each calls the function of its name with the options it was made with."""

from typing import Any

from ..autograd.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class Activation(Module):
    """`function(input, **options)`; the options are attributes too."""

    function: Any

    def __init__(self, *, inplace: bool = False, **options: Any):
        super().__init__()
        self.inplace, self._options = inplace, tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def forward(self, input: Tensor) -> Tensor:
        if not self._options:
            return self.function(input)
        return self.function(input, **{name: getattr(self, name) for name in self._options})

    def extra_repr(self) -> str:
        shown = (*self._options, "inplace") if self.inplace else self._options
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)


class PlainActivation(Activation):
    """An activation without options."""

    def __init__(self) -> None:
        super().__init__()


class _MaybeInplace(Activation):
    """An activation whose only option is `inplace`."""

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)


class _Hard(_MaybeInplace):
    """One that does not show it, as in PyTorch."""

    def extra_repr(self) -> str:
        return ""


class _Shrink(Activation):
    """An activation that is 0 for |x| <= lambd."""

    def __init__(self, lambd: float = 0.5):
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class ReLU(_MaybeInplace):
    """max(0, x)."""

    function = staticmethod(F.relu)


class ReLU6(_MaybeInplace):
    """min(max(0, x), 6)."""

    function = staticmethod(F.relu6)


class SiLU(_MaybeInplace):
    """x sigmoid(x)."""

    function = staticmethod(F.silu)


class Mish(_MaybeInplace):
    """x tanh(softplus(x))."""

    function = staticmethod(F.mish)


class SELU(_MaybeInplace):
    """Scaled ELU with self-normalising constants (Klambauer et al. 2017)."""

    function = staticmethod(F.selu)


class Hardswish(_Hard):
    """x relu6(x + 3) / 6."""

    function = staticmethod(F.hardswish)


class Hardsigmoid(_Hard):
    """relu6(x + 3) / 6."""

    function = staticmethod(F.hardsigmoid)


class Sigmoid(PlainActivation):
    """1 / (1 + exp(-x))."""

    function = staticmethod(F.sigmoid)


class Tanh(PlainActivation):
    """tanh(x)."""

    function = staticmethod(F.tanh)


class LogSigmoid(PlainActivation):
    """log(sigmoid(x))."""

    function = staticmethod(F.logsigmoid)


class Softsign(PlainActivation):
    """x / (1 + |x|)."""

    function = staticmethod(F.softsign)


class Tanhshrink(PlainActivation):
    """x - tanh(x)."""

    function = staticmethod(F.tanhshrink)


class GELU(Activation):
    """x Phi(x), Phi the normal distribution; approximate="tanh": its tanh form."""

    function = staticmethod(F.gelu)

    def __init__(self, approximate: str = "none"):
        super().__init__(approximate=approximate)


class LeakyReLU(Activation):
    """max(0, x) + negative_slope min(0, x)."""

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class ELU(Activation):
    """x for x > 0, alpha (exp(x) - 1) below."""

    function = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)


class CELU(Activation):
    """x for x > 0, alpha (exp(x / alpha) - 1) below."""

    function = staticmethod(F.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)


class Softplus(Activation):
    """log(1 + exp(beta x)) / beta; x itself where beta x > threshold."""

    function = staticmethod(F.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__(beta=beta, threshold=threshold)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd, and 0 between."""

    function = staticmethod(F.softshrink)


class Hardshrink(_Shrink):
    """x where |x| > lambd, else 0."""

    function = staticmethod(F.hardshrink)


class Hardtanh(Activation):
    """x limited to [min_val, max_val]."""

    function = staticmethod(F.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class Threshold(Activation):
    """x where x > threshold, else value."""

    function = staticmethod(F.threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__(threshold=threshold, value=value, inplace=inplace)


class GLU(Activation):
    """The first half along `dim` times the sigmoid of the second."""

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1):
        super().__init__(dim=dim)


class PReLU(Module):
    """max(0, x) + weight min(0, x), with one learned slope or one per channel (axis 1)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = empty((num_parameters,), device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set all slopes to the start value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Activation):
    """max(0, x) + a min(0, x), a drawn from lower to upper in training, else their mean (B. Xu et al. 2015)."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        super().__init__(inplace=inplace, lower=lower, upper=upper)

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training)
