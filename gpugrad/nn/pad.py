"""Padding layers, which put elements around an input of one to three spatial axes."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from . import functional as F
from .module import Module

Padding = int | tuple[int, ...]


class _Pad(Module):
    """Calls `functional.pad` with `padding`: an int, or (low, high) of the last axis, then of the one before, and so
    on."""

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
    """Is the base of the layers that pad with one number."""

    def __init__(self, padding: Padding, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Puts `value` around the last axis: (..., L) becomes (..., low + L + high).

    >>> nn.ConstantPad1d((1, 2), 9.0)(gg.tensor([[1.0, 2.0]]))
    tensor([[9., 1., 2., 9., 9.]])
    """

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """Puts `value` around the last two axes.

    >>> nn.ConstantPad2d(1, 9.0)(gg.ones((1, 2, 3))).shape
    (1, 4, 5)
    """

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """Puts `value` around the last three axes.

    >>> nn.ConstantPad3d(1, 9.0)(gg.ones((1, 2, 3, 4))).shape
    (1, 4, 5, 6)
    """

    ndim = 3


class _ZeroPad(_ConstantPad):
    """Is the base of the layers that pad with zeros."""

    def __init__(self, padding: Padding):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Puts zeros around the last axis.

    >>> nn.ZeroPad1d(1)(gg.tensor([[1.0, 2.0]]))
    tensor([[0., 1., 2., 0.]])
    """

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Puts zeros around the last two axes.

    >>> nn.ZeroPad2d(1)(gg.ones((1, 2, 3))).shape
    (1, 4, 5)
    """

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Puts zeros around the last three axes.

    >>> nn.ZeroPad3d(1)(gg.ones((1, 2, 3, 4))).shape
    (1, 4, 5, 6)
    """

    ndim = 3


class ReflectionPad1d(_Pad):
    """Mirrors (N, C, L) or (C, L) at its outermost elements.

    >>> nn.ReflectionPad1d(1)(gg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    ndim, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Mirrors (N, C, H, W) or (C, H, W) at its outermost elements.

    >>> nn.ReflectionPad2d(1)(gg.ones((1, 2, 3))).shape
    (1, 4, 5)
    """

    ndim, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Mirrors (N, C, D, H, W) or (C, D, H, W) at its outermost elements.

    >>> nn.ReflectionPad3d(1)(gg.ones((1, 2, 3, 4))).shape
    (1, 4, 5, 6)
    """

    ndim, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Repeats the outermost elements of (N, C, L) or (C, L).

    >>> nn.ReplicationPad1d(1)(gg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3., 3.]])
    """

    ndim, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Repeats the outermost elements of (N, C, H, W) or (C, H, W).

    >>> nn.ReplicationPad2d(1)(gg.ones((1, 2, 3))).shape
    (1, 4, 5)
    """

    ndim, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Repeats the outermost elements of (N, C, D, H, W) or (C, D, H, W).

    >>> nn.ReplicationPad3d(1)(gg.ones((1, 2, 3, 4))).shape
    (1, 4, 5, 6)
    """

    ndim, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """Continues (N, C, L) or (C, L) from its other end.

    >>> nn.CircularPad1d(1)(gg.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    ndim, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Continues (N, C, H, W) or (C, H, W) from its other ends.

    >>> nn.CircularPad2d(1)(gg.ones((1, 2, 3))).shape
    (1, 4, 5)
    """

    ndim, mode = 2, "circular"


class CircularPad3d(_Pad):
    """Continues (N, C, D, H, W) or (C, D, H, W) from its other ends.

    >>> nn.CircularPad3d(1)(gg.ones((1, 2, 3, 4))).shape
    (1, 4, 5, 6)
    """

    ndim, mode = 3, "circular"
