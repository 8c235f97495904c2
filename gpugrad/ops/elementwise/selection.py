"""Elementwise choices between values: where, clip, maximum, and others whose gradient goes to the chosen value."""

from typing import Any

import numpy as np

from ...autograd.check.samples import binary
from ...autograd.op import OPS, Fixed, Op, op, xp
from ...autograd.plan import raised
from ...autograd.ufunc import elementwise, ufunc
from ...backend.dtypes import finfo, is_float

__all__ = ["clip", "copysign", "fmax", "fmin", "heaviside", "maximum", "minimum", "nan_to_num", "where"]


@op(
    samples=lambda s: [
        s.case(s(3, 4), s.bools(3, 4)), s.case(s(3, 4), s.bools(4)), s.case(s(), s.bools()),
        s.case(s(0, 3), s.bools(0, 3)),
        s.case(s(70, 60).T, s.bools(60, 70), smooth=False),
        s.case(np.array([np.inf, np.nan]), np.array([False, True]), smooth=False, gradient={"x": [0, 1]}),
    ],
    exact=True,
    bench=lambda s: (s.case(s(n, 1024), s.bools(n, 1024)) for n in (4096, 64, 512, 32768)),
    complex=True,
)  # fmt: skip
def keep_where(x, mask: Fixed):
    """Return x where `mask` (bool) is True, else 0, even where x is infinite or NaN."""
    return xp(x).where(mask, x, xp(x).zeros((), x.dtype))


keep_where.vjp(x=lambda g, mask: xp(g).keep_where(g, mask))


