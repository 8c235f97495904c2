"""The CPU path of batch norm.

A block is a few channels of the whole batch where channels are in front in memory (N, C, S), complete in itself; with
channels last (M, C) the threads take rows, whose sums are added up in float64. Variance takes a second pass, as it does
in layer norm. Compiled loops do the same for large arrays.
"""

from functools import partial

import numpy as np

from ...backend.cpu import memory
from ...backend.cpu.loops import each_part, pieces
from ...backend.cpu.rows import BLOCK, WIDE, over_parts, over_rows
from ...backend.cpu.windows import channels_last
from . import batch_norm, loops, statistics_gradient

PIECE = 64  # rows that a compiled loop adds up in one go


@batch_norm.path("cpu")
def batch_norm_cpu(x, weight, bias, *, eps, running):
    """Return (out, mean, var), out in the memory order of x, and the residuals mean and rstd."""
    if x.size == 0 or any(a is not None and a.shape != (x.shape[1],) for a in (weight, bias)):
        return NotImplemented  # the generic body says what is wrong
    x = _ordered(x)
    out = _empty_like(x)
    stats = np.empty((3, x.shape[1]), x.dtype)
    count = x.size // x.shape[1]

    if loops.normalise_rows.chosen(x) is not None:
        return _finished(_looped(x, out, weight, bias, eps, stats), stats, running, count)

    def normalise(order, data, result, which: slice) -> None:
        mean = (np.sum(order.each(lambda block: order.sums(data[block])), axis=0) / count).astype(x.dtype)
        shift = order.broadcast_stat(mean)

        def centre(block):
            part = np.subtract(data[block], shift, out=result[block])
            return np.stack((order.sums(part), order.dots(part, part)))

        # What rounding left in the mean counts where it is much larger than the deviation: it goes into the offset.
        rest, square = np.sum(order.each(centre), axis=0) / count
        var = np.maximum(square - rest * rest, 0)
        rstd = 1 / np.sqrt(var + eps)
        factor = rstd if weight is None else rstd * weight[which]
        offset = -rest * factor if bias is None else bias[which] - rest * factor
        stats[:, which] = mean + rest, var, rstd
        factor, offset = order.broadcast_stat(factor.astype(x.dtype)), order.broadcast_stat(offset.astype(x.dtype))

        def finish(block):
            part = np.multiply(result[block], factor, out=result[block])
            np.add(part, offset, out=part)

        order.each(finish)

    _over_channels(normalise, x, out)
    return _finished(out, stats, running, count)


def _finished(out, stats, running, count: int) -> tuple:
    """Return what the path does; the running statistics, if there are any, move towards the new ones."""
    mean, var, rstd = stats
    if running is not None:
        running.move(mean, var, count)
    return (out, mean, var), {"mean": mean, "rstd": rstd}


@partial(batch_norm_cpu.backward, partial=True)
def batch_norm_cpu_backward(g, x, weight, mean, rstd, needs):
    """Return (gx, gweight, gbias), None where `needs` is false.

    With d = x - mean: gx = weight * rstd * (g - mean(g) - d * rstd^2 * mean(g * d)).
    """
    g, g_mean, g_var = g
    x = _ordered(x)
    g = np.zeros(x.shape, x.dtype) if g is None else g
    gx = _empty_like(x)
    sums = np.zeros((2, x.shape[1]))
    count = x.size // x.shape[1]

    def differentiate(order, grad, data, result, which: slice) -> None:
        shift = order.broadcast_stat(mean[which])

        def centre(block):
            part = np.subtract(data[block], shift, out=result[block])
            return np.stack((order.sums(grad[block]), order.dots(grad[block], part)))

        sums[:, which] = sum(order.each(centre))
        if not needs[0]:
            return
        inverse = rstd[which]
        slope = order.broadcast_stat((sums[1, which] * inverse * inverse / count).astype(x.dtype))
        mean_grad = order.broadcast_stat((sums[0, which] / count).astype(x.dtype))
        factor = order.broadcast_stat(inverse if weight is None else inverse * weight[which])

        def finish(block):
            part = np.multiply(result[block], slope, out=result[block])
            np.add(part, mean_grad, out=part)
            np.subtract(grad[block], part, out=part)
            np.multiply(part, factor, out=part)

        order.each(finish)

    if loops.differentiate_rows.chosen(x) is not None:
        _looped_gradient(_like(g, x), x, gx, mean, rstd, weight, sums)
    else:
        _over_channels(differentiate, g, x, gx)
    gweight = (sums[1] * rstd).astype(x.dtype) if needs[1] else None
    gbias = sums[0].astype(x.dtype) if needs[2] else None
    if needs[0] and (g_mean is not None or g_var is not None):
        zeros = np.zeros(x.shape[1], x.dtype)
        gx = gx + statistics_gradient(x, *(zeros if part is None else part for part in (g_mean, g_var)))
    return gx if needs[0] else None, gweight, gbias


