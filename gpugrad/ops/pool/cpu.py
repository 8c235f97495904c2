"""Pooling on the CPU, in 1 to 3 spatial dimensions: maximum and sum of each window, and their gradients.

The inputs that all windows have at one kernel offset are one strided view, so pooling makes a pass for each offset,
over blocks that stay in the cache and are shared by threads. The place of a maximum is kept as the offset in its
window, one byte for each output. In the backward each offset masks the gradients that belong to it. Where windows do
not overlap, each input is in one window at most and is written once, with nothing to add up. Compiled loops look at one
window after the other for its maximum, and add each gradient to its input.

Shapes are (N, C, *S). Memory may be channels-first or channels-last, and results have the order of their input. Inside,
both are (M, *S, W), with M = N * C and W = 1, or M = N and W = C.
"""

import math
from functools import lru_cache

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import each_part
from ...backend.cpu.windows import Windows, channels_first, channels_last, each, split
from ..conv import output_size
from . import loops, max_pool, max_pool_indices, sum_pool, sum_pool_adjoint

BLOCK = 1 << 17  # numbers of the output in a block: its inputs and masks share the cache with it
WIDE = 8  # channels, with channels-last memory, from which the compiled loop of the maximum is the faster one
PASS = 8  # multiply-adds of a matrix product that take as long as one number here


@max_pool.path("cpu")
def max_pool_cpu(x, *, kernel, stride, padding, dilation):
    out, offsets = _maxima(x, kernel, stride, padding, dilation)
    return out, {"offsets": offsets}


def _maxima(x: np.ndarray, kernel, stride, padding, dilation) -> tuple[np.ndarray, np.ndarray]:
    """The maximum (N, C, *O) of each window of x (N, C, *S), and its offset (N, C, *O) in the window, row-major.

    The first of equals wins, NaN wins over all, padding never does. Offsets are uint8 if the kernel has at most 255.
    """
    windows = _windows(x.shape[2:], kernel, stride, padding, dilation)
    x, restore = _flat(x)
    out = memory.empty((x.shape[0], *windows.out, x.shape[-1]), x.dtype)
    offsets = memory.empty(out.shape, np.min_scalar_type(math.prod(kernel)))
    width, inputs = x.shape[-1], math.prod(x.shape[1:])
    loop = loops.max_pool.sized(x.size, x.dtype) if width >= WIDE and offsets.dtype == np.uint8 else None
    if loop is not None and out.size:
        places, numbers = _places_of(windows, x.shape[1:-1], width)
        flat, into, codes = x.reshape(len(x), inputs), out.reshape(len(x), -1), offsets.reshape(len(x), -1)
        each_part(
            lambda part: loop(flat, places, numbers, part.start, part.stop, width, into, codes),
            len(x) * len(places),
            width * len(numbers),
        )
        return restore(out), restore(offsets)
    origin = _first_inside(windows, offsets.dtype) if max(windows.low) > 0 else None
    places = windows.places(x.shape[1:-1])

    def part(blocks: list) -> None:
        for samples, rows in blocks:
            offsets[samples, rows] = 0 if origin is None else origin[rows]
            _max_block(x[samples], out[samples, rows], offsets[samples, rows], places(rows))

    each(part, _split(out, windows))
    return restore(out), restore(offsets)


@max_pool_cpu.backward
def max_pool_cpu_backward(g, offsets, x_shape, kernel, stride, padding, dilation):
    """The gradient (N, C, *S) of the input, from g (N, C, *O) and the offsets (N, C, *O) of the maxima."""
    windows = _windows(x_shape[2:], kernel, stride, padding, dilation)
    offsets, restore = _flat(offsets)
    g = _like(g, offsets)
    out = memory.empty((offsets.shape[0], *x_shape[2:], offsets.shape[-1]), g.dtype)
    if (loop := loops.max_pool_gradient.chosen(out)) is not None and offsets.size and offsets.dtype == np.uint8:
        starts, jumps = _positions(windows, tuple(x_shape[2:]), offsets.shape[-1])
        grads, codes, into = (a.reshape(len(a), -1) for a in (g, offsets, out))
        each_part(
            lambda part: loop(grads[part], codes[part], starts, jumps, offsets.shape[-1], into[part]), *into.shape
        )
        return restore(out)
    disjoint, bits, places = _are_disjoint(windows), np.dtype(f"i{g.itemsize}"), windows.places(x_shape[2:])

    def part(blocks: list) -> None:
        for samples, rows in blocks:
            gradient, chosen, into = g[samples, rows].view(bits), offsets[samples, rows], out[samples]
            if rows.start == 0 and not _covers(windows, into.shape):
                into[...] = 0
            here = np.empty(chosen.shape, np.int8)
            mask = np.empty(chosen.shape, bits)
            for i, (outputs, inputs) in enumerate(places(rows)):
                target = into[inputs]
                # -1, which is all ones, or 0: unlike a product, `and` turns an infinite gradient into 0.
                np.equal(chosen, i, out=here.view(bool))
                np.copyto(mask, np.negative(here, out=here))
                if disjoint:
                    np.bitwise_and(gradient[outputs], mask[outputs], out=target.view(bits))
                else:
                    np.bitwise_and(gradient, mask, out=mask)
                    target += mask.view(g.dtype)[outputs]

    each(part, _split(offsets, windows, whole=True))
    return restore(out)


