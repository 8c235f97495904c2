"""Max-unpooling by saved indices, with PyTorch's arguments."""

import math

from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from .pool import arguments, batched

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def _unpool(dims, input, indices, kernel_size, stride, padding, output_size) -> Tensor:
    name = f"max_unpool{dims}d"
    x, single = batched(name, dims, input)
    window = arguments(name, dims, kernel_size, stride, padding)
    parts = zip(x.shape[2:], window["stride"], window["padding"], window["kernel"], strict=True)
    size = tuple((n - 1) * s - 2 * p + f for n, s, (p, _), f in parts)
    if output_size is not None:
        size = tuple(output_size)[-dims:]
    plane = math.prod(size)
    at = asarray(indices).reshape((*x.shape[:2], -1))
    checked = at.device.type == "cpu"  # to look at the indices would wait for a GPU, which leaves wrong ones out
    if checked and at._array.size and not (0 <= at._array.min() and at._array.max() < plane):
        most = int(at._array.max())
        raise ShapeError(f"{name}: indices up to {most} do not fit the output size {size}; pass output_size")
    out = OPS["put_along"](x.reshape((*x.shape[:2], -1)), at, axis=-1, shape=(*x.shape[:2], plane))
    return out.reshape((*x.shape[1 if single else 0 : 2], *size))


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """`max_unpool2d` for input (N, C, L)."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """The values of input (N, C, OH, OW) put back where max-pooling took them from (`indices`), zeros elsewhere:
    (N, C, H, W), the smallest that the windows fit unless output_size is given."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """`max_unpool2d` for input (N, C, D, H, W)."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
