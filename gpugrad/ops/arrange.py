"""Rearranging along axes: reversing, rolling, turning, repeating."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..backend.capture import constant_array
from ..errors import ShapeError
from .index import take
from .shape import axis_of, broadcast_to, reshape, swapaxes

__all__ = ["flip", "fliplr", "flipud", "repeat", "repeat_interleave", "roll", "rot90", "tile"]


@op(
    samples=lambda s: [
        s.case(s(3, 4)),
        s.case(s(3, 4), axis=0),
        s.case(s(2, 3, 4), axis=(0, -1)),
        s.case(s(0, 3)),
        s.case(s(4, 3).T, axis=1),
        s.case(s()),
    ],
    view=True,
    exact=True,
    dtypes="own",
    complex=True,
)
def flip(x, *, axis=None):
    """Return x with the order along `axis` (an int, a tuple, or None for all axes) reversed. The result is a view.

    >>> gg.flip(gg.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([[2, 1],
            [4, 3]])
    """
    return xp(x).flip(x, axis)


flip.vjp(x=lambda g, axis: xp(g).flip(g, axis=axis))


@op(
    samples=lambda s: [
        s.case(s(3, 4), shift=2),
        s.case(s(3, 4), shift=-1, axis=1),
        s.case(s(3, 4), shift=(1, 5), axis=(0, -1)),
        s.case(s(3, 4), shift=2, axis=(0, 1)),
        s.case(s(0, 3), shift=1, axis=0),
        s.case(s(), shift=0),
    ],
    exact=True,
    dtypes="own",
    scalar_axis=False,
    complex=True,
)
def roll(x, *, shift, axis=None):
    """Return x with its elements moved on by `shift` places along `axis`; those pushed out at the end come back in
    front.

    axis=None rolls the flattened x; tuples of shifts and axes are applied in turn.

    >>> gg.roll(gg.arange(5), shift=2)
    tensor([3, 4, 0, 1, 2])
    """
    return xp(x).roll(x, shift, axis)


def _roll_rule(g: Any, shift: Any, axis: Any) -> Any:
    back = tuple(-n for n in shift) if isinstance(shift, (tuple, list)) else -shift
    return xp(g).roll(g, back, axis=axis)


roll.vjp(x=_roll_rule)


def fliplr(x: Any) -> Tensor:
    """Return x with the order along axis 1 reversed.

    >>> gg.fliplr([[1, 2], [3, 4]])
    tensor([[2, 1],
            [4, 3]])
    """
    return flip(x, axis=1)


def flipud(x: Any) -> Tensor:
    """Return x with the order along axis 0 reversed. Raises ShapeError for a 0-d x.

    >>> gg.flipud([[1, 2], [3, 4]])
    tensor([[3, 4],
            [1, 2]])
    """
    x = asarray(x)
    return flip(x, axis=axis_of("flipud", x, 0))


@torch_words
def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Tensor:
    """Return x turned by k quarter turns in the plane of `axes`, from the first towards the second.

    >>> gg.rot90([[1, 2], [3, 4]])
    tensor([[2, 4],
            [1, 3]])
    """
    x = asarray(x)
    first, second = (axis_of("rot90", x, axis) for axis in axes)
    if first == second:
        raise ShapeError(f"rot90: axes={tuple(axes)} name one axis of shape {x.shape} twice")
    turns = k % 4
    if turns == 2:
        return flip(x, axis=(first, second))
    turned = swapaxes(flip(x, axis=second) if turns == 1 else x, axis1=first, axis2=second) if turns else x
    return flip(turned, axis=second) if turns == 3 else turned


def _repeated(x: Tensor, reps: Sequence[int], inner: bool) -> Tensor:
    """Return x repeated reps[i] times along each axis i: as a whole (tile) or, if `inner`, each element (repeat)."""
    apart = [n for length, r in zip(x.shape, reps, strict=True) for n in ((length, 1) if inner else (1, length))]
    wide = [n for length, r in zip(x.shape, reps, strict=True) for n in ((length, r) if inner else (r, length))]
    shape = [length * r for length, r in zip(x.shape, reps, strict=True)]
    return reshape(broadcast_to(reshape(x, shape=apart), shape=tuple(wide)), shape=shape)


def tile(x: Any, *args: Any, reps: Any = None) -> Tensor:
    """Return copies of x laid side by side, reps[i] of them along each axis i; they come apart or as one sequence.

    `reps` may have more or fewer numbers than x has axes; the missing ones count as 1, in front.

    >>> gg.tile(gg.tensor([1, 2]), 2, 3)
    tensor([[1, 2, 1, 2, 1, 2],
            [1, 2, 1, 2, 1, 2]])
    """
    x = asarray(x)
    reps = args if reps is None else (*args, (reps,) if isinstance(reps, int) else tuple(reps))
    counts = tuple(reps[0]) if len(reps) == 1 and isinstance(reps[0], (tuple, list)) else reps
    if any(r < 0 for r in counts):
        raise ShapeError(f"tile: numbers of repetitions cannot be negative, got {counts}")
    n = max(len(counts), x.ndim)
    x = reshape(x, shape=(1,) * (n - x.ndim) + x.shape) if x.ndim < n else x
    return _repeated(x, (1,) * (n - len(counts)) + counts, inner=False)


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Return x with each element, or each slice along `axis`, repeated; axis=None flattens x first.

    repeats: one number for all of them, or a number for each.

    >>> gg.repeat([1, 2], 2)
    tensor([1, 1, 2, 2])
    >>> gg.repeat([[1, 2], [3, 4]], [2, 1], axis=0)
    tensor([[1, 2],
            [1, 2],
            [3, 4]])
    """
    x = asarray(x)
    x, axis = (reshape(x, shape=-1), 0) if axis is None else (x, axis_of("repeat", x, axis))
    counts = repeats.tolist() if hasattr(repeats, "tolist") else repeats
    counts = counts[0] if isinstance(counts, (list, tuple)) and len(counts) == 1 else counts
    length = x.shape[axis]
    if isinstance(counts, int):
        if counts < 0:
            raise ShapeError(f"repeat: the number of repetitions cannot be negative, got {counts}")
        return _repeated(x, [counts if i == axis else 1 for i in range(x.ndim)], inner=True)
    if len(counts) != length or min(counts, default=0) < 0:
        raise ShapeError(f"repeat: axis {axis} of shape {x.shape} needs {length} non-negative numbers, got {counts}")
    return take(x, constant_array(x.device, np.repeat(np.arange(length), counts)), axis=axis)


def repeat_interleave(x: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Repeat elements or slices: `repeat` under PyTorch's name.

    Raises ShapeError if output_size is given and is not the length that the repeats give.

    >>> gg.repeat_interleave(gg.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    made = repeat(x, repeats, axis=dim)
    if output_size is not None and made.shape[0 if dim is None else dim] != output_size:
        raise ShapeError(f"repeat_interleave: output_size={output_size}, but the repeats give {made.shape}")
    return made
