"""Depthwise convolution: every channel has its own kernels, so there is no product to gather columns for.

Instead each kernel offset multiplies a shifted view of the input and adds it to the output. A compiled loop does so
line by line, if each channel has one kernel. NumPy does so block by block in the cache; with m kernels per channel, the
channels are repeated m times on the way. Weights are repeated along the last spatial axis: with stride 1 the loops of
NumPy then run over whole rows of pixels.
"""

import math
from collections.abc import Callable

import numpy as np

from ....backend.cpu import memory
from ....backend.cpu.loops import Loop, each_part
from ....backend.cpu.windows import Block, Windows, each, split
from .. import loops
from .columns import Columns

BLOCK = 1 << 20  # bytes of the output in a block: its inputs, products and gradients share the cache with it
PASS = 8  # multiply-adds of a matrix product that take as long as one here


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, windows: Windows) -> np.ndarray:
    """Convolve x (N, *S, C) with weight (C * m, 1, *F) and bias (C * m,) or None: (N, *O, C * m)."""
    features, width = weight.shape[0], windows.out[-1]
    out = memory.empty((len(x), *windows.out, features), x.dtype)
    if (loop := _chosen(loops.depthwise, out, x.shape[-1])) is not None:
        x, into, geometry, factors = _image(x), _image(out), _geometry(windows), _factors(weight)
        bias = np.zeros(features, x.dtype) if bias is None else np.ascontiguousarray(bias)
        count = math.prod(into.shape[:3])
        each_part(
            lambda part: loop(x, factors, bias, geometry, part.start, part.stop, into),
            count,
            _work(into, windows) // count,
        )
        return out
    lines = _lines(weight, width)
    line = None if bias is None else np.tile(bias, (width, 1))

    def part(blocks: list[Block]) -> None:
        columns, product = Columns(x, windows, 1), None
        for block in blocks:
            total = out[block.samples, block.rows]
            product = _scratch(product, total)
            views = columns.view(block)
            for i, offset in enumerate(windows.offsets()):
                weights = lines[offset][: total.shape[-2]]
                np.multiply(_repeated(views, offset, features), weights, out=product if i else total)
                if i:
                    total += product
            if line is not None:
                total += line[: total.shape[-2]]

    each(part, _split(x, windows, features))
    return out


