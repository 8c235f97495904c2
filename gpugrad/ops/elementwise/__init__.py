"""Elementwise ops, one module per subject. Every functor of kernels/elementwise.cu is a CUDA path of one of them."""

from . import (
    activation,
    arithmetic,
    bessel,
    comparison,
    exponential,
    gamma,
    logarithmic,
    normal,
    piecewise,
    rounding,
    selection,
    special,
    trigonometric,
)
from .activation import *
from .arithmetic import *
from .bessel import *
from .bias_activation import bias_activation
from .comparison import *
from .exponential import *
from .gamma import *
from .logarithmic import *
from .normal import *
from .piecewise import *
from .rounding import *
from .selection import *
from .special import *
from .trigonometric import *

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "bias_activation",
    *activation.__all__,
    *arithmetic.__all__,
    *bessel.__all__,
    *comparison.__all__,
    *exponential.__all__,
    *gamma.__all__,
    *logarithmic.__all__,
    *normal.__all__,
    *piecewise.__all__,
    *rounding.__all__,
    *selection.__all__,
    *special.__all__,
    *trigonometric.__all__,
]
