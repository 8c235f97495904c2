"""The inputs for the checks, stated beside each op.

A `samples` function receives a Sampler and returns cases: `lambda s: [s.case(s(3, 4), axis=1)]`. Arrays are float64 and
reproducible; the checks cast them for other dtypes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Case:
    """One call of an op: `op(*args, **kwargs)`.

    smooth=False: a point at which central differences say nothing, a kink or the edge of a domain. `gradient` then
    gives, by input, the gradient of the sum of all outputs; without it, the gradient must lie between the slopes on
    both sides, and all must be finite. symmetric: only steps that keep the matrices symmetric are derivatives; then
    derivatives along these are checked. real_only: no complex inputs are made of these.
    """

    def __init__(
        self,
        args: tuple,
        kwargs: dict,
        smooth: bool = True,
        gradient: dict | None = None,
        symmetric: bool = False,
        real_only: bool = False,
    ):
        self.args, self.kwargs = args, kwargs
        self.smooth, self.gradient, self.symmetric, self.real_only = smooth, gradient, symmetric, real_only

    def __repr__(self) -> str:
        def show(value: Any) -> str:
            if isinstance(value, np.ndarray):
                return f"{value.dtype}{list(value.shape)}"
            return f"[{', '.join(map(show, value))}]" if isinstance(value, (list, tuple)) else repr(value)

        return ", ".join([*map(show, self.args), *(f"{k}={show(v)}" for k, v in self.kwargs.items())])


class Sampler:
    """A maker of arrays: `s(3, 4)` normal, `s.uniform(lo, hi, 3, 4)`, `s.ints(hi, 5)`, `s.distinct(4)`, `s.spd(3)`."""

    def __init__(self, seed: int = 0):
        self.rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        """Draw standard normal values."""
        return np.asarray(self.rng.standard_normal(shape))

    def complex(self, *shape: int) -> np.ndarray:
        """Draw complex numbers whose parts are standard normal values."""
        return np.asarray(self(*shape) + 1j * self(*shape))

    def uniform(self, low: float, high: float, *shape: int) -> np.ndarray:
        """Draw values between `low` and `high`."""
        return np.asarray(self.rng.uniform(low, high, shape))

    def away(self, *shape: int, gap: float = 0.2) -> np.ndarray:
        """Draw normal values at least `gap` from zero, for functions with a kink or a pole there."""
        values = self(*shape)
        return values + np.copysign(gap, values)

    def distinct(self, *shape: int) -> np.ndarray:
        """Draw values in random order that differ by at least 0.1 (and from another call's at all), for comparisons."""
        n = int(np.prod(shape))
        return np.asarray((self.rng.permutation(n).reshape(shape) - n / 2 + self.rng.uniform(0.1, 0.4)) * 0.1)

    def ints(self, high: int, *shape: int) -> np.ndarray:
        """Draw integers from 0 to `high` - 1 (int64)."""
        return np.asarray(self.rng.integers(0, high, shape))

    def bools(self, *shape: int) -> np.ndarray:
        """Draw True or False, equally often."""
        return np.asarray(self.rng.random(shape) < 0.5)

    def spd(self, *shape: int) -> np.ndarray:
        """Draw symmetric positive definite matrices (..., n, n); the arguments are (..., n)."""
        a = self(*shape, shape[-1])
        return a @ np.swapaxes(a, -1, -2) + shape[-1] * np.eye(shape[-1])

    @staticmethod
    def case(
        *args: Any,
        smooth: bool = True,
        gradient: dict | None = None,
        symmetric: bool = False,
        real_only: bool = False,
        **kwargs: Any,
    ) -> Case:
        """Return the call `op(*args, **kwargs)` as a case; see `Case` for the other arguments."""
        return Case(args, kwargs, smooth, gradient, symmetric, real_only)


def unary(low: float = -2.0, high: float = 2.0, smooth: bool = True) -> Callable[[Sampler], list[Case]]:
    """Return cases for a function of one array with values in [low, high]: ranks 0 to 3, empty, transposed, strided."""

    def cases(s: Sampler) -> list[Case]:
        def u(*shape: int) -> np.ndarray:
            return s.uniform(low, high, *shape)

        arrays = [u(3, 4), u(), u(1), u(0, 3), u(4, 3).T, u(2, 3, 8)[:, :, 1::2]]
        return [s.case(a, smooth=smooth) for a in arrays]

    return cases


def binary(
    left: tuple[float, float] = (-2, 2), right: tuple[float, float] = (-2, 2), smooth: bool = True
) -> Callable[[Sampler], list[Case]]:
    """Return cases for a function of two arrays: equal shapes, every kind of broadcasting, empty, transposed."""

    def cases(s: Sampler) -> list[Case]:
        shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((2, 3), ()), ((), ())]
        shapes += [((0, 3), (3,)), ((1,), (2, 1, 3))]
        made = [s.case(s.uniform(*left, *a), s.uniform(*right, *b), smooth=smooth) for a, b in shapes]
        return [*made, s.case(s.uniform(*left, 4, 3).T, s.uniform(*right, 3, 8)[:, ::2], smooth=smooth)]

    return cases
