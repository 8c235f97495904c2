"""What is kept of episodes: a memory of transitions, returns, advantages."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError


class ReplayBuffer:
    """Keeps the last `capacity` transitions, of which batches are drawn at random (Lin 1992; Mnih et al. 2015).

    A transition is a row of several arrays, such as (observation, action, reward, next observation, terminated); all
    have the dtypes and shapes of the first that are added.

    >>> memory = gg.rl.ReplayBuffer(3, seed=0)
    >>> memory.add(np.arange(5), np.arange(5) * 10.0)
    >>> len(memory), sorted(memory.arrays[0].tolist())
    (3, [2, 3, 4])
    >>> numbers, tens = memory.sample(4)
    >>> bool((numbers * 10 == tens).all())
    True
    """

    def __init__(self, capacity: int, seed: int | None = None):
        if capacity < 1:
            raise ShapeError(f"ReplayBuffer: capacity must be at least 1, got {capacity}")
        self.capacity, self.random = capacity, np.random.default_rng(seed)
        self.arrays: list[np.ndarray] = []
        self._added = 0

    def add(self, *rows: Any) -> None:
        """Add n transitions, arrays (n, ...)."""
        arrays = [np.asarray(row) for row in rows]
        if len({len(array) for array in arrays}) != 1:
            raise ShapeError(f"ReplayBuffer.add: rows must be equally many, got {[len(array) for array in arrays]}")
        if not self.arrays:
            self.arrays = [np.empty((self.capacity, *array.shape[1:]), array.dtype) for array in arrays]
        count = len(arrays[0])
        places = (self._added + np.arange(count))[-self.capacity :] % self.capacity
        for kept, array in zip(self.arrays, arrays, strict=True):
            kept[places] = array[-self.capacity :]
        self._added += count

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def sample(self, count: int) -> tuple[np.ndarray, ...]:
        """Return `count` transitions, with repetition. Raises ShapeError if there is none yet."""
        if not self._added:
            raise ShapeError("ReplayBuffer.sample: nothing was added yet")
        places = self.random.integers(len(self), size=count)
        return tuple(array[places] for array in self.arrays)


def discounted_returns(rewards: Any, discount: float, ends: Any = None, last: Any = 0.0) -> np.ndarray:
    """Return R_t = r_t + discount * R_{t+1} along axis 0: (T, ...) -> (T, ...), float32.

    ends: (T, ...), where an episode ends with step t, so that nothing is added to its reward. last: what follows the
    last step, such as a critic's value.

    >>> gg.rl.discounted_returns([1.0, 1.0, 1.0], 0.5).tolist()
    [1.75, 1.5, 1.0]
    """
    rewards = np.asarray(rewards, np.float32)
    going = np.ones_like(rewards) if ends is None else 1 - np.asarray(ends, np.float32)
    returns, following = np.empty_like(rewards), last
    for t in reversed(range(len(rewards))):
        returns[t] = following = rewards[t] + discount * going[t] * following
    return returns


def generalized_advantages(
    rewards: Any, values: Any, next_values: Any, terminated: Any, ends: Any, discount: float, decay: float
) -> np.ndarray:
    """Return A_t = sum_k (discount * decay)^k delta_{t+k} with delta_t = r_t + discount V(s_{t+1}) - V(s_t): (T, ...).

    Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation", equation 16.
    next_values: V(s_{t+1}), of the episode's own last observation where it was cut off. terminated: where nothing
    follows. ends: where an episode ends or is cut off, beyond which nothing is added.

    >>> ones = np.ones(2, np.float32)
    >>> gg.rl.generalized_advantages(ones, 0 * ones, 0 * ones, [0, 1], [0, 1], 0.5, 1.0).tolist()
    [1.5, 1.0]
    """
    going = 1 - np.asarray(terminated, np.float32)
    deltas = np.asarray(rewards, np.float32) + discount * going * next_values - np.asarray(values, np.float32)
    return discounted_returns(deltas, discount * decay, ends)
