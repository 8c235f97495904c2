"""Random Tensors, and Tensors filled with random numbers in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...ops import random as randoms
from ..language import means, sizes_of


@means("arguments are (low, high, size), or (high, size)", method=False)
def randint(*bounds: Any, generator: Any = None, dtype: Any = None, device: Any = None, **more: Any) -> Tensor:
    """Return random integers in [low, high)."""
    size = more.pop("size", None)
    given = list(bounds)
    if size is None:
        size = given.pop()
    low, high = more.pop("low", None), more.pop("high", None)
    high = given.pop() if high is None else high
    low = (given.pop() if given else 0) if low is None else low
    requires_grad = more.pop("requires_grad", False)
    made = randoms.randint(int(low), int(high), sizes_of((size,)), dtype, device, generator)
    return made.requires_grad_(requires_grad)


@means("arguments are (input, low, high), or (input, high)", method=False)
def randint_like(input: Any, low: int, high: int | None = None, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return random integers in [low, high) in the size, dtype and on the device of another Tensor."""
    return randoms.randint_like(input, low, high, dtype, device)


@means("arguments are (mean, std, size), of Tensors or numbers", method=False)
def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, dtype: Any = None, device: Any = None
) -> Tensor:
    """Return normal random numbers."""
    where = next((p.device for p in (mean, std) if isinstance(p, Tensor)), device)
    return randoms.normal(mean, std, size, dtype, where, generator)


@means(method=False)
def randperm(
    n: int, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return the ints from 0 to n - 1 in random order."""
    return randoms.randperm(int(n), dtype, device, generator).requires_grad_(requires_grad)


@means("a probability may be given instead of those in the Tensor")
def bernoulli(input: Any, p: float | None = None, *, generator: Any = None) -> Tensor:
    """Return ones with the probabilities in `input`, or with the probability p, else zeros."""
    return randoms.bernoulli(input if p is None else input.detach() * 0 + p, generator).detach()


@means()
def multinomial(input: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Return indices drawn in proportion to the weights in the last axis."""
    return randoms.multinomial(input, num_samples, replacement, generator)


@means()
def poisson(input: Any, generator: Any = None) -> Tensor:
    """Return Poisson random numbers of these rates."""
    host = input.device.to_host(input.detach()._array)
    return asarray(randoms._stream(generator).poisson(host).astype(input.dtype), device=input.device)


def _filled(name: str, first: tuple, second: tuple, draw: Any) -> None:
    """Enter the method `name` that overwrites a Tensor with what `draw(stream, first, second, shape)` gives."""

    def call(self: Any, *args: Any, generator: Any = None, **kwargs: Any) -> Tensor:
        names = [pair[0] for pair in (first, second) if pair]
        given = {**dict(pair for pair in (first, second) if pair), **dict(zip(names, args, strict=False)), **kwargs}
        values = [v.numpy() if isinstance(v, Tensor) else v for v in given.values()]
        drawn = draw(randoms._stream(generator), *values, tuple(self.shape))
        return self.copy_(asarray(np.asarray(drawn).astype(self.dtype), device=self.device))

    call.__name__, call.__doc__ = name, f"Overwrite this Tensor with random numbers: `{name[:-1]}`."
    means(function=False)(call)


_filled("uniform_", ("from", 0.0), ("to", 1.0), lambda s, a, b, n: a + (b - a) * s.random(n))
_filled("normal_", ("mean", 0.0), ("std", 1.0), lambda s, m, d, n: m + d * s.standard_normal(n))
_filled("log_normal_", ("mean", 1.0), ("std", 2.0), lambda s, m, d, n: s.lognormal(m, d, n))
_filled("bernoulli_", ("p", 0.5), (), lambda s, p, n: s.random(n) < p)
_filled("exponential_", ("lambd", 1.0), (), lambda s, r, n: s.exponential(1 / r, n))
_filled("geometric_", ("p", 0.5), (), lambda s, p, n: s.geometric(p, n))
_filled("cauchy_", ("median", 0.0), ("sigma", 1.0), lambda s, m, d, n: m + d * s.standard_cauchy(n))


@means(function=False)
def random_(self: Any, *bounds: Any, generator: Any = None, **more: Any) -> Tensor:
    """Overwrite this Tensor with random integers in [from, to), by default of all that its dtype holds."""
    given = [*bounds, *more.values()]
    top = 2 ** (24 if self.is_floating_point() else 8 * self.itemsize - 1)
    low, high = (0, top) if not given else (0, given[0]) if len(given) == 1 else given
    drawn = randoms._stream(generator).integers(low, high, tuple(self.shape))
    return self.copy_(asarray(drawn.astype(self.dtype), device=self.device))
