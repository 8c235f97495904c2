"""Samplers: in which order a dataset's samples are taken, and which make a batch.

Random ones draw from `generator`; without one from the default generator, which a DataLoader restarts for each pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backend.random import Generator, default_generator
from ..errors import OptionError


class Sampler:
    """An order of sample numbers. Subclasses define `__iter__`, and `__len__` where it is known."""

    generator: Generator | None = None

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    @property
    def _random(self) -> np.random.Generator:
        return (default_generator() if self.generator is None else self.generator).numpy


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """All samples in a random order, or `num_samples` of them; with `replacement` each drawn from all."""

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        _check_count("RandomSampler", 1 if num_samples is None else num_samples)
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many are drawn in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, count, random = len(self.data_source), self.num_samples, self._random
        if self.replacement:
            return iter(random.integers(n, size=count).tolist())
        # More than there are: one order after the other.
        orders = [random.permutation(n) for _ in range(-(-count // n) if n else 0)]
        return iter(np.concatenate([*orders, np.zeros(0, np.int64)])[:count].tolist())

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given numbers in a random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in self._random.permutation(len(self.indices)).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` numbers, each i drawn with a probability in proportion to `weights[i]`.

    Raises ValueError for weights that are negative or all zero, and without `replacement` for more samples than
    weights that are not zero.
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None):
        _check_count("WeightedRandomSampler", num_samples)
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1 or not (self.weights >= 0).all() or not 0 < self.weights.sum() < np.inf:
            raise OptionError("WeightedRandomSampler: weights must be one list of numbers >= 0, not all of them 0")
        if not replacement and num_samples > np.count_nonzero(self.weights):
            raise OptionError(
                f"WeightedRandomSampler: {num_samples} samples without replacement, but only "
                f"{np.count_nonzero(self.weights)} weights are not 0"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        shares = self.weights / self.weights.sum()
        drawn = self._random.choice(len(shares), self.num_samples, replace=self.replacement, p=shares)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` numbers of another sampler; the last may be shorter, or left out with `drop_last`."""

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise OptionError(f"batch_size must be positive, got {batch_size!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list]:
        batch: list = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def _check_count(name: str, count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise OptionError(f"{name}: num_samples must be a positive int, got {count!r}")