def weight_gradient(g: np.ndarray, x: np.ndarray, shape: tuple, windows: Windows) -> np.ndarray:
    """Return the gradient of the weight, of `shape` (C * m, 1, *F), from g (N, *O, C * m) and x (N, *S, C)."""
    features, width = shape[0], windows.out[-1]
    if (loop := _chosen(loops.depthwise_weight_gradient, g, x.shape[-1])) is not None:
        g, x, geometry = _image(g), _image(x), _geometry(windows)
        sums = np.empty((len(g), math.prod(windows.kernel), features), x.dtype)
        each_part(lambda part: loop(g[part], x[part], geometry, sums[part]), len(g), _work(g, windows) // len(g))
        return np.ascontiguousarray(sums.sum(axis=0).T).reshape(shape)

    def part(blocks: list[Block]) -> np.ndarray:
        columns, product = Columns(x, windows, 1), None
        sums = np.zeros((*windows.kernel, width, features), x.dtype)
        for block in blocks:
            gradient = g[block.samples, block.rows]
            product = _scratch(product, gradient)
            views = columns.view(block)
            for offset in windows.offsets():
                np.multiply(_repeated(views, offset, features), gradient, out=product)
                lines = product.reshape(-1, *product.shape[-2:])
                sums[offset][: lines.shape[1]] += np.add.reduce(lines, axis=0)
        return sums

    parts = each(part, _split(x, windows, features))
    if not parts:
        return np.zeros(shape, x.dtype)
    for more in parts[1:]:
        parts[0] += more
    grad = parts[0].reshape(-1, width, features).sum(axis=1)
    return np.ascontiguousarray(grad.T).reshape(shape)


def input_gradient(g: np.ndarray, weight: np.ndarray, shape: tuple, windows: Windows) -> np.ndarray:
    """Return the gradient of the input, of `shape` (N, *S, C), from g (N, *O, C * m) and weight (C * m, 1, *F)."""
    features, channels = weight.shape[0], shape[-1]
    out = memory.empty(shape, g.dtype)
    if (loop := _chosen(loops.depthwise_input_gradient, g, channels)) is not None:
        g, into, geometry, factors = _image(g), _image(out), _geometry(windows), _factors(weight)
        each_part(lambda part: loop(g[part], factors, geometry, into[part]), len(g), _work(g, windows) // len(g))
        return out
    lines = _lines(weight, windows.out[-1])
    offsets, places = windows.offsets(), windows.places(shape[1:-1])

    def part(blocks: list[Block]) -> None:
        out[blocks[0].samples.start : blocks[-1].samples.stop] = 0
        product = None
        for block in blocks:
            gradient = g[block.samples, block.rows]
            product = _scratch(product, gradient)
            for offset, (outputs, inputs) in zip(offsets, places(block.rows), strict=True):
                np.multiply(gradient, lines[offset][: gradient.shape[-2]], out=product)
                target = out[block.samples][inputs]
                for kernel in range(features // channels):
                    target += product[(*outputs, slice(kernel, None, features // channels))]

    each(part, _split(g, windows, features, whole=True))
    return out


def _chosen(loop: Loop, outputs: np.ndarray, channels: int) -> Callable | None:
    """Return the compiled loop for these outputs (N, *O, C * m), None if NumPy is to do it."""
    return loop.chosen(outputs) if outputs.shape[-1] == channels else None


def _image(x: np.ndarray) -> np.ndarray:
    """Return (N, *S, C) as a C-contiguous array with three spatial axes."""
    return np.ascontiguousarray(x).reshape(len(x), *(1,) * (5 - x.ndim), *x.shape[1:])


def _geometry(windows: Windows) -> np.ndarray:
    """Return the kernel, stride, dilation and low padding of three axes, for the loops."""
    more = (1,) * (3 - len(windows.kernel))
    low = (0,) * len(more) + windows.low
    return np.array([*more, *windows.kernel, *more, *windows.stride, *more, *windows.dilation, *low], np.int64)


def _factors(weight: np.ndarray) -> np.ndarray:
    """Return weight (C, 1, *F) as (prod(F), C)."""
    return np.ascontiguousarray(weight.reshape(len(weight), -1).T)


def _work(outputs: np.ndarray, windows: Windows) -> int:
    return outputs.size * math.prod(windows.kernel)


def _lines(weight: np.ndarray, width: int) -> np.ndarray:
    """Repeat weight (K, 1, *F) to (*F, width, K): for each kernel offset, the factors of a row of pixels."""
    kernel, features = weight.shape[2:], weight.shape[0]
    lines = np.empty((*kernel, width, features), weight.dtype)
    lines[...] = np.moveaxis(weight[:, 0], 0, -1)[..., None, :]
    return lines


def _repeated(views: np.ndarray, offset: tuple[int, ...], features: int) -> np.ndarray:
    """Return the inputs (n, *O, K) at one offset of the windows (n, *O, *F, C), with the channels repeated."""
    view = views[(..., *offset, slice(None))]
    return view if view.shape[-1] == features else np.repeat(view, features // view.shape[-1], axis=-1)


def _scratch(buffer: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    """Return a C-contiguous array of the shape of `like`: the buffer of the block before, if that has this shape."""
    return buffer if buffer is not None and buffer.shape == like.shape else np.empty(like.shape, like.dtype)


def _split(x: np.ndarray, windows: Windows, features: int, *, whole: bool = False) -> list:
    pixels, work = BLOCK // (features * x.itemsize), PASS * math.prod(windows.kernel) * features
    return split(len(x), windows.out, pixels=pixels, work=work, whole=whole)