def _looped(x, out, weight, bias, eps: float, stats) -> np.ndarray:
    """Fill `out` and stats (3, C), which are mean, var and rstd, by the compiled loops."""
    channels, count = x.shape[1], x.size // x.shape[1]
    mean, var, rstd = stats
    weight, bias = _filled(weight, 1, x), _filled(bias, 0, x)
    if not _is_channels_last(x):
        data, result = x.reshape(len(x), channels, -1), out.reshape(len(x), channels, -1)
        compiled = loops.normalise_channels.chosen(x)
        numbers = result, mean, var, data, weight, bias, eps
        each_part(lambda part: compiled(*numbers, part.start, part.stop), channels, count)
        np.divide(1, np.sqrt(var + x.dtype.type(eps)), out=rstd)
        return out
    rows, result = _joined(x), _joined(out)
    shift = _sums(loops.sum_pieces, x, rows, np.zeros(rows.shape[1], x.dtype))[0] / count
    shift = shift.astype(x.dtype)
    rest, square = _sums(loops.sum_pieces, x, rows, _wide(shift, rows)) / count
    mean[:], var[:] = shift + rest, np.maximum(square - rest * rest, 0)
    rstd[:] = 1 / np.sqrt(var + eps)
    factor = rstd * weight
    along = [_wide(stat.astype(x.dtype), rows) for stat in (shift, factor, bias - rest * factor)]
    compiled = loops.normalise_rows.chosen(x)
    each_part(lambda part: compiled(result[part], rows[part], *along), *rows.shape)
    return out


def _looped_gradient(g, x, gx, mean, rstd, weight, sums) -> None:
    """Fill gx and sums (2, C), of g and of g (x - mean), by the compiled loops."""
    channels, count = x.shape[1], x.size // x.shape[1]
    weight = _filled(weight, 1, x)
    if not _is_channels_last(x):
        cubes = [array.reshape(len(x), channels, -1) for array in (gx, g, x)]
        found = np.empty((2, channels), x.dtype)
        numbers = cubes[0], *found, *cubes[1:], mean, rstd, weight
        compiled = loops.differentiate_channels.chosen(x)
        each_part(lambda part: compiled(*numbers, part.start, part.stop), channels, count)
        sums[0], sums[1] = found[0], found[1] / rstd
        return
    rows, upstream, result = _joined(x), _joined(g), _joined(gx)
    sums[:] = _sums(loops.gradient_pieces, x, upstream, rows, _wide(mean, rows))
    stats = mean, sums[1] * rstd * rstd / count, sums[0] / count, rstd * weight
    along = [_wide(stat.astype(x.dtype), rows) for stat in stats]
    compiled = loops.differentiate_rows.chosen(x)
    each_part(lambda part: compiled(result[part], upstream[part], rows[part], *along), *rows.shape)


