"""Random tensors where NumPy has them: `np.random.randn(2, 3)` reads the same with gpugrad for NumPy.

>>> import gpugrad as np
>>> np.random.randn(2, 3).shape
(2, 3)
"""

from .ops.random import (
    bernoulli,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    uniform,
)

__all__ = [
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "uniform",
]  # fmt: skip
