"""Looking rows up in a table, and adding up rows that share an id."""

from math import prod

import numpy as np

from ...autograd.convert import asarray
from ...autograd.op import Fixed, op, xp
from ...errors import DTypeError, OutOfRangeError

__all__ = ["embedding", "one_hot", "segment_sum"]

NARROW = 8  # elements of a slice up to which `segment_sum` adds element by element


@op(
    samples=lambda s: [
        s.case(s.ints(5, 2, 3), s(5, 4)),
        s.case(np.array(2), s(5, 4)),
        s.case(np.zeros((0, 3), np.int64), s(5, 4)),
        s.case(
            np.array([1, 1, 4]),
            s(5, 4),
            padding_idx=1,
            smooth=False,
            gradient={"weight": [[0] * 4] * 4 + [[1] * 4]},
        ),
    ],
    bench=lambda s: (s.case(s.ints(32000, n), s(32000, 768)) for n in (8192, 512, 65536)),
    exact=True,
    complex=True,
)
def embedding(input: Fixed, weight, *, padding_idx=None):
    """Return rows of `weight` (V, D) at the indices `input` (...): (..., D). The row `padding_idx` gets no gradient.

    An index outside of the table raises OutOfRangeError. On cuda, where the check would have to wait for the device, it
    gives NaN, but in a table without rows it raises there too.

    >>> gg.embedding(gg.tensor([2, 0]), gg.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    tensor([[4., 5.],
            [0., 1.]])
    """
    if input.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got {input.dtype}")
    if input.size and not (0 <= int(input.min()) and int(input.max()) < weight.shape[0]):
        raise IndexError(f"indices from {int(input.min())} to {int(input.max())} in a table of {weight.shape[0]} rows")
    return xp(weight).take(weight, input, axis=0)


def _weight_gradient(g, input, padding_idx, weight_shape):
    summed = xp(g).put_add(g, index=(input,), shape=weight_shape)
    return summed if padding_idx is None else xp(g).clear(summed, index=padding_idx)


embedding.vjp(weight=_weight_gradient)


@op(
    samples=lambda s: [
        s.case(s(5, 3), s.ints(3, 5), num_segments=4),
        s.case(s(6), s.ints(2, 6), num_segments=2),
        s.case(s(4, 2, 2), np.array([2, 0, 2, 2]), num_segments=3),
        s.case(s(0, 3), s.ints(3, 0), num_segments=2),
        s.case(s(300, 2), s.ints(2, 300), num_segments=3),
        s.case(s(20, 3, 4), s.ints(6, 20), num_segments=7),
    ],
    bench=lambda s: [s.case(s(8192, 256), s.ints(2048, 8192), num_segments=2048)],
    exact_gradient=True,
    complex=True,
)
def segment_sum(x, segments: Fixed, *, num_segments):
    """Return the sums of the slices of x that have the same id: x (n, ...), ids `segments` (n,) -> (num_segments, ...).

    out[s] is the sum of x[i] over all i with segments[i] = s, in a fixed order, so that a rerun gives the same bits. An
    id outside of the range raises OutOfRangeError. On cuda, where the check would have to wait for the device, slices
    with such an id are left out.

    >>> gg.segment_sum(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([0, 1, 0]), num_segments=2)
    tensor([4., 2.])
    """
    if segments.shape != x.shape[:1] or segments.dtype.kind not in "iu":
        raise ValueError(f"segments must be integers (n,) for x (n, ...), got {segments.dtype} {segments.shape}")
    ns, out = xp(x), xp(x).zeros((num_segments, *x.shape[1:]), x.dtype)
    if not x.size:
        return out
    if not (0 <= int(segments.min()) and int(segments.max()) < num_segments):
        raise IndexError(f"segments from {int(segments.min())} to {int(segments.max())}, num_segments={num_segments}")
    if x.dtype.kind == "c":
        parts = segment_sum.forward(ns.stack([x.real, x.imag], axis=-1), segments, num_segments=num_segments)
        return ns.ascontiguousarray(parts).view(x.dtype)[..., 0]
    width = prod(x.shape[1:])
    if width <= NARROW:
        columns = segments.astype(np.int64)[:, None] * width + ns.arange(width)
        total = ns.bincount(columns.reshape(-1), weights=x.reshape(-1), minlength=num_segments * width)
        return total.astype(x.dtype).reshape(out.shape)
    order = ns.argsort(segments.astype(np.min_scalar_type(num_segments)), kind="stable")  # 16 bits in linear time
    numbers, sums = segments[order], x[order]
    changes = ns.flatnonzero(numbers[1:] != numbers[:-1]) + 1
    bounds = ns.concatenate([ns.zeros(1, changes.dtype), changes, ns.full(1, len(numbers), changes.dtype)])
    starts, counts = bounds[:-1], ns.diff(bounds)
    slices = ns.arange(len(numbers))
    rank = slices - ns.repeat(starts, counts)
    behind = ns.repeat(counts, counts) - rank
    step = 1  # pairs of a segment's slices are added, then pairs of these sums, and so on
    while (chosen := (rank & (2 * step - 1) == 0) & (behind > step)).any():
        slices, rank, behind = slices[chosen], rank[chosen], behind[chosen]
        sums[slices] = ns.take(sums, slices, axis=0) + ns.take(sums, slices + step, axis=0)
        step *= 2
    out[numbers[starts]] = sums[starts]
    return out


segment_sum.vjp(x=lambda g, segments: xp(g).take(g, segments, axis=0))


def one_hot(input, num_classes: int = -1):
    """Return ones at the classes `input` (...) and zeros elsewhere, int64: (..., num_classes).

    `num_classes` -1 means one more than the largest class.

    >>> gg.one_hot(gg.tensor([0, 2]), num_classes=3)
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    input = asarray(input)
    if input.dtype.kind not in "iu":
        raise DTypeError(f"one_hot: classes must be integers, got {input.dtype}")
    array, ns = input._array, input.device.xp
    count = int(array.max()) + 1 if num_classes == -1 else num_classes
    if array.size and not (0 <= int(array.min()) and int(array.max()) < count):
        raise OutOfRangeError(f"one_hot: classes from {int(array.min())} to {int(array.max())}, num_classes={count}")
    return asarray((array[..., None] == ns.arange(count)).astype(np.int64), device=input.device)