class Where(Op):
    """An op that, called with the condition alone, gives the indices where it holds, as NumPy's function does."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return OPS["nonzero"](args[0]) if len(args) == 1 and not kwargs else super().__call__(*args, **kwargs)


@op(
    make=Where,
    samples=lambda s: [
        s.case(s.bools(3, 4), s(3, 4), s(3, 4)), s.case(s.bools(3, 1), s(4), s()), s.case(s.bools(), s(2), s(3, 1)),
        s.case(s.bools(0, 3), s(0, 3), s(3)), s.case(s.ints(2, 4, 3).T, s(4, 3).T, s(3, 4)),
    ],
    exact=True,
    complex=True,
)  # fmt: skip
def where(condition: Fixed, x, y):
    """Return x where `condition` is true (not zero), else y; all three are broadcast. Without x and y: `nonzero`.

    >>> gg.where([True, False], 1.0, 2.0)
    tensor([1., 2.])
    """
    return xp(x).where(condition, x, y)


where.vjp(
    x=lambda g, condition: xp(g).keep_where(g, condition != 0),
    y=lambda g, condition: xp(g).keep_where(g, condition == 0),
)


def _clip_cases(s: Any) -> list:
    x, low, high = s.distinct(3, 4), np.array(-0.31), np.array(0.32)
    bounds = [s.case(x, low), s.case(x, None, high), s.case(x, low, high), s.case(x), s.case(s(0, 3), low, high)]
    arrays = [s.case(x, s.uniform(-0.3, -0.1, 4), s.uniform(0.1, 0.3, 3, 1)), s.case(s.distinct(4, 3).T, low, high)]
    on_bounds = s.case(np.array([-1.0, 0.0, 1.0]), np.array(-1.0), np.array(1.0), smooth=False)
    nan = s.case(
        np.array([np.nan]), np.array(-1.0), np.array(1.0), smooth=False, gradient={"x": [0], "min": 0, "max": 0}
    )
    empty = [np.array([0.0, 1.0, 2.0, 1.0]), np.array([1.0, 1.0, 1.0, 2.0]), np.ones(4)]  # no room between the bounds
    one = {"x": [0, 1, 0, 0], "min": [0, 0, 0, 0], "max": [1, 0, 1, 1]}  # each adds up to 1
    no_room = s.case(*empty, smooth=False, gradient=one)
    return [*bounds, *arrays, s.case(s(), low), on_bounds, nan, no_room]


@op(samples=_clip_cases, exact_gradient=True, inplace=True, complex=True)
def clip(x, min=None, max=None):
    """Hold x between `min` and `max`, numbers or arrays; None is no bound. A `max` below `min` wins.

    The gradient goes to x inside the bounds and on them, and to the bound that replaced x elsewhere. NaN stays NaN.

    >>> gg.clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    tensor([-1. ,  0.5,  1. ])
    """
    if min is None and max is None:
        return x.copy()
    if max is None:
        return xp(x).maximum(x, min)
    return xp(x).minimum(x, max) if min is None else xp(x).clip(x, min, max)


def _clip_x(g: Any, x: Any, min: Any, max: Any) -> Any:
    if min is None and max is None:
        return g
    if max is None:
        return xp(g).keep_where(g, x >= min)
    return xp(g).keep_where(g, x <= max if min is None else (x >= min) & (x <= max))


def _clip_min(g: Any, x: Any, min: Any, max: Any) -> Any:
    return xp(g).keep_where(g, x < min if max is None else (x < min) & (min < max))


def _clip_max(g: Any, x: Any, min: Any, max: Any) -> Any:
    return xp(g).keep_where(g, x > max if min is None else (x > max) | (min >= max) & (x < min))


clip.vjp(x=_clip_x, min=_clip_min, max=_clip_max)


def _pairs(s: Any, of_equal: float = 0.5, of_nan: float = 1) -> list:
    """Cases of two arrays. The gradient of x is `of_equal` where they are equal, and `of_nan` where x is NaN."""
    shapes = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((), ()), ((0, 3), (3,))]
    cases = [s.case(s.distinct(*a), s.distinct(*b) + 0.05) for a, b in shapes]
    x, y = np.array([1.0, np.nan, 2.0, np.inf]), np.array([1.0, 3.0, np.nan, np.inf])
    slopes = {"x": [of_equal, of_nan, 1, of_equal], "y": [1 - of_equal, 1, of_nan, 1 - of_equal]}
    special = s.case(x, y, smooth=False, gradient=slopes)
    return [*cases, special]


def _share(g: Any, x: Any, y: Any) -> Any:
    """Return g where x is the smaller of x and y, or NaN; half of it where they are equal."""
    g = xp(g).keep_where(g, ~(x > y))
    return g - 0.5 * xp(g).keep_where(g, x == y)


@ufunc(samples=_pairs, inplace=True, complex=True)
def maximum(x, y):
    """Return the larger of x and y; NaN where either is NaN. Equal values share the gradient evenly.

    >>> gg.maximum([1.0, 3.0], 2.0)
    tensor([2., 3.])
    """


maximum.vjp(x=lambda g, x, y: _share(g, -x, -y), y=lambda g, x, y: _share(g, -y, -x))


@ufunc(samples=_pairs, inplace=True, complex=True)
def minimum(x, y):
    """Return the smaller of x and y; NaN where either is NaN. Equal values share the gradient evenly.

    >>> gg.minimum([1.0, 3.0], 2.0)
    tensor([1., 2.])
    """


minimum.vjp(x=lambda g, x, y: _share(g, x, y), y=lambda g, x, y: _share(g, y, x))


@ufunc(samples=lambda s: _pairs(s, of_equal=1, of_nan=0), exact_gradient=True, complex=True)
def fmax(x, y):
    """Return the larger of x and y, ignoring NaN where only one is NaN. Where they are equal the gradient goes to x.

    >>> gg.fmax([1.0, gg.nan], 2.0)
    tensor([2., 2.])
    """


fmax.vjp(
    x=lambda g, x, y: xp(g).keep_where(g, (x >= y) | xp(y).isnan(y)),
    y=lambda g, x, y: xp(g).keep_where(g, ~((x >= y) | xp(y).isnan(y))),
)


@ufunc(samples=lambda s: _pairs(s, of_equal=1, of_nan=0), exact_gradient=True, complex=True)
def fmin(x, y):
    """Return the smaller of x and y, ignoring NaN where only one is NaN. Where they are equal the gradient goes to x.

    >>> gg.fmin([1.0, gg.nan], 2.0)
    tensor([1., 2.])
    """


fmin.vjp(
    x=lambda g, x, y: xp(g).keep_where(g, (x <= y) | xp(y).isnan(y)),
    y=lambda g, x, y: xp(g).keep_where(g, ~((x <= y) | xp(y).isnan(y))),
)


@ufunc(samples=binary(left=(0.2, 2), right=(-2, -0.2)), dtypes="float")
def copysign(x, y):
    """Return |x| with the sign of y.

    >>> gg.copysign([1.0, 2.0], [-1.0, 1.0])
    tensor([-1.,  2.])
    """


copysign.vjp(x=lambda g, x, out: g * (xp(g).sign(x) * xp(g).sign(out)), y=lambda g: xp(g).zeros_like(g))


def _heaviside_cases(s: Any) -> list:
    return [*binary(left=(0.2, 2))(s), s.case(np.array([-1.0, 0.0, 1.0]), s(3), smooth=False)]


@ufunc(samples=_heaviside_cases, exact_gradient=True, dtypes="float")
def heaviside(x, y):
    """Return 0 where x < 0, y where x == 0, 1 where x > 0.

    >>> gg.heaviside([-1.0, 0.0, 1.0], 0.5)
    tensor([0. , 0.5, 1. ])
    """


heaviside.vjp(x=lambda g: xp(g).zeros_like(g), y=lambda g, x: xp(g).keep_where(g, x == 0))


def _nan_to_num_special(s: Any) -> list:
    x, kept = np.array([np.nan, np.inf, -np.inf, 1.0]), {"x": [0, 0, 0, 1]}
    others = {"nan": 1.0, "posinf": 2.0, "neginf": 3.0}
    return [s.case(x, smooth=False, gradient=kept), s.case(x, smooth=False, gradient=kept, **others)]


@elementwise(
    samples=lambda s: [
        s.case(s(3, 4)), s.case(s()), s.case(s(0, 3)), *_nan_to_num_special(s),
    ],
    exact=True,
)  # fmt: skip
def nan_to_num(x, *, copy=True, nan=0.0, posinf=None, neginf=None):
    """Replace NaN and the infinities in x; by default the infinities become the largest numbers of the dtype.

    Behind x, a bool is NumPy's `copy`, and a number PyTorch's `nan`.

    >>> gg.nan_to_num([1.0, gg.nan, gg.inf], posinf=9.0)
    tensor([1., 0., 9.])
    """
    if copy is not True:
        raise TypeError(f"copy is True, as functions give new tensors; got {copy!r}")
    if not is_float(x.dtype):
        return x
    limits, wide = finfo(x.dtype), raised(x)
    posinf, neginf = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
    return xp(x).nan_to_num(wide, nan=nan, posinf=posinf, neginf=neginf).astype(x.dtype)


nan_to_num.vjp(x=lambda g, x: xp(g).keep_where(g, xp(x).isfinite(x)))
