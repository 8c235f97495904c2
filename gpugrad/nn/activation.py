"""Activation layers: each calls the function of its name with the options that it was made with.

`inplace` is accepted because PyTorch has it; results are always new tensors.
"""

from typing import Any

from ..arguments import ordered
from ..autograd.tensor import Tensor
from . import functional as F
from . import init
from .module import Module
from .parameter import empty


class Activation(Module):
    """Computes `function(input, **options)`; the options are attributes too."""

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
    """Is the base of activations without options."""

    def __init__(self) -> None:
        super().__init__()


class _InplaceActivation(Activation):
    """Is the base of activations whose only option is `inplace`."""

    def __init__(self, inplace: bool = False):
        super().__init__(inplace=inplace)


class _HardActivation(_InplaceActivation):
    """Is the base of those that do not show `inplace` in their text, as in PyTorch."""

    def extra_repr(self) -> str:
        return ""


class _Shrink(Activation):
    """Is the base of activations that give 0 for |x| <= lambd."""

    def __init__(self, lambd: float = 0.5):
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class ReLU(_InplaceActivation):
    """Computes max(0, x).

    >>> nn.ReLU()(gg.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """

    function = staticmethod(F.relu)


class ReLU6(_InplaceActivation):
    """Computes min(max(0, x), 6).

    >>> nn.ReLU6()(gg.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """

    function = staticmethod(F.relu6)


class SiLU(_InplaceActivation):
    """Computes x sigmoid(x), also known as swish (S. Elfwing et al. 2017, section 2).

    >>> nn.SiLU()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.2689,  0.    ,  1.7616])
    """

    function = staticmethod(F.silu)


class Mish(_InplaceActivation):
    """Computes x tanh(softplus(x)) (D. Misra 2019).

    >>> nn.Mish()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.3034,  0.    ,  1.944 ])
    """

    function = staticmethod(F.mish)


class SELU(_InplaceActivation):
    """Computes scale * ELU(x), with the constants that keep mean 0 and variance 1 (G. Klambauer et al. 2017, section
    2).

    >>> nn.SELU()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-1.1113,  0.    ,  2.1014])
    """

    function = staticmethod(F.selu)


class Hardswish(_HardActivation):
    """Computes x relu6(x + 3) / 6 (A. Howard et al., "Searching for MobileNetV3", 2019, section 5.2).

    >>> nn.Hardswish()(gg.tensor([-1.0, 0.0, 4.0])).round(decimals=4)
    tensor([-0.3333,  0.    ,  4.    ])
    """

    function = staticmethod(F.hardswish)


class Hardsigmoid(_HardActivation):
    """Computes relu6(x + 3) / 6.

    >>> nn.Hardsigmoid()(gg.tensor([-3.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75])
    """

    function = staticmethod(F.hardsigmoid)


class Sigmoid(PlainActivation):
    """Computes 1 / (1 + exp(-x)).

    >>> nn.Sigmoid()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([0.2689, 0.5   , 0.8808])
    """

    function = staticmethod(F.sigmoid)


class Tanh(PlainActivation):
    """Computes tanh(x).

    >>> nn.Tanh()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.7616,  0.    ,  0.964 ])
    """

    function = staticmethod(F.tanh)


class LogSigmoid(PlainActivation):
    """Computes log(sigmoid(x)) without overflow.

    >>> nn.LogSigmoid()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-1.3133, -0.6931, -0.1269])
    """

    function = staticmethod(F.logsigmoid)


class Softsign(PlainActivation):
    """Computes x / (1 + |x|).

    >>> nn.Softsign()(gg.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.5 ,  0.  ,  0.75])
    """

    function = staticmethod(F.softsign)


class Tanhshrink(PlainActivation):
    """Computes x - tanh(x).

    >>> nn.Tanhshrink()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.2384,  0.    ,  1.036 ])
    """

    function = staticmethod(F.tanhshrink)


