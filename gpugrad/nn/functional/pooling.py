"""Pooling with PyTorch's arguments: max, average, Lp, adaptive, and un-pooling by saved indices.

`ceil_mode` lets the last window hang over the end: it becomes extra padding at the high side, except that a window may not
start in it.
"""

import functools
import math
from typing import Any

import numpy as np

from ...autograd.op import OPS
from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from .conv import per_axis
from ...ops.pool import max_pool, max_pool_indices, sum_pool

__all__ = [
    f"{kind}_pool{d}d" for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max") for d in (1, 2, 3)
] + [f"max_unpool{d}d" for d in (1, 2, 3)]  # fmt: skip


def _batched(name: str, dims: int, input: Any) -> tuple[Tensor, bool]:
    input = asarray(input)
    if input.ndim not in (dims + 1, dims + 2):
        raise ShapeError(f"{name}: expected input (N, C{', size' * dims}) or without N, got {input.shape}")
    return (input, False) if input.ndim == dims + 2 else (input.reshape((1, *input.shape)), True)


def _arguments(name: str, dims: int, kernel: Any, stride: Any, padding: Any, dilation: Any = 1) -> dict:
    kernel = per_axis(kernel, dims, f"{name}: kernel_size")
    stride = kernel if stride is None else per_axis(stride, dims, f"{name}: stride")
    pads = per_axis(padding, dims, f"{name}: padding")
    dilation = per_axis(dilation, dims, f"{name}: dilation")
    if any(p < 0 or 2 * p > (f - 1) * d + 1 for p, f, d in zip(pads, kernel, dilation, strict=True)):
        raise ShapeError(f"{name}: padding {pads} must be between 0 and half of kernel_size {kernel}")
    if any(n < 1 for n in (*kernel, *stride, *dilation)):
        raise ShapeError(f"{name}: kernel_size {kernel}, stride {stride} and dilation {dilation} must be positive")
    return dict(kernel=kernel, stride=stride, padding=tuple((p, p) for p in pads), dilation=dilation)


