"""The geometry of a convolution as kernels/conv.cuh takes it, and the memory layouts of its arrays."""

from __future__ import annotations

import ctypes
import math
from typing import Any

from ....backend.namespace import xp

_FAR = 2**30  # coordinates stay below this, so that sums of two are 32-bit integers


class Axis(ctypes.Structure):
    """The struct ConvAxis of kernels/conv.cuh: from * down = to * up + add + tap * step.

    That is a whole number for one of `every` taps."""

    _fields_ = [(name, ctypes.c_int) for name in ("to", "from_", "taps", "up", "down", "add", "step", "every")]


class Convolution(ctypes.Structure):
    """The struct Convolution of kernels/conv.cuh: "from" is read, at places that the positions of "to" give."""

    _fields_ = [
        ("from_", ctypes.c_longlong * 5), ("to", ctypes.c_longlong * 5), ("weight", ctypes.c_longlong * 6),
        ("batch", ctypes.c_longlong), ("groups", ctypes.c_int), ("depth", ctypes.c_int), ("width", ctypes.c_int),
        ("channels_last", ctypes.c_int), ("columns_fast", ctypes.c_int), ("axis", Axis * 3),
    ]  # fmt: skip

    @property
    def taps(self) -> int:
        """The number of taps of the whole kernel."""
        return math.prod(a.taps for a in self.axis)

    @property
    def phases(self) -> int:
        """The number of phases: positions of one phase use the same taps."""
        return math.prod(a.down for a in self.axis)

    @property
    def positions(self) -> int:
        """The number of positions of one sample in the largest phase."""
        return math.prod(-(-a.to // a.down) for a in self.axis)


def geometry(
    source: Any, to: Any, kernel: tuple, *, adjoint: bool, stride: tuple, padding: tuple, dilation: tuple, groups: int
) -> Convolution | None:
    """Describe the pass that reads `source` at the positions of `to`, without the weight; None beyond 32 bits.

    adjoint: source is y and to is x, not the other way round.
    """
    c = Convolution(
        from_=strides(source), to=strides(to), batch=source.shape[0], groups=groups,
        depth=source.shape[1] // groups, width=to.shape[1] // groups, channels_last=is_channels_last(source),
    )  # fmt: skip
    sizes = zip(to.shape[2:], source.shape[2:], kernel, stride, padding, dilation, strict=True)
    axes = [_axis(*size, adjoint=adjoint) for size in sizes]
    c.axis[:] = [Axis(1, 1, 1, 1, 1, 0, 1, 1)] * (3 - len(axes)) + axes
    reach = (a.to * a.up + abs(a.add) + a.taps * abs(a.step) for a in c.axis)
    small = max(reach) < _FAR and max(math.prod(source.shape[2:]), math.prod(to.shape[2:]), c.depth * c.taps) < 2**31
    return c if small else None


def with_weight(c: Convolution, weight: Any, *, adjoint: bool) -> Convolution:
    """Write the strides of a weight (K, C/groups, *F) into `c`. Returns c."""
    outer, inner, *taps = elements(weight)
    width, depth = (inner, outer) if adjoint else (outer, inner)
    c.weight[:] = [weight.shape[0] // c.groups * outer, width, depth, *[0] * (3 - len(taps)), *taps]
    c.columns_fast = width < (depth if c.channels_last else taps[-1])
    return c


def _axis(to: int, source: int, taps: int, stride: int, pads: tuple, dilation: int, *, adjoint: bool) -> Axis:
    if adjoint:
        return Axis(to, source, taps, 1, stride, pads[0], -dilation, stride // math.gcd(stride, dilation))
    return Axis(to, source, taps, stride, 1, -pads[0], dilation, 1)


def elements(array: Any) -> list[int]:
    """Return the strides of an array, in elements."""
    return [s // array.dtype.itemsize for s in array.strides]


def strides(array: Any) -> tuple:
    """Return the strides of an array (N, C, *S), in elements, with spatial axes put in front until there are three."""
    sample, channel, *axes = elements(array)
    return (sample, channel, *[0] * (3 - len(axes)), *axes)


def is_channels_last(array: Any) -> bool:
    """Return whether neighbouring channels of an array (N, C, *S) are neighbours in memory, and positions are not."""
    return array.shape[1] > 1 and array.strides[1] == array.dtype.itemsize and math.prod(array.shape[2:]) > 1


def empty(shape: tuple, like: Any, *, channels_last: bool) -> Any:
    """Make an array (N, C, *S) of the dtype of `like`; channels_last: in the memory order (N, *S, C)."""
    if not channels_last:
        return xp(like).empty(shape, like.dtype)
    made = xp(like).empty((shape[0], *shape[2:], shape[1]), like.dtype)
    return xp(like).moveaxis(made, -1, 1)
