"""Seeded random numbers: one stream per generator, the same on every device.

Numbers are drawn on the host (NumPy's PCG64) and moved, so that a seed gives the same numbers on every device.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ..errors import DTypeError
from .capture import current

_local = threading.local()
_lock = threading.Lock()  # held while `_threads` gives the next seed
_threads = np.random.SeedSequence()  # of the seeds of other threads' generators; the main thread's seed sets it


class Generator:
    """A stream of random numbers with its own seed.

    >>> one, other = gg.Generator().manual_seed(7), gg.Generator().manual_seed(7)
    >>> gg.array_equal(gg.randn(3, generator=one), gg.randn(3, generator=other))
    True
    """

    def __init__(self, device: Any = None):
        self.device = device
        self.manual_seed(int(np.random.SeedSequence().generate_state(1)[0]))

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream at `seed`, a non-negative int."""
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise DTypeError(f"manual_seed: expected a non-negative int, got {seed!r}")
        self._seed = int(seed)
        self.numpy = np.random.Generator(np.random.PCG64(self._seed))
        return self

    def initial_seed(self) -> int:
        """Return the seed that the stream started from."""
        return self._seed

    def get_state(self) -> dict:
        """Return the position of the stream, for `set_state`."""
        return {"seed": self._seed, "state": self.numpy.bit_generator.state}

    def set_state(self, state: dict) -> None:
        """Continue from a position that `get_state` gave."""
        self._seed = state["seed"]
        self.numpy.bit_generator.state = state["state"]


def default_generator() -> Generator:
    """Return this thread's generator, which functions use when they are given none.

    Each thread has its own, so that threads do not disturb each other's numbers. In a thread that does not seed it, it
    begins at a seed that follows from the main thread's and from how many other threads have drawn since that was set.

    >>> gg.default_generator().manual_seed(3).initial_seed()
    3
    """
    if not hasattr(_local, "generator"):
        _local.generator = generator = Generator()
        if threading.current_thread() is not threading.main_thread():
            with _lock:
                (child,) = _threads.spawn(1)
            generator.manual_seed(int(child.generate_state(1, np.uint64)[0]))
    return _local.generator


def draw_seed() -> Any:
    """Return a seed from the default generator for a random kernel: an int below 2**63.

    In a captured step it is a `capture.Number`: each replay draws the seeds that the step would have drawn.

    >>> from gpugrad.backend.random import draw_seed
    >>> 0 <= draw_seed() < 2**63
    True
    """
    captured = current()
    return _drawn() if captured is None else captured.number(np.uint64, _drawn, "a seed")


def _drawn() -> int:
    return int(default_generator().numpy.integers(2**63))


def manual_seed(seed: int) -> Generator:
    """Seed this thread's default generator: the same seed gives the same numbers on every device.

    >>> _ = gg.manual_seed(0)
    >>> first = gg.rand(2)
    >>> _ = gg.manual_seed(0)
    >>> gg.array_equal(gg.rand(2), first)
    True
    """
    global _threads
    generator = default_generator().manual_seed(seed)
    if threading.current_thread() is threading.main_thread():
        _threads = np.random.SeedSequence(generator.initial_seed())
    return generator


def get_rng_state() -> dict:
    """Return the position of the default generator.

    >>> state = gg.get_rng_state()
    >>> first = gg.rand(2)
    >>> gg.set_rng_state(state)
    >>> gg.array_equal(gg.rand(2), first)
    True
    """
    return default_generator().get_state()


def set_rng_state(state: dict) -> None:
    """Put the default generator back to a position from `get_rng_state`.

    >>> state = gg.get_rng_state()
    >>> gg.set_rng_state(state)
    """
    default_generator().set_state(state)
