"""Sliding windows as an array of their own, and their sum back into place.

`unfold_windows` copies elements, `fold_windows` adds them up where they came from: each is the other's gradient. The
attributes are those of `ops.pool`: `padding` holds a (low, high) pair per spatial axis.
"""

from math import prod

from ..autograd.op import op, xp
from .conv import output_size
from .pool import elements_at, kernel_offsets

__all__ = []

_CASES = [
    dict(size=(7,), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,)),
    dict(size=(4, 6), kernel=(2, 3), stride=(1, 2), padding=((1, 1), (0, 1)), dilation=(1, 1)),
    dict(size=(6, 5), kernel=(2, 2), stride=(3, 1), padding=((0, 2), (1, 1)), dilation=(3, 2)),
    dict(size=(3, 2, 4), kernel=(2, 1, 3), stride=(1, 1, 1), padding=((0, 0), (1, 0), (0, 0)), dilation=(1, 1, 1)),
]


def _unfolded(case: dict) -> tuple:
    return (prod(case["kernel"]), *output_size(**case))


@op(
    samples=lambda s: [
        s.case(s(batch, 2, *c["size"]), **{k: v for k, v in c.items() if k != "size"})
        for batch, c in zip((2, 1, 2, 0), _CASES, strict=True)
    ],
    exact=True,
    dtypes="own",
    complex=True,
)
def unfold_windows(x, *, kernel, stride, padding, dilation):
    """Return each window of x (N, C, *S), padded with zeros, as a column: (N, C, prod(kernel), *O)."""
    out = output_size(x.shape[2:], kernel, stride, padding, dilation)
    padded = xp(x).pad(x, ((0, 0), (0, 0), *padding))
    return xp(x).stack([padded[elements_at(offset, out, stride, dilation)] for offset in kernel_offsets(kernel)], 2)


unfold_windows.vjp(
    x=lambda g, x_shape, kernel, stride, padding, dilation: xp(g).fold_windows(
        g, size=x_shape[2:], kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)


@op(
    samples=lambda s: [s.case(s(batch, 1, *_unfolded(c)), **c) for batch, c in zip((2, 1, 2, 0), _CASES, strict=True)],
    exact_gradient=True,
    complex=True,
)
def fold_windows(y, *, size, kernel, stride, padding, dilation):
    """Add the columns y (N, C, prod(kernel), *O) into zeros (N, C, *size), where `unfold_windows` takes them from."""
    out = output_size(size, kernel, stride, padding, dilation)
    if y.shape[2:] != (prod(kernel), *out):
        raise ValueError(f"windows of {size} are {(prod(kernel), *out)} after (N, C), got {y.shape}")
    total = xp(y).zeros((*y.shape[:2], *(n + sum(p) for n, p in zip(size, padding, strict=True))), y.dtype)
    for k, offset in enumerate(kernel_offsets(kernel)):
        total[elements_at(offset, out, stride, dilation)] += y[:, :, k]
    return total[(..., *(slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True)))]


fold_windows.vjp(
    y=lambda g, kernel, stride, padding, dilation: xp(g).unfold_windows(
        g, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )
)
