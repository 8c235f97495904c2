"""Network functions with PyTorch's names, signatures and defaults.

Where PyTorch's function and an op agree, the function is the op; the modules of this package hold the rest.
"""

from ...ops.activation import gelu, hardshrink, logsigmoid, softplus, softshrink, softsign, tanhshrink
from ...ops.embedding import embedding, one_hot
from ...ops.matmul import linear
from ...ops.special import sigmoid
from ...ops.transcendental import tanh
from .activation import *
from .adaptive import *
from .attention import *
from .conv import *
from .dropout import *
from .loss import *
from .normalization import *
from .padding import *
from .pooling import *
