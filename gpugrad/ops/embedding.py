"""Looking rows up in a table."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import Fixed, op, xp
from ..errors import DTypeError, OutOfRangeError

__all__ = ["embedding", "one_hot"]


@op(
    samples=lambda s: [
        s.case(s.ints(5, 2, 3), s(5, 4)),
        s.case(np.array(2), s(5, 4)),
        s.case(np.zeros((0, 3), np.int64), s(5, 4)),
        s.case(np.array([1, 1, 4]), s(5, 4), padding_idx=1, smooth=False),
    ],
    bench=lambda s: (s.case(s.ints(32000, n), s(32000, 768)) for n in (8192, 512, 65536)),
)
def embedding(input: Fixed, weight, *, padding_idx=None):
    """Rows of `weight` (V, D) at the indices `input` (...): (..., D). The row `padding_idx` gets no gradient.

    An index outside of the table raises OutOfRangeError; on cuda, which would have to be waited for, it gives NaN.
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


def one_hot(input, num_classes: int = -1):
    """int64 ones at the classes `input` (...): (..., num_classes); -1 means one more than the largest class."""
    input = asarray(input)
    if input.dtype.kind not in "iu":
        raise DTypeError(f"one_hot: classes must be integers, got {input.dtype}")
    array, ns = input._array, input.device.xp
    count = int(array.max()) + 1 if num_classes == -1 else num_classes
    if array.size and not (0 <= int(array.min()) and int(array.max()) < count):
        raise OutOfRangeError(f"one_hot: classes from {int(array.min())} to {int(array.max())}, num_classes={count}")
    return asarray((array[..., None] == ns.arange(count)).astype(np.int64), device=input.device)
