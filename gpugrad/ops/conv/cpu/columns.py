"""Columns of a convolution: a matrix with the inputs that each output pixel looks at, one block of pixels at a time.

With columns a convolution is one matrix product (Chellapilla et al. 2006). All of them would take prod(kernel) times
the memory of the input, so they are made for a block that stays in the cache until the product has read it. Filling a
block is one strided copy and costs a twentieth of the product, so the backward makes them again and keeps none.

Columns have the axes (G, pixel, kernel * C/G) for G groups, and one of two memory orders: a row per pixel if there are
channels enough to copy in runs, or, for few channels (an image has 1 or 3), a plane per kernel offset and channel,
whose runs go along the last spatial axis.
"""

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ....backend.cpu.windows import Block, Windows, channels_last

FEW = 4  # up to this many channels per group, columns are planes


class Columns:
    """Makes the columns of one block after another of `x` (N, *S, C) in the same buffers. One object per thread."""

    def __init__(self, x: np.ndarray, windows: Windows, groups: int):
        self.x, self.windows, self.groups = x, windows, groups
        self.planes = x.shape[-1] // groups <= FEW
        self.padded = self.buffer = self.relay = None

    def __call__(self, block: Block) -> np.ndarray:
        """Return the columns (G, pixels, prod(kernel) * C/G) of a block."""
        windows, groups, d = self.view(block), self.groups, len(self.windows.kernel)
        if groups == 1 and math.prod(self.windows.kernel) == 1 and windows.flags.c_contiguous:
            return windows.reshape(1, -1, windows.shape[-1])
        windows = windows.reshape(*windows.shape[:-1], groups, -1) if groups > 1 else windows[..., None, :]
        # The axes are now: sample, d of the pixel, d of the kernel, group, channel.
        pixel, group, inner = range(d + 1), 2 * d + 1, (*range(d + 1, 2 * d + 1), 2 * d + 2)
        rows = math.prod(windows.shape[: d + 1])
        windows = windows.transpose((group, *inner, *pixel) if self.planes else (group, *pixel, *inner))
        if self.buffer is None or self.buffer.size < windows.size:
            self.buffer = np.empty(windows.size, windows.dtype)
        columns = self.buffer[: windows.size].reshape(windows.shape)
        columns[...] = windows
        return columns.reshape(groups, -1, rows).swapaxes(1, 2) if self.planes else columns.reshape(groups, rows, -1)

    def view(self, block: Block) -> np.ndarray:
        """Return the windows (n, *pixel, *kernel, C) of a block, a view of its inputs."""
        inputs, windows = self.inputs(block), self.windows
        samples, *steps, channel = inputs.strides
        moves = (step * stride for step, stride in zip(steps, windows.stride, strict=True))
        jumps = (step * dilation for step, dilation in zip(steps, windows.dilation, strict=True))
        shape = (len(inputs), block.rows.stop - block.rows.start, *windows.out[1:], *windows.kernel, inputs.shape[-1])
        return as_strided(inputs, shape, (samples, *moves, *jumps, channel))

    def inputs(self, block: Block) -> np.ndarray:
        """Return the inputs (n, *spans, C) of a block with zeros in the padding: a view of x if that will do, or a
        buffer.
        """
        spans = self.windows.spans(block.rows)
        sizes = self.x.shape[1:-1]
        bounds = [(min(max(a, 0), n), max(min(b, n), 0)) for (a, b), n in zip(spans, sizes, strict=True)]
        x = self.x[(block.samples, *(slice(*bound) for bound in bounds))]
        if bounds == spans and (self.planes or x.strides[-1] == x.itemsize):
            return x
        padded = self._buffer(len(x), [b - a for a, b in spans])
        if bounds != spans:
            start, stop = (edge - spans[0][0] for edge in bounds[0])
            # The other borders stay zero from block to block.
            padded[:, : max(start, 0)] = padded[:, max(stop, 0) :] = 0
        if x.size:
            inside = (slice(a - start, b - start) for (a, b), (start, _) in zip(bounds, spans, strict=True))
            self._fill(padded[(slice(None), *inside)], x)
        return padded

    def _buffer(self, samples: int, sizes: list[int]) -> np.ndarray:
        """Return a (samples, *sizes, C) part of the padded buffer, whose memory is planes if the columns are."""
        if self.padded is None or self.padded.shape[0] < samples or self.padded.shape[1] < sizes[0]:
            channels = self.x.shape[-1]
            shape = (samples, channels, *sizes) if self.planes else (samples, *sizes, channels)
            padded = np.zeros(shape, self.x.dtype)
            self.padded = channels_last(padded) if self.planes else padded
        return self.padded[:samples, : sizes[0]]

    def _fill(self, target: np.ndarray, x: np.ndarray) -> None:
        """Copy x into target, both (n, *S, C).

        Planes a multiple of 4 KB apart meet in the same cache set, so that transposing them to channels-last is slow. A
        relay with planes one cache line longer makes it seven times faster.
        """
        if self.planes or x.strides[-1] % 4096:
            target[...] = x
            return
        n, *sizes, channels = x.shape
        pixels = math.prod(sizes)
        if self.relay is None or self.relay.shape[0] < n or self.relay.shape[2] < pixels:
            self.relay = np.empty((n, channels, pixels + 64 // x.itemsize), x.dtype)
        relay = channels_last(self.relay[:n, :, :pixels].reshape(n, channels, *sizes))
        relay[...] = x
        target[...] = relay
