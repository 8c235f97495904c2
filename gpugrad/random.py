"""Random tensors where NumPy has them: `np.random.randn(2, 3)` reads the same with gpugrad for NumPy.

>>> import gpugrad as np
>>> np.random.randn(2, 3).shape
(2, 3)
"""

from .ops.random import *
from .ops.random import __all__ as __all__