class GELU(Activation):
    """Computes x Phi(x), Phi being the normal distribution, or its tanh form with approximate="tanh" (D. Hendrycks and
    K. Gimpel 2016, section 2).

    >>> nn.GELU()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.1587,  0.    ,  1.9545])
    """

    function = staticmethod(F.gelu)

    def __init__(self, approximate: str = "none"):
        super().__init__(approximate=approximate)


class LeakyReLU(Activation):
    """Computes max(0, x) + negative_slope min(0, x) (A. Maas et al. 2013, section 2).

    >>> nn.LeakyReLU(0.1)(gg.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.1,  0. ,  2. ])
    """

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class ELU(Activation):
    """Computes x for x > 0 and alpha (exp(x) - 1) below (D.-A. Clevert et al. 2015, section 3).

    >>> nn.ELU()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.6321,  0.    ,  2.    ])
    """

    function = staticmethod(F.elu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)


class CELU(Activation):
    """Computes x for x > 0 and alpha (exp(x / alpha) - 1) below (J. Barron 2017).

    >>> nn.CELU(alpha=2.0)(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.7869,  0.    ,  2.    ])
    """

    function = staticmethod(F.celu)

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(alpha=alpha, inplace=inplace)


class Softplus(Activation):
    """Computes log(1 + exp(beta x)) / beta, and x itself where beta x > threshold.

    >>> nn.Softplus()(gg.tensor([-1.0, 0.0, 30.0])).round(decimals=4)
    tensor([ 0.3133,  0.6931, 30.    ])
    """

    function = staticmethod(F.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__(beta=beta, threshold=threshold)


class Softshrink(_Shrink):
    """Moves x towards 0 by lambd; what is nearer to 0 than that becomes 0.

    >>> nn.Softshrink()(gg.tensor([-2.0, 0.25, 1.0]))
    tensor([-1.5,  0. ,  0.5])
    """

    function = staticmethod(F.softshrink)


class Hardshrink(_Shrink):
    """Keeps x where |x| > lambd and gives 0 elsewhere.

    >>> nn.Hardshrink()(gg.tensor([-2.0, 0.25, 1.0]))
    tensor([-2.,  0.,  1.])
    """

    function = staticmethod(F.hardshrink)


class Hardtanh(Activation):
    """Limits x to [min_val, max_val].

    >>> nn.Hardtanh()(gg.tensor([-2.0, 0.5, 3.0]))
    tensor([-1. ,  0.5,  1. ])
    """

    function = staticmethod(F.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        ordered(type(self).__name__, "min_val", min_val, "max_val", max_val)
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class Threshold(Activation):
    """Keeps x where x > threshold and gives `value` elsewhere.

    >>> nn.Threshold(0.1, 20.0)(gg.tensor([-2.0, 0.5, 3.0]))
    tensor([20. ,  0.5,  3. ])
    """

    function = staticmethod(F.threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__(threshold=threshold, value=value, inplace=inplace)


class GLU(Activation):
    """Multiplies the first half of the input along `dim` by the sigmoid of the second (Y. Dauphin et al. 2017, section
    2).

    >>> nn.GLU()(gg.ones((2, 4))).round(decimals=4)
    tensor([[0.7311, 0.7311],
            [0.7311, 0.7311]])
    """

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1):
        super().__init__(dim=dim)


class PReLU(Module):
    """Computes max(0, x) + weight min(0, x) with one learned slope, or one per channel (axis 1) (K. He et al. 2015,
    section 2.1).

    >>> nn.PReLU()(gg.tensor([-1.0, 0.0, 2.0])).tolist()
    [-0.25, 0.0, 2.0]
    """

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
    """Computes max(0, x) + a min(0, x) with a drawn from lower to upper in training; otherwise a is their mean (B. Xu
    et al. 2015, section 2.4).

    >>> nn.RReLU().eval()(gg.tensor([-1.0, 0.0, 2.0])).round(decimals=4)
    tensor([-0.2292,  0.    ,  2.    ])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        super().__init__(inplace=inplace, lower=lower, upper=upper)

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training)