def _sums(loop, x, *arrays) -> np.ndarray:
    """Return two sums (2, C), float64, that a loop makes of pieces of the arrays' rows; the last array is a stat."""
    *cut, stat = arrays
    rows = cut[0]
    count = pieces(len(rows), PIECE)
    sums, compiled = np.empty((2, count, rows.shape[1]), x.dtype), loop.chosen(x)

    def add_up(part: slice) -> None:
        some = slice(part.start * PIECE, part.stop * PIECE)
        compiled(sums[0, part], sums[1, part], *[array[some] for array in cut], stat, PIECE)

    each_part(add_up, count, PIECE * rows.shape[1])
    return sums.sum(1, dtype=np.float64).reshape(2, -1, x.shape[1]).sum(1)


def _joined(x: np.ndarray) -> np.ndarray:
    """Return channels-last x as rows of several pixels: short rows take long."""
    size, channels = x.size // x.shape[1], x.shape[1]
    count = next(k for k in range(max(1, WIDE // channels), 0, -1) if size % k == 0)
    return channels_last(x).reshape(-1, count * channels)


def _wide(stat: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return a number per channel as one per column of `_joined`."""
    return np.tile(stat, rows.shape[1] // len(stat))


def _filled(stat, number: float, x: np.ndarray) -> np.ndarray:
    return np.full(x.shape[1], number, x.dtype) if stat is None else np.ascontiguousarray(stat)


def _like(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return g in the memory order of x."""
    if g.strides == x.strides:
        return g
    made = _empty_like(x)
    made[...] = g
    return made


class _ChannelsFirst:
    """Works on one block (N, c, S) of a few channels, complete in itself, on the caller's thread."""

    def each(self, task) -> list:
        return [task(...)]

    def broadcast_stat(self, stat):
        return stat[:, None]

    def sums(self, a):
        return np.einsum("ncs->nc", a).sum(0, dtype=np.float64)

    def dots(self, a, b):
        return np.vecdot(a, b).sum(0, dtype=np.float64)


class _ChannelsLast:
    """Works on blocks of rows of (M / k, k * C), where k pixels are joined to one row; two threads share the rows."""

    def __init__(self, rows: np.ndarray, channels: int):
        self.rows, self.channels = rows, channels

    def each(self, task) -> list:
        return over_rows(task, self.rows)

    def broadcast_stat(self, stat):
        return np.broadcast_to(stat, (self.rows.shape[1] // self.channels, self.channels)).reshape(-1)

    def sums(self, a):
        return (np.ones(len(a), a.dtype) @ a).reshape(-1, self.channels).sum(0, dtype=np.float64)

    def dots(self, a, b):
        return np.einsum("ij,ij->j", a, b).reshape(-1, self.channels).sum(0, dtype=np.float64)


def _over_channels(task, *arrays: np.ndarray) -> None:
    """Run `task(order, *views, which)` over channels `which`: all (if last in the last array) or block by block."""
    filled = arrays[-1]
    if filled.size == 0:
        return
    batch, channels = filled.shape[:2]
    size = filled.size // channels
    if _is_channels_last(filled):
        views = [_joined(array) for array in arrays]
        with np.errstate(all="ignore"):
            return task(_ChannelsLast(views[-1], channels), *views, slice(0, channels))
    views = [array.reshape(batch, channels, -1) for array in arrays]
    step = max(1, BLOCK // size)

    def run(part: slice) -> None:
        for i in range(part.start, part.stop, step):
            which = slice(i, min(i + step, part.stop))
            task(_ChannelsFirst(), *(view[:, which] for view in views), which)

    over_parts(run, channels, size, views[-1].shape[2])


def _is_channels_last(x: np.ndarray) -> bool:
    return channels_last(x).flags.c_contiguous


def _ordered(x: np.ndarray) -> np.ndarray:
    """Return x itself if its channels are in front or last in memory, else a copy with them in front."""
    return x if _is_channels_last(x) else np.ascontiguousarray(x)


def _empty_like(x: np.ndarray) -> np.ndarray:
    """Make an array like x, in its memory order; x is one that `_ordered` made."""
    order = [0, *range(2, x.ndim), 1] if _is_channels_last(x) else range(x.ndim)
    return memory.empty(tuple(x.shape[axis] for axis in order), x.dtype).transpose(np.argsort(order))
