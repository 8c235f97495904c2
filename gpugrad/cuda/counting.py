"""Counting what a program makes cuda devices do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..backend.cuda.counting import Launches, active

__all__ = ["Launches", "launches"]


@contextmanager
def launches() -> Iterator[Launches]:
    """Count the launches of kernels, matrix products and transfers that all threads ask for in the `with` block.

    The result's counters say what ran, by name: see `Launches`. Kernels' names hold the types that they ran in, so
    this also shows what a network computes in 16 bits and what in float32.

    >>> if gg.cuda.is_available():
    ...     x = gg.ones(3, 4, device="cuda", dtype="bfloat16")
    ...     with gg.cuda.launches() as ran:
    ...         y = gg.softmax(x, axis=-1)
    ...     assert ran.kernels.total() == 1 and "bfloat16" in next(iter(ran.kernels)), ran
    """
    made = Launches()
    active.append(made)
    try:
        yield made
    finally:
        active.remove(made)
