"""Fractional max-pooling with PyTorch's arguments (B. Graham, "Fractional max-pooling", 2014)."""

import math
from collections.abc import Sequence
from typing import Any

from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import wrap
from ...backend.random import default_generator
from ...errors import ShapeError
from .pool import with_indices
from .spatial import batched, per_axis

__all__ = [
    "fractional_max_pool2d", "fractional_max_pool2d_with_indices", "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]  # fmt: skip


def _fractional_sizes(name: str, size: tuple, kernel: tuple, output_size: Any, output_ratio: Any) -> tuple[int, ...]:
    """Return the output size of each axis. Raises ShapeError for sizes and ratios that cannot be made."""
    dims = len(size)
    if (output_size is None) == (output_ratio is None):
        raise ShapeError(f"{name}: give either output_size or output_ratio")
    if output_size is not None:
        out = per_axis(output_size, dims, f"{name}: output_size")
    else:
        ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * dims
        if len(ratios) != dims or not all(0 < r < 1 for r in ratios):
            raise ShapeError(f"{name}: output_ratio must be a number between 0 and 1, or {dims}, got {output_ratio}")
        out = tuple(int(n * r) for n, r in zip(size, ratios, strict=True))
    if any(o < 1 or o + k - 1 > n for n, k, o in zip(size, kernel, out, strict=True)):
        raise ShapeError(f"{name}: cannot place {out} windows of {kernel} in {size}")
    return out


def _window_starts(u: Any, n: int, k: int, out: int, xp: Any) -> Any:
    """Return the starts of the windows of an axis, (N, C, out): steps of n / out on average, the same for equal u (N,
    C)."""
    i = xp.arange(out - 1)
    alpha = u.dtype.type((n - k) / max(out - 1, 1))
    u = u[:, :, None]
    inner = ((i + u).astype(u.dtype) * alpha).astype(int) - (u * alpha).astype(int)
    return xp.concatenate([inner, xp.full((*u.shape[:2], 1), n - k)], axis=2)


def _fractional_max_pool(dims, input, kernel_size, output_size, output_ratio, return_indices, samples) -> Any:
    """Check the arguments of fractional pooling over `dims` axes, and compute it from the gathered elements of each
    window."""
    name = f"fractional_max_pool{dims}d"
    x, single = batched(name, dims, input)
    size, kernel = x.shape[2:], per_axis(kernel_size, dims, f"{name}: kernel_size")
    out = _fractional_sizes(name, size, kernel, output_size, output_ratio)
    if samples is None:
        samples = default_generator().numpy.random((*x.shape[:2], dims)).astype(x.dtype)
    samples, xp = asarray(samples, device=x.device)._array, x.device.xp
    samples = samples[:1] if single else samples  # PyTorch takes the first batch too
    if samples.shape != (*x.shape[:2], dims):
        raise ShapeError(f"{name}: _random_samples must be {(*x.shape[:2], dims)}, got {samples.shape}")
    places = xp.zeros((*x.shape[:2], 1, 1), int)
    for axis, (n, k, o) in enumerate(zip(size, kernel, out, strict=True)):
        u = samples[..., dims - 1 - axis if dims == 2 else axis]  # PyTorch's order: W, H, but T, H, W
        inside = _window_starts(u, n, k, o, xp)[..., None] + xp.arange(k)
        places = places[:, :, :, None, :, None] * n + inside[:, :, None, :, None, :]
        places = places.reshape(*x.shape[:2], math.prod(out[: axis + 1]), math.prod(kernel[: axis + 1]))
    flat, numbers = x.reshape((*x.shape[:2], math.prod(size))), wrap(places, x.device, None)
    columns = numbers.reshape((*x.shape[:2], math.prod(places.shape[2:])))
    windows = OPS["take_along_axis"](flat, columns, axis=2).reshape(places.shape)
    best = OPS["argmax"](windows.detach(), axis=-1, keepdims=True)
    shape = (*x.shape[1 if single else 0 : 2], *out)
    outs = [OPS["take_along_axis"](a, best, axis=-1).reshape(shape) for a in (windows, numbers)[: 1 + return_indices]]
    return tuple(outs) if return_indices else outs[0]


@governed({"cpu": "float32"})
def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
) -> Any:
    """Take the maxima of windows of kernel_size that start at random, about equally far apart.

    input is (N, C, H, W) or (C, H, W); with return_indices the flat positions are returned too. output_size is the
    number of windows, or output_ratio the number for each element of an axis. _random_samples (N, C, 2) are numbers
    from 0 to 1 that decide where the windows start. Raises ShapeError if the windows do not fit. See B. Graham 2014,
    section 2.

    >>> F.fractional_max_pool2d(gg.ones((1, 3, 9, 9)), 2, output_ratio=0.5).shape
    (1, 3, 4, 4)
    """
    return _fractional_max_pool(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


@governed({"cpu": "float32"})
def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None
) -> Any:
    """Apply `fractional_max_pool2d` to input (N, C, D, H, W).

    >>> F.fractional_max_pool3d(gg.ones((1, 3, 6, 6, 6)), 2, output_size=3).shape
    (1, 3, 3, 3, 3)
    """
    return _fractional_max_pool(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


fractional_max_pool2d_with_indices = with_indices(fractional_max_pool2d, "2, output_size=2")
fractional_max_pool3d_with_indices = with_indices(fractional_max_pool3d, "2, output_size=2")
