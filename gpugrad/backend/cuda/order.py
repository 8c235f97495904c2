"""The two orders in memory of x (N, C, *S) that kernels work on without a copy."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..namespace import xp
from .launch import dense


class Order(NamedTuple):
    """Channels last, (N, *S, C) in memory, or in front, (N, C, *S)."""

    last: bool

    @classmethod
    def of(cls, x: Any) -> Order:
        """x's own if it is one of the two. With one place per channel they are the same, and count as `last`."""
        return cls(math.prod(x.shape[2:]) == 1 or not x.flags.c_contiguous and _moved(x).flags.c_contiguous)

    def arranged(self, x: Any) -> Any:
        """x in this order: a copy only if it is in another."""
        return _back(dense(_moved(x))) if self.last else dense(x)

    def empty(self, like: Any, shape: tuple, dtype: Any) -> Any:
        """An array (N, C, *S) in this order, on the device of `like`."""
        if not self.last:
            return xp(like).empty(shape, dtype)
        return _back(xp(like).empty((shape[0], *shape[2:], shape[1]), dtype))


def _moved(x: Any) -> Any:
    return x.transpose(0, *range(2, x.ndim), 1)


def _back(x: Any) -> Any:
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))
