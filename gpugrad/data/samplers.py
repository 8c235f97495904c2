"""Samplers choose the order of a dataset's samples, and which of them make a batch.

Random ones draw from `generator`; without one from the default generator, which a DataLoader restarts for each pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backend.random import Generator, default_generator
from ..errors import OptionError


class Sampler:
    """Gives the numbers of samples in some order. Subclasses define `__iter__`, and `__len__` if the number is known.

    >>> class Backwards(gg.data.Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    >>> list(gg.data.DataLoader(["a", "b", "c"], sampler=Backwards(), batch_size=None))
    ['c', 'b', 'a']
    """

    def __class_getitem__(cls, kind: Any) -> type:  # Dataset[int], for readers
        return cls

    generator: Generator | None = None

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    @property
    def _random(self) -> np.random.Generator:
        return (default_generator() if self.generator is None else self.generator).numpy


class SequentialSampler(Sampler):
    """Gives 0, 1, 2, ..., one number for each sample.

    >>> list(gg.data.SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Gives all samples in a random order, or `num_samples` of them; with `replacement` each is drawn from all.

    >>> sorted(gg.data.RandomSampler("abc"))
    [0, 1, 2]
    """

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
        """The number of samples drawn in a pass."""
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
    """Gives the numbers `indices` in a random order.

    >>> sorted(gg.data.SubsetRandomSampler([4, 7, 5]))
    [4, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        return (self.indices[i] for i in self._random.permutation(len(self.indices)).tolist())

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Gives `num_samples` numbers; each is drawn, and is i with a probability in proportion to `weights[i]`.

    Raises ValueError for weights that are negative or all zero, and without `replacement` for more samples than weights
    that are not zero.

    >>> list(gg.data.WeightedRandomSampler([0, 1, 0], num_samples=3))
    [1, 1, 1]
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
    """Gives lists of `batch_size` numbers of another sampler; the last may be shorter, or left out with `drop_last`.

    >>> list(gg.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

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
