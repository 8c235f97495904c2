"""Padding layers: what is put around an input of one to three spatial axes."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from . import functional as F
from .module import Module

Padding = int | tuple[int, ...]


class _Pad(Module):
    """`functional.pad` by `padding`: an int, or (low, high) of the last axis, then of the one before, ..."""

    ndim: int
    mode: str

    def __init__(self, padding: Padding):
        super().__init__()
        self.padding = (padding,) * (2 * self.ndim) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self.ndim:
            raise ShapeError(f"{type(self).__name__}: padding must be an int or {2 * self.ndim} ints, got {padding}")

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.ndim + 1, self.ndim + 2):
            raise ShapeError(
                f"{type(self).__name__}: expected {self.ndim + 1}-d or {self.ndim + 2}-d input, got {input.shape}"
            )
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Padding, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """`value` around the last axis: (..., L) -> (..., L + low + high)."""

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two axes."""

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three axes."""

    ndim = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Padding):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Zeros around the last axis."""

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes."""

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes."""

    ndim = 3


class ReflectionPad1d(_Pad):
    """(N, C, L) or (C, L) mirrored at its outermost elements."""

    ndim, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) mirrored at its outermost elements."""

    ndim, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) mirrored at its outermost elements."""

    ndim, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """(N, C, L) or (C, L) with its outermost elements repeated."""

    ndim, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) with its outermost elements repeated."""

    ndim, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) with its outermost elements repeated."""

    ndim, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """(N, C, L) or (C, L) continued from its other end."""

    ndim, mode = 1, "circular"


class CircularPad2d(_Pad):
    """(N, C, H, W) or (C, H, W) continued from its other ends."""

    ndim, mode = 2, "circular"


class CircularPad3d(_Pad):
    """(N, C, D, H, W) or (C, D, H, W) continued from its other ends."""

    ndim, mode = 3, "circular"
