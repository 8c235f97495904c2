"""Datasets: samples with numbers, or streams of samples."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from math import floor
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.random import Generator, default_generator
from ..errors import OptionError, OutOfRangeError, ShapeError
from .fetch import sample_of


class Dataset:
    """Holds samples that have numbers. Subclasses define `__getitem__` and `__len__`.

    A dataset that can fetch many samples faster than one by one also defines `batch(indices)`, which gives them as one
    batch, or PyTorch's `__getitems__(indices)`, which gives a list of samples.

    >>> class Squares(gg.data.Dataset):
    ...     def __getitem__(self, index):
    ...         return index**2
    ...
    ...     def __len__(self):
    ...         return 5
    >>> next(iter(gg.data.DataLoader(Squares(), batch_size=5)))
    tensor([ 0,  1,  4,  9, 16])
    """

    def __class_getitem__(cls, kind: Any) -> type:  # Dataset[int], for readers
        return cls

    batch: Any = None

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__()")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset:
    """Gives a stream of samples, for data without numbers. Subclasses define `__iter__`.

    >>> class Countdown(gg.data.IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(gg.data.DataLoader(Countdown(), batch_size=2))
    [tensor([3, 2]), tensor([1])]
    """

    def __class_getitem__(cls, kind: Any) -> type:  # Dataset[int], for readers
        return cls

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    def __add__(self, other: Any) -> ChainDataset:
        return ChainDataset([self, other])


class ChainDataset(IterableDataset):
    """Gives streams one after the other.

    >>> list(gg.data.ChainDataset([[1, 2], [3]]))
    [1, 2, 3]
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.datasets)

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


class TensorDataset(Dataset):
    """Holds tensors of one length; sample i is the tuple of their rows i.

    >>> dataset = gg.data.TensorDataset(gg.tensor([1.0, 2.0]), gg.tensor([0, 1]))
    >>> dataset[1]
    (tensor(2.), tensor(1))
    """

    def __init__(self, *tensors: Tensor):
        lengths = {len(t) for t in tensors}
        if len(lengths) != 1:
            raise ShapeError(f"TensorDataset: tensors must have one length, got shapes {[t.shape for t in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch(self, indices: np.ndarray) -> tuple[Tensor, ...]:
        """Return the rows `indices` of every tensor, outside the graph."""
        return tuple(wrap(t._array[t.device.asarray(indices)], t.device, None, t._language) for t in self.tensors)


class Subset(Dataset):
    """Holds the samples `indices` of another dataset.

    >>> gg.data.Subset(["a", "b", "c"], [2, 0])[0]
    'c'
    """

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray):
        self.dataset, self.indices = dataset, np.asarray(indices, np.int64)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def batch(self) -> Any:
        """The other dataset's `batch` for the indices of this one, if it has one."""
        fetch = getattr(self.dataset, "batch", None)
        return None if fetch is None else lambda positions: fetch(self.indices[positions])


class ConcatDataset(Dataset):
    """Holds the samples of several datasets, numbered on from one to the next.

    Raises ValueError without a dataset, or for a stream.

    >>> gg.data.ConcatDataset([["a", "b"], ["c"]])[2]
    'c'
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets or any(isinstance(d, IterableDataset) for d in self.datasets):
            raise OptionError("ConcatDataset: expected at least one dataset, and none that is an IterableDataset")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise OutOfRangeError(f"ConcatDataset: index {index} is outside the {n} samples")
        index += n if index < 0 else 0
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class StackDataset(Dataset):
    """Puts datasets of one length side by side: sample i is the tuple of their samples i, or a dict for keyword
    arguments.

    Raises ShapeError for datasets of different lengths, ValueError without one, or for both kinds of arguments.

    >>> gg.data.StackDataset(image=["a", "b"], label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    def __init__(self, *args: Any, **kwargs: Any):
        if bool(args) == bool(kwargs):
            raise OptionError("StackDataset: expected datasets, either all by position or all by keyword")
        self.datasets: Any = args or kwargs
        lengths = self._each(len)
        if len(set(self._values(lengths))) != 1:
            raise ShapeError(f"StackDataset: datasets must have one length, got {lengths}")

    def _each(self, get: Callable[[Any], Any]) -> Any:
        """Return the results of `get` for each dataset, in the form of a sample."""
        if isinstance(self.datasets, dict):
            return {name: get(dataset) for name, dataset in self.datasets.items()}
        return tuple(map(get, self.datasets))

    @staticmethod
    def _values(sample: Any) -> list:
        return list(sample.values() if isinstance(sample, dict) else sample)

    def __getitem__(self, index: int) -> Any:
        return self._each(lambda dataset: dataset[index])

    def __len__(self) -> int:
        return len(self._values(self.datasets)[0])

    def __getitems__(self, indices: Sequence[int]) -> list:
        """Return the samples `indices`; each dataset fetches its own at once if it can."""
        columns = self._each(lambda dataset: _samples(dataset, indices))
        rows = zip(*self._values(columns), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows] if isinstance(columns, dict) else list(rows)

    @property
    def batch(self) -> Any:
        """A function that fetches many samples as one batch, if all datasets have one."""
        ways = self._each(lambda dataset: getattr(dataset, "batch", None))
        return None if None in self._values(ways) else lambda indices: self._each(lambda d: d.batch(indices))


def _samples(dataset: Any, indices: Sequence[int]) -> list:
    """Return the samples `indices`.

    Raises DataError that names the one that cannot be read, and ShapeError if their number is not that of the indices.
    """
    if not callable(getattr(dataset, "__getitems__", None)):
        return [sample_of(dataset, i) for i in indices]
    found = dataset.__getitems__(indices)
    if len(found) != len(indices):
        raise ShapeError(f"{type(dataset).__name__}.__getitems__: {len(indices)} samples expected, got {len(found)}")
    return found


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Cut the dataset at random into subsets of the given lengths, which may be fractions that add up to 1.

    A fraction is rounded down to whole samples; the samples left over go to the subsets in turn, as in PyTorch. Raises
    ValueError if the lengths do not add up to the number of samples.

    >>> train, test = gg.data.random_split(range(10), [0.8, 0.2])
    >>> len(train), len(test)
    (8, 2)
    """
    n, sizes = len(dataset), list(lengths)
    if abs(sum(sizes) - 1) < 1e-9 and all(0 <= s <= 1 for s in sizes):
        sizes = [floor(n * s) for s in sizes]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != n:
        raise OptionError(f"random_split: the lengths {list(lengths)} do not add up to {n} samples")
    order = (default_generator() if generator is None else generator).numpy.permutation(n)
    ends = [int(end) for end in accumulate(sizes)]
    return [Subset(dataset, order[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
