"""Arguments of functions that work on inputs (N, C, *S) of one to three spatial axes.

The public functions check their arguments here, once. The ops take tuples with one entry per axis and trust them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError


def per_axis(value: Any, dims: int, name: str, least: int = 1) -> tuple[int, ...]:
    """Return an int, or a sequence of one int per spatial axis, as a tuple.

    Raises ShapeError for anything else, and for numbers below `least`; `name` is "function: argument".
    """
    if type(value) is int and value >= least:
        return (value,) * dims
    given = tuple(value) if isinstance(value, Sequence) else (value,)
    if len(given) == 1:
        given *= dims
    fits = len(given) == dims
    for number in given:  # a loop, which unlike a generator adds no calls to every convolution
        fits = fits and isinstance(number, (int, np.integer)) and number >= least
    if not fits:
        kind = "positive" if least else "not negative"
        raise ShapeError(f"{name} must be {kind}, an int or {dims} of them, got {value!r}")
    return given


def batched(name: str, dims: int, input: Any) -> tuple[Tensor, bool]:
    """Return input with a batch axis, and whether that was added. Raises ShapeError for another number of axes."""
    input = asarray(input)
    if input.ndim not in (dims + 1, dims + 2):
        raise ShapeError(f"{name}: expected input (N, C{', size' * dims}) or without N, got {input.shape}")
    return (input, False) if input.ndim == dims + 2 else (input.reshape((1, *input.shape)), True)


def padding_pairs(
    padding: Any, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], name: str
) -> tuple[tuple[int, int], ...]:
    """Return (low, high) per axis of a convolution's padding: an int, ints, "valid", "same", or such pairs."""
    dims = len(kernel)
    if type(padding) is int and padding >= 0:
        return ((padding, padding),) * dims
    if padding == "valid":
        return ((0, 0),) * dims
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ShapeError(f"{name}: padding='same' needs stride 1, got {stride}")
        total = (d * (f - 1) for d, f in zip(dilation, kernel, strict=True))
        return tuple((t // 2, t - t // 2) for t in total)
    if isinstance(padding, str):
        raise ShapeError(f"{name}: padding is 'same', 'valid' or numbers, got {padding!r}")
    if isinstance(padding, Sequence) and padding and all(isinstance(pair, Sequence) for pair in padding):
        pairs = tuple(map(tuple, padding))
    else:
        sides = per_axis(padding, dims, f"{name}: padding", 0)
        pairs = tuple(zip(sides, sides, strict=True))
    fits = len(pairs) == dims
    for pair in pairs:
        fits = fits and len(pair) == 2 and all([isinstance(n, (int, np.integer)) and n >= 0 for n in pair])
    if not fits:
        raise ShapeError(f"{name}: padding must be {dims} non-negative ints or pairs, got {padding!r}")
    return pairs