@max_pool_indices.path("cpu")
def max_pool_indices_cpu(x, *, kernel, stride, padding, dilation):
    """A maximum's position is that of its window's start, plus what its offset in the window adds."""
    _, offsets = _maxima(x, kernel, stride, padding, dilation)
    windows = _windows(x.shape[2:], kernel, stride, padding, dilation)
    starts, jumps = _positions(windows, x.shape[2:], 1)
    return jumps[offsets] + starts.reshape(windows.out), {}


@sum_pool.path("cpu")
def sum_pool_cpu(x, *, kernel, stride, padding):
    windows = _windows(x.shape[2:], kernel, stride, padding, (1,) * len(kernel))
    x, restore = _flat(x)
    out, places = memory.empty((x.shape[0], *windows.out, x.shape[-1]), x.dtype), windows.places(x.shape[1:-1])

    def part(blocks: list) -> None:
        for samples, rows in blocks:
            values, total = x[samples], out[samples, rows]
            if math.prod(windows.out) == 1:
                values = values[_single(windows, x.shape)]
                values = values.reshape(len(values), -1, values.shape[-1])
                np.add.reduce(values, axis=1, out=total.reshape(len(total), -1))
                continue
            total[...] = 0
            for outputs, inputs in places(rows):
                target = total[outputs]
                target += values[inputs]

    each(part, _split(out, windows))
    return restore(out), {}


@sum_pool_adjoint.path("cpu")
def sum_pool_adjoint_cpu(y, *, shape, kernel, stride, padding):
    if not y.size:
        return NotImplemented
    return sum_pool_cpu_backward(y, shape, kernel, stride, padding), {}


@sum_pool_cpu.backward
def sum_pool_cpu_backward(g, x_shape, kernel, stride, padding):
    windows = _windows(x_shape[2:], kernel, stride, padding, (1,) * len(kernel))
    g, restore = _flat(g)
    out = memory.empty((g.shape[0], *x_shape[2:], g.shape[-1]), g.dtype)
    disjoint, places = _are_disjoint(windows), windows.places(x_shape[2:])

    def part(blocks: list) -> None:
        for samples, rows in blocks:
            gradient, into = g[samples, rows], out[samples]
            if rows.start == 0 and not _covers(windows, into.shape):
                into[...] = 0
            if math.prod(windows.out) == 1:
                into[_single(windows, out.shape)] = gradient
                continue
            for outputs, inputs in places(rows):
                target = into[inputs]
                if disjoint:
                    target[...] = gradient[outputs]
                else:
                    target += gradient[outputs]

    each(part, _split(g, windows, whole=True))
    return restore(out)


def _max_block(x, total, offsets, places: list) -> None:
    """Write the maxima (n, *rows, W) of a block of samples x (n, *S, W), and their offsets unless they are -inf."""
    value = np.empty(total.shape, x.dtype)
    better = np.empty(total.shape, bool)
    code = np.empty(total.shape, offsets.dtype)
    for i, (outputs, seen) in enumerate(places):
        view = x[seen]
        if i == 0 and view.shape == total.shape:
            total[...] = view
            continue
        if i == 0:
            total[...] = -np.inf
        # Two operations on the view: it pays to make it contiguous first.
        inputs, best, mask, found = value[outputs], total[outputs], better[outputs], code[outputs]
        inputs[...] = view
        np.greater(inputs, best, out=mask)
        np.maximum(inputs, best, out=best)
        np.multiply(mask.view(np.uint8), offsets.dtype.type(i), out=found)
        np.maximum(offsets[outputs], found, out=offsets[outputs])  # i only grows, so the latest is the largest
    if np.isnan(total.min()):
        _point_at_nan(x, offsets, places)


def _point_at_nan(x, offsets, places: list) -> None:
    """Where a window of the block has NaN, set the offset to its first (comparisons do not see NaN)."""
    for i, (outputs, seen) in reversed(list(enumerate(places))):
        offsets[outputs][np.isnan(x[seen])] = i


