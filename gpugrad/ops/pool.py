"""Pooling over windows in one to three spatial dimensions.

`max_pool` picks the first maximum of each window (NaN counts as the largest). Its gradient puts values where the maxima
were (`max_pool_scatter`), the gradient of that picks them there (`max_pool_gather`): with the places held fixed, these
two are each other's adjoints, and so are `sum_pool` and `sum_pool_adjoint`. `padding` holds a (low, high) pair per
spatial axis; a maximum is never taken from the padding, a sum sees zeros there. `nn.functional` has the functions with
PyTorch's arguments.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..autograd.op import Fixed, op, xp
from ..backend import cpu
from .conv import output_size

__all__ = ["max_pool", "sum_pool"]


def _offsets(kernel: tuple) -> Any:
    return itertools.product(*map(range, kernel))


def _reach(offset: tuple, out: tuple, stride: tuple, dilation: tuple) -> tuple:
    """The slices of a padded input that hold element `offset` of every window."""
    parts = zip(offset, out, stride, dilation, strict=True)
    return (..., *(slice(o * d, o * d + (n - 1) * s + 1, s) for o, n, s, d in parts))


def _padded(x: Any, padding: tuple, value: float) -> Any:
    return xp(x).pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def _places(x: Any, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """Flat positions (N, C, *O), in the input's spatial plane, of the first maximum of each window."""
    ns = xp(x)
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    numbers = _padded(ns.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:]), padding, -1)
    x = _padded(x, padding, -math.inf)
    values = ns.stack([x[_reach(o, out, stride, dilation)] for o in _offsets(kernel)], -1)
    where = ns.stack([numbers[_reach(o, out, stride, dilation)] for o in _offsets(kernel)], -1)
    best = values.max(axis=-1, keepdims=True)
    chosen = ((values == best) | (values != values)) & (where >= 0)
    where = where + ns.zeros(values.shape, where.dtype)
    return ns.take_along_axis(where, chosen.argmax(axis=-1)[..., None], -1)[..., 0]


