"""DataLoader: a dataset in batches, in order or shuffled anew for each pass."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import Generator, default_generator
from ..ops.join import stack


class DataLoader:
    """Batches of `batch_size` samples of a dataset.

    shuffle: draw a new order for each pass from `generator` (default: the one that `gpugrad.manual_seed` sets).
    drop_last: leave out a last batch that is not full. collate_fn: makes a batch of a list of samples; the default
    stacks Tensors, arrays and numbers, through tuples and mappings. Batches are made in this process, when asked for.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        collate_fn: Callable[[list], Any] | None = None,
        drop_last: bool = False,
        generator: Generator | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be positive, got {batch_size}")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, batch_size, shuffle, drop_last
        self.collate_fn, self.generator = collate_fn, generator

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        n = len(self.dataset)
        order = (self.generator or default_generator()).numpy.permutation(n) if self.shuffle else np.arange(n)
        for i in range(len(self)):
            yield self._fetch(order[i * self.batch_size : (i + 1) * self.batch_size])

    def _fetch(self, indices: np.ndarray) -> Any:
        batch = getattr(self.dataset, "batch", None)
        if batch is not None and self.collate_fn is None:
            return batch(indices)
        return (self.collate_fn or default_collate)([self.dataset[int(i)] for i in indices])


def default_collate(samples: list) -> Any:
    """One batch of a list of samples: Tensors, arrays and numbers get a leading axis; tuples and mappings stay."""
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(samples)
    if isinstance(first, Mapping):
        return {name: default_collate([s[name] for s in samples]) for name in first}
    if isinstance(first, (tuple, list)):
        return tuple(default_collate(list(part)) for part in zip(*samples, strict=True))
    if isinstance(first, str):
        return samples
    return asarray(np.stack([np.asarray(s) for s in samples]) if hasattr(first, "dtype") else samples)
