"""Max-unpooling by saved indices, with PyTorch's arguments."""

import math

from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from .pool import window_attributes
from .spatial import batched, per_axis

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def _max_unpool(dims, input, indices, kernel_size, stride, padding, output_size) -> Tensor:
    """Check the arguments of unpooling over `dims` axes, and compute it."""
    name = f"max_unpool{dims}d"
    x, single = batched(name, dims, input)
    window = window_attributes(name, dims, kernel_size, stride, padding)
    parts = zip(x.shape[2:], window["stride"], window["padding"], window["kernel"], strict=True)
    size = tuple((n - 1) * s - 2 * p + f for n, s, (p, _), f in parts)
    if output_size is not None:
        size = per_axis(
            output_size if isinstance(output_size, int) else output_size[-dims:], dims, f"{name}: output_size"
        )
    plane = math.prod(size)
    flat = (*x.shape[:2], math.prod(x.shape[2:]))
    at = asarray(indices).reshape(flat)
    checked = at.device.type == "cpu"  # to look at the indices would wait for a GPU, which leaves wrong ones out
    if checked and at._array.size and not (0 <= at._array.min() and at._array.max() < plane):
        most = int(at._array.max())
        raise ShapeError(f"{name}: indices up to {most} do not fit the output size {size}; pass output_size")
    out = OPS["put_last"](x.reshape(flat), at, size=plane)
    return out.reshape((*x.shape[1 if single else 0 : 2], *size))


@governed({"cpu": "float32"})
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """Apply `max_unpool2d` to input (N, C, L).

    >>> F.max_unpool1d(gg.tensor([[2.0, 4.0]]), gg.tensor([[1, 2]]), 2)
    tensor([[0., 2., 4., 0.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@governed({"cpu": "float32"})
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """Put the maxima that `max_pool2d` took back at their `indices`, and zeros elsewhere.

    Where windows overlap an index comes more than once: its last value stays, and the gradient goes to all of them, as
    in PyTorch.

    Several sizes pool to that of the input; output_size, of which the last axes count, chooses one, by default the
    smallest. Raises ShapeError for indices outside of it; on cuda those are left out.

    >>> values, indices = F.max_pool2d(gg.ones((1, 3, 4, 4)), 2, return_indices=True)
    >>> F.max_unpool2d(values, indices, 2).shape
    (1, 3, 4, 4)
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@governed({"cpu": "float32"})
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None) -> Tensor:
    """Apply `max_unpool2d` to input (N, C, D, H, W).

    >>> values, indices = F.max_pool3d(gg.ones((1, 3, 4, 4, 4)), 2, return_indices=True)
    >>> F.max_unpool3d(values, indices, 2).shape
    (1, 3, 4, 4, 4)
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
