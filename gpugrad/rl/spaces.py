"""What an environment's observations and actions are: one of n numbers, or an array within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError


class Discrete:
    """The whole numbers from 0 to n - 1, as Gymnasium's `Discrete`.

    >>> space = gg.rl.Discrete(3)
    >>> 2 in space, 3 in space
    (True, False)
    """

    shape: tuple[int, ...] = ()
    dtype = np.dtype(np.int64)

    def __init__(self, n: int):
        if n < 1:
            raise ShapeError(f"Discrete: there must be at least one number, got n = {n}")
        self.n = n

    def __contains__(self, value: Any) -> bool:
        return np.shape(value) == () and value == int(value) and 0 <= value < self.n

    def sample(self, random: np.random.Generator) -> int:
        """Return one of the numbers at random."""
        return int(random.integers(self.n))

    def __repr__(self) -> str:
        return f"Discrete({self.n})"


class Box:
    """The float32 arrays between `low` and `high`, which have its shape, as Gymnasium's `Box`.

    >>> space = gg.rl.Box([-1, -2], [1, 2])
    >>> space.shape, [0.0, 1.5] in space, [0.0, 2.5] in space
    ((2,), True, False)
    """

    dtype = np.dtype(np.float32)

    def __init__(self, low: Any, high: Any):
        self.low, self.high = np.broadcast_arrays(np.asarray(low, np.float32), np.asarray(high, np.float32))
        self.shape = self.low.shape
        if not (self.low <= self.high).all():
            raise ShapeError(f"Box: low must not be above high, got {self.low} and {self.high}")

    def __contains__(self, value: Any) -> bool:
        value = np.asarray(value)
        return value.shape == self.shape and bool(((self.low <= value) & (value <= self.high)).all())

    def sample(self, random: np.random.Generator) -> np.ndarray:
        """Return such an array at random; sides without a bound are taken as -1 or 1."""
        low, high = (np.where(np.isfinite(side), side, end) for side, end in ((self.low, -1), (self.high, 1)))
        return random.uniform(low, high).astype(np.float32)

    def __repr__(self) -> str:
        return f"Box({self.low.tolist()}, {self.high.tolist()})"