_CASES = [
    dict(x=(2, 3, 7), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,)),
    dict(x=(2, 2, 4, 6), kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
    dict(x=(1, 2, 5, 6), kernel=(3, 2), stride=(1, 2), padding=((1, 1), (0, 1)), dilation=(1, 2)),
    dict(x=(1, 1, 5, 7), kernel=(2, 2), stride=(3, 3), padding=((0, 1), (1, 0)), dilation=(1, 1)),
    dict(x=(1, 2, 3, 4, 3), kernel=(2, 2, 2), stride=(1, 2, 1), padding=((1, 0), (0, 0), (0, 1)), dilation=(1, 1, 1)),
    dict(x=(0, 2, 4, 4), kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
]  # fmt: skip


def _split(case: dict, dilated: bool = True) -> tuple[tuple, dict]:
    attributes = {name: value for name, value in case.items() if name != "x" and (dilated or name != "dilation")}
    return case["x"], attributes


def _out_shape(case: dict) -> tuple:
    size = output_size(case["x"][2:], case["kernel"], case["stride"], case["padding"], case["dilation"])
    return (*case["x"][:2], *size)


def _undilated() -> list[dict]:
    return [{**c, "dilation": (1,) * len(c["kernel"])} for c in _CASES]


def _halved(s: Any, **more: Any) -> Iterator:
    """2x2 windows side by side."""
    sides = {"kernel": [2, 2], "stride": [2, 2], "padding": [[0, 0], [0, 0]]}
    return (s.case(s(n, 64, 56, 56), **sides, **more) for n in (32, 1, 8, 128))


@op(
    samples=lambda s: [s.case(s.distinct(*x), **a) for x, a in map(_split, _CASES)],
    exact=True,
    bench=lambda s: _halved(s, dilation=[1, 1]),
    flops=lambda x, out: (x.size, out.size),
)
def max_pool(x, *, kernel, stride, padding, dilation):
    """The maximum of each window: x (N, C, *S) -> (N, C, *O). A NaN in a window is its maximum."""
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    padded = _padded(x, padding, -math.inf)
    best = None
    for offset in _offsets(kernel):
        values = padded[_reach(offset, out, stride, dilation)]
        best = values.copy() if best is None else xp(x).maximum(best, values)
    return best


max_pool.vjp(
    x=lambda g, x, kernel, stride, padding, dilation: xp(g).max_pool_scatter(
        g, x, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(samples=lambda s: [s.case(s.distinct(*x), **a) for x, a in map(_split, _CASES)])
def max_pool_indices(x: Fixed, *, kernel, stride, padding, dilation):
    """Where the maxima are: int64 (N, C, *O), flat in the input's spatial plane, as PyTorch counts them."""
    return _places(x, kernel, stride, padding, dilation)


@op(samples=lambda s: [s.case(s(*_out_shape(c)), s.distinct(*c["x"]), **_split(c)[1]) for c in _CASES])
def max_pool_scatter(y, x: Fixed, *, kernel, stride, padding, dilation):
    """y (N, C, *O) added into zeros of x's shape where x (N, C, *S) has the maxima of its windows."""
    places = _places(x, kernel, stride, padding, dilation)
    plane, outs = (*x.shape[:2], math.prod(x.shape[2:])), (*x.shape[:2], math.prod(y.shape[2:]))
    return xp(y).put_along(y.reshape(outs), places.reshape(outs), axis=-1, shape=plane).reshape(x.shape)


max_pool_scatter.vjp(
    y=lambda g, x, kernel, stride, padding, dilation: xp(g).max_pool_gather(
        g, x, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(samples=lambda s: [s.case(s(*c["x"]), s.distinct(*c["x"]), **_split(c)[1]) for c in _CASES])
def max_pool_gather(y, x: Fixed, *, kernel, stride, padding, dilation):
    """The elements of y (N, C, *S) where x, of the same shape, has the maxima of its windows: (N, C, *O)."""
    places = _places(x, kernel, stride, padding, dilation)
    plane = (*x.shape[:2], math.prod(x.shape[2:]))
    picked = xp(y).take_along_axis(y.reshape(plane), places.reshape(*x.shape[:2], math.prod(places.shape[2:])), axis=-1)
    return picked.reshape(places.shape)


max_pool_gather.vjp(
    y=lambda g, x, kernel, stride, padding, dilation: xp(g).max_pool_scatter(
        g, x, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(
    samples=lambda s: [s.case(s(*x), **a) for x, a in (_split(c, False) for c in _undilated())],
    bench=_halved,
    flops=lambda x, out: (x.size, out.size),
)
def sum_pool(x, *, kernel, stride, padding):
    """The sum of each window: x (N, C, *S) -> (N, C, *O)."""
    ones = (1,) * len(kernel)
    out = output_size(x.shape[2:], kernel, stride, padding, ones)
    padded = _padded(x, padding, 0)
    return sum(padded[_reach(offset, out, stride, ones)] for offset in _offsets(kernel))


sum_pool.vjp(
    x=lambda g, x_shape, kernel, stride, padding: xp(g).sum_pool_adjoint(
        g, shape=x_shape, kernel=kernel, stride=stride, padding=padding
    )
)


@op(samples=lambda s: [s.case(s(*_out_shape(c)), shape=c["x"], **_split(c, False)[1]) for c in _undilated()])
def sum_pool_adjoint(y, *, shape, kernel, stride, padding):
    """y (N, C, *O) added to every element of its window, in zeros of `shape` (N, C, *S)."""
    ones = (1,) * len(kernel)
    padded = [n + low + high for n, (low, high) in zip(shape[2:], padding, strict=True)]
    out = xp(y).zeros((*shape[:2], *padded), y.dtype)
    for offset in _offsets(kernel):
        out[_reach(offset, y.shape[2:], stride, ones)] += y
    return out[(..., *(slice(low, low + n) for n, (low, _) in zip(shape[2:], padding, strict=True)))]


sum_pool_adjoint.vjp(
    y=lambda g, kernel, stride, padding: xp(g).sum_pool(g, kernel=kernel, stride=stride, padding=padding)
)


@max_pool.path("cpu")
def _max_pool_cpu(x, *, kernel, stride, padding, dilation):
    output_size(x.shape[2:], kernel, stride, padding, dilation)
    out, offsets = cpu.pool.max_pool_forward(x, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    return out, {"offsets": offsets}


@_max_pool_cpu.backward
def _(g, offsets, x_shape, kernel, stride, padding, dilation):
    return cpu.pool.max_pool_backward(
        g, offsets, shape=x_shape, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )


@max_pool_indices.path("cpu")
def _max_pool_indices_cpu(x, *, kernel, stride, padding, dilation):
    window = dict(kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    output_size(x.shape[2:], **window)
    return cpu.pool.max_pool_indices(cpu.pool.max_pool_forward(x, **window)[1], shape=x.shape, **window).astype(
        np.int64
    ), {}


@sum_pool.path("cpu")
def _sum_pool_cpu(x, *, kernel, stride, padding):
    output_size(x.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    return cpu.pool.sum_pool_forward(x, kernel=kernel, stride=stride, padding=padding), {}


@sum_pool_adjoint.path("cpu")
def _sum_pool_adjoint_cpu(y, *, shape, kernel, stride, padding):
    return cpu.pool.sum_pool_backward(y, shape=shape, kernel=kernel, stride=stride, padding=padding), {}