def _first_inside(windows: Windows, dtype) -> np.ndarray:
    """The first offset of each window (*O, 1) that is not padding: the maximum if all its values are -inf."""
    found = np.zeros(windows.out, dtype)
    axes = zip(windows.kernel, windows.stride, windows.dilation, windows.low, windows.out, strict=True)
    for axis, (k, s, d, low, out) in enumerate(axes):
        first_in = np.clip(-((np.arange(out) * s - low) // d), 0, k - 1)
        along = [-1 if other == axis else 1 for other in range(found.ndim)]
        found += (first_in * math.prod(windows.kernel[axis + 1 :])).astype(dtype).reshape(along)
    return found[..., None]


@lru_cache(64)
def _positions(windows: Windows, shape: tuple[int, ...], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where each window starts in an array (*shape, width), and the steps from there to each of its inputs."""
    starts, jumps = np.zeros(windows.out, np.int64), np.zeros(windows.kernel, np.int64)
    for axis in range(len(shape)):
        along = [-1 if other == axis else 1 for other in range(len(shape))]
        step = math.prod(shape[axis + 1 :]) * width
        start = np.arange(windows.out[axis]) * windows.stride[axis] - windows.low[axis]
        starts += start.reshape(along) * step
        jumps += (np.arange(windows.kernel[axis]) * windows.dilation[axis]).reshape(along) * step
    return starts.ravel(), jumps.ravel()


@lru_cache(64)
def _places_of(windows: Windows, shape: tuple[int, ...], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of each window (windows, offsets) in an array (*shape, width), and the numbers of the offsets.

    The place of an input in the padding is -1.
    """
    starts, jumps = _positions(windows, shape, width)
    places = starts[:, None] + jumps
    outputs, offsets = (np.unravel_index(np.arange(math.prod(of)), of) for of in (windows.out, windows.kernel))
    for axis, size in enumerate(shape):
        start = outputs[axis] * windows.stride[axis] - windows.low[axis]
        place = start[:, None] + offsets[axis] * windows.dilation[axis]
        places[(place < 0) | (place >= size)] = -1
    return places, np.arange(len(jumps), dtype=np.uint8)


def _windows(shape, kernel, stride, padding, dilation) -> Windows:
    """The windows over a spatial `shape`. Raises ValueError if they do not fit the padded input."""
    out = output_size(shape, kernel, stride, padding, dilation)
    return Windows.of(kernel, stride, dilation, (low for low, _ in padding), out)


def _flat(x: np.ndarray):
    """View or copy x (N, C, *S) as a C-contiguous (M, *S, W). Returns it, and the function that undoes this.

    An array that is contiguous in both orders, such as (N, C, 1, 1), counts as channels-last, as in convolutions.
    """
    count, channels = x.shape[:2]
    if channels_last(x).flags.c_contiguous:
        return channels_last(x), channels_first
    flat = np.ascontiguousarray(x).reshape(count * channels, *x.shape[2:], 1)
    return flat, lambda a: a.reshape(count, channels, *a.shape[1:-1])


def _like(g: np.ndarray, other: np.ndarray) -> np.ndarray:
    """g (N, C, *O) as a C-contiguous array with the layout (M, *O, W) of `other`."""
    return np.ascontiguousarray(channels_last(g) if other.shape[0] == g.shape[0] else g).reshape(other.shape)


def _are_disjoint(windows: Windows) -> bool:
    """Whether no input is in two windows."""
    axes = zip(windows.stride, windows.kernel, windows.dilation, strict=True)
    return all(s > (k - 1) * d for s, k, d in axes)


def _covers(windows: Windows, shape: tuple) -> bool:
    """Whether disjoint windows leave no input of (M, *S, W) out."""
    axes = zip(windows.kernel, windows.stride, windows.dilation, windows.low, windows.out, shape[1:-1], strict=True)
    return all(k == s and d == 1 and o * s - low >= n for k, s, d, low, o, n in axes)


def _single(windows: Windows, shape: tuple) -> tuple:
    """The index into (n, *S, W) of the part that lies in the only window."""
    spans = zip(windows.spans(slice(0, 1)), shape[1:-1], strict=True)
    return (slice(None), *(slice(max(a, 0), min(b, n)) for (a, b), n in spans))


def _split(outputs: np.ndarray, windows: Windows, *, whole: bool = False) -> list:
    """Cut `outputs` (M, *O, W) into blocks, in which a pass is made for each kernel offset."""
    width = max(outputs.shape[-1], 1)
    work = PASS * width * math.prod(windows.kernel)
    return split(len(outputs), windows.out, pixels=BLOCK // width, work=work, whole=whole)
