"""The two memory orders of x (N, C, *S) that kernels take without a copy: channels last or channels first."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..namespace import xp
from .launch import dense


class MemoryOrder(NamedTuple):
    """A memory order: channels are last in memory, (N, *S, C), or in front, (N, C, *S)."""

    last: bool

    @classmethod
    def of(cls, x: Any) -> MemoryOrder:
        """Return the order of x: `last` if its channels are last in memory or each has one place only, else first."""
        return cls(math.prod(x.shape[2:]) == 1 or not x.flags.c_contiguous and _channels_last(x).flags.c_contiguous)

    def arranged(self, x: Any) -> Any:
        """Return x in this order, copied only if it is in another."""
        return _channels_first(dense(_channels_last(x))) if self.last else dense(x)

    def empty(self, like: Any, shape: tuple, dtype: Any) -> Any:
        """Make an array (N, C, *S) in this order, on the device of `like`."""
        if not self.last:
            return xp(like).empty(shape, dtype)
        return _channels_first(xp(like).empty((shape[0], *shape[2:], shape[1]), dtype))


def _channels_last(x: Any) -> Any:
    return x.transpose(0, *range(2, x.ndim), 1)


def _channels_first(x: Any) -> Any:
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