def _ceiled(size: tuple, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple:
    """`padding` with what `ceil_mode` adds at the high side."""
    pairs = []
    for n, f, s, (low, high), d in zip(size, kernel, stride, padding, dilation, strict=True):
        out = -(-(n + low + high - d * (f - 1) - 1) // s) + 1
        if (out - 1) * s >= n + low:
            out -= 1
        pairs.append((low, max(high, (out - 1) * s + d * (f - 1) + 1 - n - low)))
    return tuple(pairs)


def _max(
    dims: int, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of input (N, C, *S) or (C, *S): (N, C, *O); with return_indices also int64 positions.

    stride: kernel_size unless given. The first of equal maxima gets the gradient; NaN counts as the largest.
    """
    name = f"max_pool{dims}d"
    x, single = _batched(name, dims, input)
    window = _arguments(name, dims, kernel_size, stride, padding, dilation)
    if ceil_mode:
        window["padding"] = _ceiled(x.shape[2:], **window)
    outs = [max_pool(x, **window)] + ([max_pool_indices(x.detach(), **window)] if return_indices else [])
    outs = [out.squeeze(0) for out in outs] if single else outs
    return tuple(outs) if return_indices else outs[0]


def _sums(
    name: str, dims: int, x: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> tuple[Tensor, dict]:
    window = _arguments(name, dims, kernel_size, stride, padding)
    if ceil_mode:
        window["padding"] = _ceiled(x.shape[2:], **window)
    del window["dilation"]
    return sum_pool(x, **window), window


def _avg(
    dims: int, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of input (N, C, *S) or (C, *S): (N, C, *O).

    count_include_pad: zeros of the padding count as elements. divisor_override: divide by this instead.
    """
    name = f"avg_pool{dims}d"
    x, single = _batched(name, dims, input)
    sums, window = _sums(name, dims, x, kernel_size, stride, padding, ceil_mode)
    if divisor_override is not None:
        if divisor_override == 0:
            raise ShapeError(f"{name}: divisor_override must not be zero")
        out = sums * (1 / divisor_override)
    else:
        pads = per_axis(padding, dims, name) if count_include_pad else (0,) * dims
        out = sums * _shares(x, window, pads, sums.shape[2:])
    return out.squeeze(0) if single else out


def _shares(x: Tensor, window: dict, counted: tuple, out: tuple) -> Any:
    """One over the number of elements that count in each window, (*O); a plain number where all windows are alike."""
    counts = []
    for n, f, s, (low, _), c, o in zip(x.shape[2:], *(window[k] for k in ("kernel", "stride", "padding")), counted, out, strict=True):
        start = np.arange(o) * s - low
        counts.append(np.minimum(start + f, n + c) - np.maximum(start, -c))
    total = functools.reduce(np.multiply.outer, counts)
    if total.size and (total == total.flat[0]).all():
        return 1 / float(total.flat[0])
    return asarray((1 / total).astype(x.dtype), device=x.device)


def _lp(dims: int, input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """(sum of x**p over each window)**(1/p), p = norm_type, for input (N, C, *S) or (C, *S); gradient 0 where the sum is."""
    name = f"lp_pool{dims}d"
    x, single = _batched(name, dims, input)
    sums, _ = _sums(name, dims, x**norm_type, kernel_size, stride, 0, ceil_mode)
    positive = (sums > 0).to(dtype=sums.dtype)
    out = (sums * positive + (1 - positive)) ** (1 / norm_type) * positive
    return out.squeeze(0) if single else out


def _bounds(n: int, out: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the adaptive windows of an axis start and end."""
    i = np.arange(out)
    return i * n // out, -(-(i + 1) * n // out)


def _sizes(name: str, dims: int, x: Tensor, output_size: Any) -> tuple[int, ...]:
    given = (output_size,) * dims if isinstance(output_size, int) or output_size is None else tuple(output_size)
    sizes = tuple(n if o is None else o for n, o in zip(x.shape[2:], given, strict=True))
    if any(o < 1 for o in sizes) or 0 in x.shape[2:]:
        raise ShapeError(f"{name}: cannot pool {x.shape} to output_size {output_size}")
    return sizes


def _adaptive_avg(dims: int, input: Any, output_size: Any) -> Tensor:
    """The means of windows that divide input (N, C, *S) or (C, *S) into `output_size` (an int, ints, None: as it is)."""
    name = f"adaptive_avg_pool{dims}d"
    x, single = _batched(name, dims, input)
    out = x
    for axis, o in enumerate(_sizes(name, dims, x, output_size), 2):
        n = x.shape[axis]
        if n == o:
            continue
        start, end = _bounds(n, o)
        inside = (np.arange(n) >= start[:, None]) & (np.arange(n) < end[:, None])
        matrix = asarray((inside / (end - start)[:, None]).astype(x.dtype), device=x.device)
        out = OPS["matmul"](out.moveaxis(axis, -1), matrix.T).moveaxis(-1, axis)
    return out.squeeze(0) if single else out


def _adaptive_max(dims: int, input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of windows that divide input (N, C, *S) or (C, *S) into `output_size`; return_indices: also positions."""
    name = f"adaptive_max_pool{dims}d"
    x, single = _batched(name, dims, input)
    sizes, places = _sizes(name, dims, x, output_size), np.zeros((1, 1), np.int64)
    for n, o in zip(x.shape[2:], sizes, strict=True):
        start, end = _bounds(n, o)
        inside = np.minimum(start[:, None] + np.arange((end - start).max()), end[:, None] - 1)  # the last one, repeated
        places = (places[:, None, :, None] * n + inside[None, :, None, :]).reshape(places.shape[0] * o, -1)
    flat = x.reshape((*x.shape[:2], math.prod(x.shape[2:])))
    windows = OPS["take"](flat, places, axis=2)
    best = OPS["argmax"](windows.detach(), axis=-1, keepdims=True)
    shape = (*x.shape[1 if single else 0 : 2], *sizes)
    out = OPS["take_along_axis"](windows, best, axis=-1).reshape(shape)
    if not return_indices:
        return out
    numbers = asarray(np.broadcast_to(places, windows.shape), device=x.device)
    return out, OPS["take_along_axis"](numbers, best, axis=-1).reshape(shape)


def _unpool(dims: int, input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Tensor:
    """The values of input (N, C, *O) put back where max-pooling took them from (`indices`), zeros elsewhere: (N, C, *S)."""
    name = f"max_unpool{dims}d"
    x, single = _batched(name, dims, input)
    window = _arguments(name, dims, kernel_size, stride, padding)
    parts = zip(x.shape[2:], window["stride"], window["padding"], window["kernel"], strict=True)
    size = tuple(output_size)[-dims:] if output_size is not None else tuple((n - 1) * s - 2 * p + f for n, s, (p, _), f in parts)
    plane = math.prod(size)
    at = asarray(indices).reshape((*x.shape[:2], -1))
    if at._array.size and not (0 <= int(at._array.min()) and int(at._array.max()) < plane):
        raise ShapeError(f"{name}: indices up to {int(at._array.max())} do not fit the output size {size}; pass output_size")
    out = OPS["put_along"](x.reshape((*x.shape[:2], -1)), at, axis=-1, shape=(*x.shape[:2], plane))
    return out.reshape((*x.shape[1 if single else 0 : 2], *size))


def _for_dimensions(kind: str, function: Any) -> None:
    """`kind`1d, 2d and 3d from a function whose first parameter is the number of spatial axes."""
    import inspect

    signature = inspect.signature(function)
    for dims in (1, 2, 3):
        made = functools.partial(function, dims)
        made.__name__ = f"{kind}{dims}d"  # type: ignore[attr-defined]
        made.__doc__ = function.__doc__
        made.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
        globals()[made.__name__] = made  # type: ignore[attr-defined]


for _kind, _function in {
    "max_pool": _max, "avg_pool": _avg, "lp_pool": _lp, "adaptive_avg_pool": _adaptive_avg,
    "adaptive_max_pool": _adaptive_max, "max_unpool": _unpool,
}.items():  # fmt: skip
    _for_dimensions(_kind, _function)
