"""Datasets: numbered samples, each a tuple of Tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.tensor import Tensor, wrap
from ..backend.random import Generator, default_generator
from ..errors import ShapeError


class Dataset:
    """Numbered samples. Subclasses define `__getitem__` and `__len__`.

    A dataset that can fetch many samples faster than one by one also defines `batch(indices)`.
    """

    batch: Any = None

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__()")


class TensorDataset(Dataset):
    """Tensors of one length; sample i is the tuple of their rows i."""

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
        """The rows `indices` of every tensor, outside the graph."""
        return tuple(wrap(t._array[t.device.asarray(indices)], t.device, None) for t in self.tensors)


class Subset(Dataset):
    """The samples `indices` of another dataset."""

    def __init__(self, dataset: Any, indices: Sequence[int] | np.ndarray):
        self.dataset, self.indices = dataset, np.asarray(indices, np.int64)
        if getattr(dataset, "batch", None) is not None:
            self.batch = lambda positions: dataset.batch(self.indices[positions])

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """The dataset cut at random into subsets of the given lengths, which may be fractions that add up to 1."""
    n = len(dataset)
    sizes = list(lengths)
    if abs(sum(sizes) - 1) < 1e-9 and n != 1:
        ends = np.round(np.cumsum(sizes) * n).astype(int)
        sizes = list(np.diff(ends, prepend=0))
    if sum(sizes) != n:
        raise ValueError(f"random_split: the lengths {list(lengths)} do not add up to {n} samples")
    order = (generator or default_generator()).numpy.permutation(n)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(sizes)[:-1].astype(int))]
