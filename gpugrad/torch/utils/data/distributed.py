"""The sampler of several processes, each of which reads its own part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ....data import Sampler


class DistributedSampler(Sampler):
    """Gives process `rank` of `num_replicas` every num_replicas-th index, shuffled anew for each epoch."""

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        self.dataset, self.shuffle, self.seed, self.drop_last, self.epoch = dataset, shuffle, seed, drop_last, 0
        self.num_replicas, self.rank = num_replicas or 1, rank or 0
        whole = len(dataset) // self.num_replicas
        self.num_samples = whole if drop_last else -(-len(dataset) // self.num_replicas)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        n, total = len(self.dataset), self.num_samples * self.num_replicas
        order = np.random.default_rng(self.seed + self.epoch).permutation(n) if self.shuffle else np.arange(n)
        return iter(np.resize(order, total)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples
