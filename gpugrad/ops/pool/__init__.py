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

from ...autograd.op import Fixed, op, xp
from ..conv import output_size

__all__ = ["max_pool", "sum_pool"]


def kernel_offsets(kernel: tuple) -> Any:
    """Return the positions in a window of this size, in row-major order."""
    return itertools.product(*map(range, kernel))


def elements_at(offset: tuple, out: tuple, stride: tuple, dilation: tuple) -> tuple:
    """Return the index of the elements at one offset of the kernel, one for each window, in a padded input."""
    parts = zip(offset, out, stride, dilation, strict=True)
    return (..., *(slice(o * d, o * d + (n - 1) * s + 1, s) for o, n, s, d in parts))


def _padded(x: Any, padding: tuple, value: float) -> Any:
    return xp(x).pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def _argmax_positions(x: Any, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> Any:
    """Return the position (N, C, *O) of each window's first maximum, counted through the input's spatial plane."""
    ns = xp(x)
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    numbers = _padded(ns.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:]), padding, -1)
    x = _padded(x, padding, -math.inf)
    values = ns.stack([x[elements_at(o, out, stride, dilation)] for o in kernel_offsets(kernel)], -1)
    where = ns.stack([numbers[elements_at(o, out, stride, dilation)] for o in kernel_offsets(kernel)], -1)
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
    """Return inputs for 2x2 windows side by side."""
    sides = {"kernel": [2, 2], "stride": [2, 2], "padding": [[0, 0], [0, 0]]}
    return (s.case(s(n, 64, 56, 56), **sides, **more) for n in (32, 1, 8, 128))


@op(
    samples=lambda s: [s.case(s.distinct(*x), **a) for x, a in map(_split, _CASES)],
    exact=True,
    bench=lambda s: _halved(s, dilation=[1, 1]),
    flops=lambda x, out: (x.size, out.size),
)
def max_pool(x, *, kernel, stride, padding, dilation):
    """Return the maximum of each window: x (N, C, *S) -> (N, C, *O). A NaN in a window is its maximum.

    >>> x = gg.tensor([[[1.0, 3.0, 2.0, 0.0]]])
    >>> gg.max_pool(x, kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    tensor([[[3., 2.]]])
    """
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    padded = _padded(x, padding, -math.inf)
    best = None
    for offset in kernel_offsets(kernel):
        values = padded[elements_at(offset, out, stride, dilation)]
        best = values.copy() if best is None else xp(x).maximum(best, values)
    return best


max_pool.vjp(
    x=lambda g, x, kernel, stride, padding, dilation: xp(g).max_pool_scatter(
        g, x, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(samples=lambda s: [s.case(s.distinct(*x), **a) for x, a in map(_split, _CASES)])
def max_pool_indices(x: Fixed, *, kernel, stride, padding, dilation):
    """Return the positions of the maxima, int64 (N, C, *O), counted through the input's spatial plane as PyTorch does.

    >>> from gpugrad.ops.pool import max_pool_indices
    >>> x = gg.tensor([[[1.0, 3.0, 2.0, 0.0]]])
    >>> max_pool_indices(x, kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    tensor([[[1, 2]]])
    """
    return _argmax_positions(x, kernel, stride, padding, dilation)


@op(
    samples=lambda s: [s.case(s(*_out_shape(c)), s.distinct(*c["x"]), **_split(c)[1]) for c in _CASES],
    exact_gradient=True,
)
def max_pool_scatter(y, x: Fixed, *, kernel, stride, padding, dilation):
    """Add y (N, C, *O) into zeros of x's shape, where x (N, C, *S) has the maxima of its windows.

    >>> from gpugrad.ops.pool import max_pool_scatter
    >>> x, y = gg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), gg.tensor([[[5.0, 6.0]]])
    >>> max_pool_scatter(y, x, kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    tensor([[[0., 5., 6., 0.]]])
    """
    places = _argmax_positions(x, kernel, stride, padding, dilation)
    if y.shape != places.shape:
        raise ValueError(f"y {y.shape} must have the shape of the pooled x, {places.shape}")
    plane, outs = (*x.shape[:2], math.prod(x.shape[2:])), (*x.shape[:2], math.prod(y.shape[2:]))
    return xp(y).put_along(y.reshape(outs), places.reshape(outs), axis=-1, shape=plane).reshape(x.shape)


max_pool_scatter.vjp(
    y=lambda g, x, kernel, stride, padding, dilation: xp(g).max_pool_gather(
        g, x, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(samples=lambda s: [s.case(s(*c["x"]), s.distinct(*c["x"]), **_split(c)[1]) for c in _CASES], exact=True)
def max_pool_gather(y, x: Fixed, *, kernel, stride, padding, dilation):
    """Return the elements (N, C, *O) of y (N, C, *S) where x, of the same shape, has the maxima of its windows.

    >>> from gpugrad.ops.pool import max_pool_gather
    >>> x, y = gg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), gg.tensor([[[5.0, 6.0, 7.0, 8.0]]])
    >>> max_pool_gather(y, x, kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    tensor([[[6., 7.]]])
    """
    places = _argmax_positions(x, kernel, stride, padding, dilation)
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
    exact_gradient=True,
)
def sum_pool(x, *, kernel, stride, padding):
    """Return the sum of each window: x (N, C, *S) -> (N, C, *O).

    >>> gg.sum_pool(gg.tensor([[[1.0, 3.0, 2.0, 0.0]]]), kernel=(2,), stride=(2,), padding=((0, 0),))
    tensor([[[4., 2.]]])
    """
    ones = (1,) * len(kernel)
    out = output_size(x.shape[2:], kernel, stride, padding, ones)
    padded = _padded(x, padding, 0)
    return sum(padded[elements_at(offset, out, stride, ones)] for offset in kernel_offsets(kernel))


sum_pool.vjp(
    x=lambda g, x_shape, kernel, stride, padding: xp(g).sum_pool_adjoint(
        g, shape=x_shape, kernel=kernel, stride=stride, padding=padding
    )
)


@op(
    samples=lambda s: [s.case(s(*_out_shape(c)), shape=c["x"], **_split(c, False)[1]) for c in _undilated()],
    exact_gradient=True,
)
def sum_pool_adjoint(y, *, shape, kernel, stride, padding):
    """Add each element of y (N, C, *O) to all elements of its window, in zeros of `shape` (N, C, *S).

    >>> from gpugrad.ops.pool import sum_pool_adjoint
    >>> y = gg.tensor([[[4.0, 2.0]]])
    >>> sum_pool_adjoint(y, shape=(1, 1, 4), kernel=(2,), stride=(2,), padding=((0, 0),))
    tensor([[[4., 4., 2., 2.]]])
    """
    ones = (1,) * len(kernel)
    if y.shape != (*shape[:2], *output_size(shape[2:], kernel, stride, padding, ones)):
        raise ValueError(f"y {y.shape} must have the shape of the pooled x {tuple(shape)}")
    padded = [n + low + high for n, (low, high) in zip(shape[2:], padding, strict=True)]
    out = xp(y).zeros((*shape[:2], *padded), y.dtype)
    for offset in kernel_offsets(kernel):
        out[elements_at(offset, y.shape[2:], stride, ones)] += y
    return out[(..., *(slice(low, low + n) for n, (low, _) in zip(shape[2:], padding, strict=True)))]


sum_pool_adjoint.vjp(
    y=lambda g, kernel, stride, padding: xp(g).sum_pool(g, kernel=kernel, stride=stride, padding=padding)
)
