"""DistributedSampler: each rank's part of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..data.samplers import Sampler
from ..errors import OptionError, StateDictError
from .group import get_rank, get_world_size


class DistributedSampler(Sampler):
    """Gives this rank's part of the numbers 0 to len(dataset) - 1; the parts of all ranks have one length.

    shuffle: in an order that follows from `seed` and the epoch that `set_epoch` sets, the same on all ranks. If the
    number of samples is no multiple of that of the ranks, the first ones come again at the end, or with drop_last some
    are left out. `state_dict()` in the middle of a pass keeps the place in it: after `load_state_dict`, also on another
    number of ranks, the next pass goes on from there.

    num_replicas, rank: of ranks (default: those of the process group).

    >>> sampler = gg.distributed.DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False)
    >>> list(sampler), len(sampler)
    ([1, 3, 0], 3)
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ):
        self.num_replicas = get_world_size() if num_replicas is None else num_replicas
        self.rank = get_rank() if rank is None else rank
        if not isinstance(self.num_replicas, int) or not 0 <= self.rank < self.num_replicas:
            raise OptionError(
                f"DistributedSampler: rank must be from 0 to num_replicas - 1, got rank {rank} of {num_replicas}"
            )
        self.dataset, self.shuffle, self.seed, self.drop_last = dataset, shuffle, seed, drop_last
        self.epoch = self.done = 0  # done: samples of this epoch that all ranks together have had

    def set_epoch(self, epoch: int) -> None:
        """Give the next pass the order of this epoch, from its beginning."""
        self.epoch, self.done = epoch, 0

    def __iter__(self) -> Iterator[int]:
        order, end = self._order(), self._end()
        for i in range(self.done, end, self.num_replicas):
            self.done = i + self.num_replicas
            yield int(order[(i + self.rank) % len(order)])
        self.done = 0

    def _order(self) -> np.ndarray:
        count = len(self.dataset)
        if not self.shuffle:
            return np.arange(count)
        return np.random.Generator(np.random.Philox(key=[self.seed % (1 << 64), self.epoch])).permutation(count)

    def _end(self) -> int:
        """Return where the pass ends: what is left of it is cut or filled to a multiple of the ranks."""
        left = max(len(self.dataset) - self.done, 0)
        rounds = left // self.num_replicas if self.drop_last else -(-left // self.num_replicas)
        return self.done + rounds * self.num_replicas

    def __len__(self) -> int:
        return (self._end() - self.done) // self.num_replicas

    def state_dict(self) -> dict[str, Any]:
        """Return the seed, the epoch and the place in it."""
        return {"seed": self.seed, "epoch": self.epoch, "done": self.done, "samples": len(self.dataset)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to the place that `state_dict` returned. Raises StateDictError if the dataset has another length."""
        if state_dict["samples"] != len(self.dataset):
            raise StateDictError(
                f"DistributedSampler: the state is of {state_dict['samples']} samples, the dataset has "
                f"{len(self.dataset)}"
            )
        self.seed, self.epoch, self.done = state_dict["seed"], state_dict["epoch"], state_dict["done"]
