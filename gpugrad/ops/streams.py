"""NumPy's random numbers: what its `Generator` and its older functions draw, as Tensors of a stream of gpugrad's.

Numbers are drawn on the host by NumPy's algorithms. Floats come in the default dtype, integers as int64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import integer
from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import Generator, default_generator, manual_seed
from ..errors import DTypeError, ShapeError

# Distributions of numpy.random.Generator, with NumPy's parameters.
DISTRIBUTIONS = (
    "beta binomial chisquare dirichlet exponential f gamma geometric gumbel hypergeometric laplace logistic lognormal "
    "logseries multivariate_hypergeometric multivariate_normal negative_binomial noncentral_chisquare noncentral_f "
    "normal pareto poisson power rayleigh standard_cauchy standard_exponential standard_gamma standard_normal "
    "standard_t triangular uniform vonmises wald weibull zipf multinomial"
).split()


def _host(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


def _drawn(values: Any, dtype: Any = None) -> Tensor:
    values = np.asarray(values)
    return asarray(values, dtype if dtype is not None else float if values.dtype.kind == "f" else None)


class RandomStream:
    """A stream of random numbers with the methods of NumPy's `Generator` and of its older `RandomState`.

    seed: an int, None for an arbitrary one, or a `gpugrad.Generator` to draw from.

    >>> rng = gg.random.default_rng(0)
    >>> rng.standard_normal(3).shape, rng.integers(0, 1, size=2)
    ((3,), tensor([0, 0]))
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, Generator):
            self._given: Generator | None = seed
        else:
            self._given = Generator()
            if seed is not None:
                self._given.manual_seed(int(np.random.SeedSequence(_host(seed)).generate_state(1)[0]))

    @property
    def generator(self) -> Generator:
        """Return the gpugrad Generator that is drawn from."""
        return default_generator() if self._given is None else self._given

    @property
    def _numpy(self) -> np.random.Generator:
        return self.generator.numpy

    def random(self, size: Any = None, dtype: Any = None) -> Tensor:
        """Return uniform numbers in [0, 1)."""
        return _drawn(self._numpy.random(_host(size)), dtype)

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = None, endpoint: bool = False
    ) -> Tensor:
        """Return random integers in [low, high), or [0, low) with one bound; with `endpoint` the upper bound too."""
        return _drawn(self._numpy.integers(_host(low), _host(high), size, endpoint=endpoint), dtype)

    def choice(
        self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True
    ) -> Tensor:
        """Return entries of `a` along an axis (or of arange(a), for an int) in random order, with probabilities p."""
        count = a if isinstance(a, (int, np.integer)) else asarray(a).shape[axis]
        places = self._numpy.choice(count, size, replace, _host(p), shuffle=shuffle)
        return _drawn(places) if isinstance(a, (int, np.integer)) else asarray(a).take(places, axis=axis)

    def permutation(self, x: Any, axis: int = 0) -> Tensor:
        """Return x with its entries along an axis in random order, or a permutation of arange(x) for an int."""
        if isinstance(x, (int, np.integer)):
            return _drawn(self._numpy.permutation(x))
        x = asarray(x)
        return x.take(self._numpy.permutation(x.shape[axis]), axis=axis)

    def permuted(self, x: Any, *, axis: int | None = None) -> Tensor:
        """Return x with the entries of each slice along an axis in a random order of its own (None: all elements)."""
        x = asarray(x)
        places = self._numpy.permuted(np.arange(x._array.size).reshape(x.shape), axis=axis)
        return x.reshape(-1)[places]

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put the entries of a Tensor or a list in random order, in place."""
        if isinstance(x, Tensor):
            x[...] = x.take(self._numpy.permutation(x.shape[axis]), axis=axis)
        else:
            self._numpy.shuffle(x, axis)

    def bytes(self, length: int) -> bytes:
        """Return random bytes."""
        return self._numpy.bytes(length)

    def spawn(self, n_children: int) -> list[RandomStream]:
        """Return streams that are independent of this one and of each other."""
        return [RandomStream(int(seed)) for seed in self._numpy.integers(2**63, size=n_children)]

    # The older functions

    def seed(self, seed: int | None = None) -> None:
        """Restart the stream; of the functions of `gpugrad.random` that is the default generator."""
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
        if self._given is None:
            manual_seed(seed)
        else:
            self._given.manual_seed(seed)

    def rand(self, *size: int) -> Tensor:
        """Return uniform numbers in [0, 1) of this shape."""
        return self.random(size or None)

    def randn(self, *size: int) -> Tensor:
        """Return standard normal numbers of this shape."""
        return _drawn(self._numpy.standard_normal(size or None))

    def randint(self, low: int, high: int | None = None, size: Any = None, dtype: Any = None) -> Tensor:
        """Return random integers in [low, high), or [0, low) with one bound."""
        integer("randint", "low", low)
        low, high = (0, low) if high is None else (low, high)
        if high <= low:
            raise ShapeError(f"randint: expected low < high, got [{low}, {high})")
        return self.integers(low, high, size, dtype)

    def random_sample(self, size: Any = None) -> Tensor:
        """Return uniform numbers in [0, 1)."""
        return self.random(size)

    ranf = sample = random_sample

    def get_state(self) -> dict:
        """Return the position of the stream, for `set_state`."""
        return self.generator.get_state()

    def set_state(self, state: dict) -> None:
        """Continue from a position that `get_state` gave."""
        self.generator.set_state(state)


def _distribution(name: str) -> Callable:
    def draw(self: RandomStream, *args: Any, **kwargs: Any) -> Tensor:
        dtype = kwargs.pop("dtype", None)
        try:
            values = getattr(self._numpy, name)(*map(_host, args), **{word: _host(v) for word, v in kwargs.items()})
        except TypeError as error:
            raise DTypeError(f"{name}: {error}") from None
        except ValueError as error:
            raise ShapeError(f"{name}: {error}") from None
        return _drawn(values, dtype)

    draw.__name__, draw.__qualname__ = name, f"RandomStream.{name}"
    draw.__doc__ = f"Return numbers of NumPy's distribution `{name}`, with its parameters."
    return draw


for _name in DISTRIBUTIONS:
    setattr(RandomStream, _name, _distribution(_name))

DEFAULT = RandomStream(default_generator())
DEFAULT._given = None  # whatever the thread's default generator is when numbers are drawn
