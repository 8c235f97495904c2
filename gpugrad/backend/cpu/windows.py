"""The geometry that convolution and pooling share: where windows lie, and how an output is cut into blocks.

Arrays are channels-last here, (N, *S, C); `channels_last` and `channels_first` convert to it and back, as views.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from . import threads

THREAD_WORK = 1 << 21  # multiply-adds that are worth another thread


class Block(NamedTuple):
    """A part of an output: some samples and some rows (first spatial axis); all rows, unless it has a single sample."""

    samples: slice
    rows: slice


class Windows(NamedTuple):
    """The windows over d spatial axes. `low` is the padding before each axis; a negative one skips inputs."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    low: tuple[int, ...]
    out: tuple[int, ...]

    @classmethod
    def of(cls, kernel: Sequence, stride: Sequence, dilation: Sequence, low: Iterable, out: Sequence) -> "Windows":
        """Make the windows from sequences of any kind."""
        return cls(tuple(kernel), tuple(stride), tuple(dilation), tuple(low), tuple(out))

    def offsets(self) -> list[tuple[int, ...]]:
        """Return the positions in a window, in row-major order."""
        return list(np.ndindex(*self.kernel))

    def spans(self, rows: slice) -> list[tuple[int, int]]:
        """Return, for each axis, the first input position that output `rows` read and the one after the last.

        Both may lie in the padding.
        """
        ranges = [rows, *(slice(0, o) for o in self.out[1:])]
        axes = zip(ranges, self.kernel, self.stride, self.dilation, self.low, strict=True)
        return [(o.start * s - low, (o.stop - 1) * s + (k - 1) * d + 1 - low) for o, k, s, d, low in axes]

    def places(self, shape: Sequence[int]) -> Callable[[slice], list[tuple[tuple, tuple]]]:
        """Return a function of output rows that gives, for each kernel offset, the indices (outputs, inputs).

        `outputs` selects, from (n, *rows, W), the outputs whose input at this offset is not padding; `inputs` selects
        these inputs from (n, *shape, W). For a kernel of 3 over 4 inputs with a padding of 1, offset 0 gives outputs
        1:4 and inputs 0:3.
        """
        shape = tuple(shape)
        return lambda rows: _all_places(self, shape, rows.start, rows.stop)

    def _places(self, offset: tuple[int, ...], shape: tuple[int, ...], rows: slice) -> tuple[tuple, tuple]:
        outputs, inputs = [slice(None)], [slice(None)]
        ranges = [rows, *(slice(0, o) for o in self.out[1:])]
        for o, k, n, s, d, low in zip(ranges, offset, shape, self.stride, self.dilation, self.low, strict=True):
            shift = k * d - low
            start = max(o.start, -(shift // s))
            stop = max(start, min(o.stop, (n - 1 - shift) // s + 1))
            outputs.append(slice(start - o.start, stop - o.start))
            inputs.append(slice(start * s + shift, max(start * s + shift, (stop - 1) * s + shift + 1), s))
        return tuple(outputs), tuple(inputs)


@lru_cache(1024)  # every step of a network asks for the same ones, and making 25 takes 80 us
def _all_places(windows: Windows, shape: tuple[int, ...], start: int, stop: int) -> list[tuple[tuple, tuple]]:
    return [windows._places(offset, shape, slice(start, stop)) for offset in windows.offsets()]


def channels_last(x: np.ndarray) -> np.ndarray:
    """Return (N, C, *S) as a view (N, *S, C)."""
    return x.transpose(0, *range(2, x.ndim), 1)


def channels_first(x: np.ndarray) -> np.ndarray:
    """Return (N, *S, C) as a view (N, C, *S)."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def split(samples: int, out: tuple[int, ...], *, pixels: int, work: int, whole: bool = False) -> list:
    """Cut (samples, *out) pixels into blocks of about `pixels`. Returns one list of blocks for each thread.

    work: multiply-adds of one pixel, which decide the number of threads. whole: no two threads work on the same sample.
    """
    count = samples * math.prod(out)
    return _blocks(samples, out, pixels, whole, threads.thread_count(count * work, THREAD_WORK)) if count else []


@lru_cache(128)
def _blocks(samples: int, out: tuple[int, ...], pixels: int, whole: bool, parts: int) -> list:
    height, row = out[0], math.prod(out[1:])
    rows = max(1, min(pixels // row, samples * height // parts))
    if rows >= height:
        count = -(-samples // (rows // height))
        step = -(-samples // (-(-count // parts) * parts))  # every thread gets the same number of blocks
        blocks = [Block(slice(n, min(n + step, samples)), slice(0, height)) for n in range(0, samples, step)]
        unit = 1
    else:
        cuts = [slice(r, min(r + rows, height)) for r in range(0, height, rows)]
        blocks = [Block(slice(n, n + 1), cut) for n in range(samples) for cut in cuts]
        unit = len(cuts) if whole else 1
    units = len(blocks) // unit
    parts = min(parts, units)
    return [blocks[units * i // parts * unit : units * (i + 1) // parts * unit] for i in range(parts)]


def each(task, parts: list) -> list:
    """Run `task(blocks)` on one thread for each list from `split`. Returns the results; an empty batch has none."""
    return threads.parallel(task, parts) if parts else []


def multiply_each(task, parts: list) -> list:
    """Run tasks that call BLAS as `each` does, on one BLAS thread even if there is a single task.

    The last bits of a product depend on the number of BLAS threads, which other threads may change at any moment.
    """
    with threads.one_blas_thread:
        return each(task, parts)
