"""Random tensors where NumPy has them: `np.random.randn(2, 3)` reads the same with gpugrad for NumPy.

Beside gpugrad's own functions stand NumPy's older ones (`seed`, `random_sample`, `choice`, `exponential`, ...), which
draw from the default generator, and `default_rng` with streams of their own (imported when one is asked for).

>>> import gpugrad as np
>>> np.random.randn(2, 3).shape
(2, 3)
>>> np.random.seed(0)
>>> np.random.default_rng(0).choice(1, size=2)
tensor([0, 0])
"""

from importlib import import_module as _import_module
from typing import Any as _Any

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


def default_rng(seed: _Any = None) -> _Any:
    """Return a stream of random numbers with the methods of NumPy's Generator: a `RandomStream`.

    >>> gg.random.default_rng(7).normal(size=(2, 2)).shape
    (2, 2)
    """
    streams = _import_module(".ops.streams", __package__)
    return seed if isinstance(seed, streams.RandomStream) else streams.RandomStream(seed)


def __getattr__(name: str) -> _Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    streams = _import_module(".ops.streams", __package__)
    if name in ("RandomStream", "RandomState"):
        return streams.RandomStream
    found = getattr(streams.DEFAULT, name, None)
    if found is None or name == "generator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
