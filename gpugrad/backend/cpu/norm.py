"""Layer, RMS and batch normalisation, forward and backward.

Variance is always the mean of (x - mean)^2, in a second pass: the one-pass E[x^2] - E[x]^2 loses every digit when the
mean is large. Rows (or channels) are taken in blocks that stay in cache for all passes, by two threads if there are
many. In batch norm a block is a few channels of the whole batch where channels are in front (N, C, S), complete in
itself; with channels last (M, C) the threads take rows, whose sums are added up in float64.
"""

import math

import numpy as np

from . import memory, threads

BLOCK = 1 << 19  # elements of a block: a share of the caches, and few enough calls for threads to overlap
SHARE = 1 << 17  # elements that are worth a thread
WIDE = 512  # width to which short channels-last rows are joined, so that NumPy's inner loops stay long


def layer_norm_forward(x, weight, bias, *, eps: float, ndim: int):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last `ndim` dims.

    weight and bias have the shape of those dims, or are None. Returns (out, mean, rstd), the last two x.shape[:-ndim].
    """
    rows, weight, bias = _rows(x, ndim), _flat(weight), _flat(bias)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    mean, rstd = np.empty(len(rows), x.dtype), np.empty(len(rows), x.dtype)
    scale = 1 / max(1, rows.shape[1])

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        np.multiply(np.einsum("ij->i", data), scale, out=mean[block])
        np.subtract(data, mean[block, None], out=result)
        var = _squares(result) * scale
        if np.any(mean[block] * mean[block] > var):  # what rounding left in the mean may matter next to the spread
            rest = np.einsum("ij->i", result) * scale
            np.subtract(result, rest[:, None], out=result)
            mean[block] += rest
            var = _squares(result) * scale
        rstd[block] = 1 / np.sqrt(var + eps)
        np.multiply(result, rstd[block, None], out=result)
        _affine(result, weight, bias)

    _over_rows(normalise, rows)
    return out, mean.reshape(x.shape[: x.ndim - ndim]), rstd.reshape(x.shape[: x.ndim - ndim])


def layer_norm_backward(g, x, weight, mean, rstd, *, needs):
    """(gx, gweight, gbias) of `layer_norm_forward`, None where `needs` (three bools) says so."""
    return _backward(g, x, weight, mean, rstd, needs)


def rms_norm_forward(x, weight, *, eps: float, ndim: int):
    """x / sqrt(mean(x^2) + eps) * weight over the last `ndim` dims; returns (out, rstd), rstd x.shape[:-ndim]."""
    rows, weight = _rows(x, ndim), _flat(weight)
    out = memory.empty(x.shape, x.dtype)
    out_rows = out.reshape(rows.shape)
    rstd = np.empty(len(rows), x.dtype)
    scale = 1 / max(1, rows.shape[1])

    def normalise(block: slice) -> None:
        data, result = rows[block], out_rows[block]
        rstd[block] = 1 / np.sqrt(_squares(data) * scale + eps)
        np.multiply(data, rstd[block, None], out=result)
        _affine(result, weight, None)

    _over_rows(normalise, rows)
    return out, rstd.reshape(x.shape[: x.ndim - ndim])


def rms_norm_backward(g, x, weight, rstd, *, needs):
    """(gx, gweight) of `rms_norm_forward`, None where `needs` (two bools) says so."""
    return _backward(g, x, weight, None, rstd, (*needs, False))[:2]


def _backward(g, x, weight, mean, rstd, needs):
    """Backward over rows (M, K), of layer norm, or of RMS norm if mean is None.

    With d = x - mean and h = g * weight: gx = rstd * (h - mean(h) - d * rstd^2 * mean(h * d)), where an RMS norm has
    neither mean. The row sums of h and h * d are products of g and g * d with the weight.
    """
    shape, norm_shape = x.shape, x.shape[rstd.ndim :]
    g, x = _rows(g, len(norm_shape)), _rows(x, len(norm_shape))
    weight, mean, rstd = _flat(weight), _flat(mean), _flat(rstd)
    need_x, *need_sums = needs
    gx = memory.empty(x.shape, x.dtype) if need_x else None
    factor = np.ones(x.shape[1], x.dtype) if weight is None else weight
    scale = 1 / max(1, x.shape[1])

    def differentiate(block: slice):
        data, grad, inverse = x[block], g[block], rstd[block]
        centred = data if mean is None else data - mean[block, None]
        product = grad * centred
        sums = inverse @ product, np.ones_like(inverse) @ grad if need_sums[1] else None
        if need_x:
            result = gx[block]
            slope = (product @ factor) * inverse * inverse * scale
            correction = np.multiply(centred, slope[:, None], out=product)
            if mean is not None:
                correction += ((grad @ factor) * scale)[:, None]
            scaled = grad if weight is None else np.multiply(grad, weight, out=result)
            np.subtract(scaled, correction, out=result)
            np.multiply(result, inverse[:, None], out=result)
        return sums

    sums = _over_rows(differentiate, x)
    gweight, gbias = (
        sum((part[i] for part in sums), np.zeros(x.shape[1])).astype(x.dtype).reshape(norm_shape) if need else None
        for i, need in enumerate(need_sums)
    )
    return gx.reshape(shape) if need_x else None, gweight, gbias


def _over_rows(task, rows: np.ndarray) -> list:
    """`[task(block) for block in blocks]` over slices of rows (M, K), by two threads if M * K is large."""
    count, width = rows.shape
    if rows.size == 0:
        return []
    step = max(1, BLOCK // width)

    def run(part: slice) -> list:
        with np.errstate(all="ignore"):
            return [task(slice(i, min(i + step, part.stop))) for i in range(part.start, part.stop, step)]

    return [result for part in threads.parallel(run, threads.chunks(count, 1 + SHARE // width)) for result in part]


def _rows(x: np.ndarray, ndim: int) -> np.ndarray:
    """x as (M, K), where K counts the elements of its last `ndim` dims."""
    lead = x.ndim - ndim
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:lead]), math.prod(x.shape[lead:]))


def _flat(weight):
    return None if weight is None else weight.reshape(-1)


def _squares(rows: np.ndarray) -> np.ndarray:
    """The sum of squares of each row; over wide rows NumPy's pairwise sum loses less than a dot product."""
    return np.vecdot(rows, rows) if rows.shape[1] <= 4096 else np.add.reduce(rows * rows, axis=1)


def _affine(result, weight, bias) -> None:
    if weight is not None:
        np.multiply(result, weight, out=result)
    if bias is not None:
        np.add(result, bias, out=result)


def batch_norm_forward(x, weight, bias, *, eps: float):
    """x (N, C, *S) normalised over every axis but 1, with the statistics of this batch.

    weight and bias are (C,) or None. Returns (out, mean, var, rstd): out in the memory order of x, var not corrected
    for the sample size, the three statistics (C,).
    """
    x = _ordered(x)
    out = _empty_like(x)
    stats = np.empty((3, x.shape[1]), x.dtype)
    count = max(1, x.size // max(1, x.shape[1]))

    def normalise(order, data, result, which: slice) -> None:
        mean = (sum(order.each(lambda block: order.sums(data[block]))) / count).astype(x.dtype)
        shift = order.spread(mean)

        def centre(block):
            part = np.subtract(data[block], shift, out=result[block])
            return np.stack((order.sums(part), order.dots(part, part)))

        # What rounding left in the mean matters where it is much larger than the spread: it goes into the offset.
        rest, square = sum(order.each(centre)) / count
        var = np.maximum(square - rest * rest, 0)
        rstd = 1 / np.sqrt(var + eps)
        factor = rstd if weight is None else rstd * weight[which]
        offset = -rest * factor if bias is None else bias[which] - rest * factor
        stats[:, which] = mean + rest, var, rstd
        factor, offset = order.spread(factor.astype(x.dtype)), order.spread(offset.astype(x.dtype))

        def finish(block):
            part = np.multiply(result[block], factor, out=result[block])
            np.add(part, offset, out=part)

        order.each(finish)

    _over_channels(normalise, x, out)
    return out, *stats


def batch_norm_backward(g, x, weight, mean, rstd, *, needs):
    """(gx, gweight, gbias) of `batch_norm_forward`, None where `needs` (three bools) says so.

    With d = x - mean: gx = weight * rstd * (g - mean(g) - d * rstd^2 * mean(g * d)).
    """
    x = _ordered(x)
    gx = _empty_like(x)
    sums = np.zeros((2, x.shape[1]))
    count = max(1, x.size // max(1, x.shape[1]))

    def differentiate(order, grad, data, result, which: slice) -> None:
        shift = order.spread(mean[which])

        def centre(block):
            part = np.subtract(data[block], shift, out=result[block])
            return np.stack((order.sums(grad[block]), order.dots(grad[block], part)))

        sums[:, which] = sum(order.each(centre))
        if not needs[0]:
            return
        inverse = rstd[which]
        slope = order.spread((sums[1, which] * inverse * inverse / count).astype(x.dtype))
        level = order.spread((sums[0, which] / count).astype(x.dtype))
        factor = order.spread(inverse if weight is None else inverse * weight[which])

        def finish(block):
            part = np.multiply(result[block], slope, out=result[block])
            np.add(part, level, out=part)
            np.subtract(grad[block], part, out=part)
            np.multiply(part, factor, out=part)

        order.each(finish)

    _over_channels(differentiate, g, x, gx)
    gweight = (sums[1] * rstd).astype(x.dtype) if needs[1] else None
    gbias = sums[0].astype(x.dtype) if needs[2] else None
    return gx if needs[0] else None, gweight, gbias


class _ChannelsFirst:
    """One block (N, c, S) of a few channels, complete in itself, on the caller's thread."""

    def each(self, task) -> list:
        return [task(...)]

    def spread(self, stat):
        return stat[:, None]

    def sums(self, a):
        return np.einsum("ncs->nc", a).sum(0, dtype=np.float64)

    def dots(self, a, b):
        return np.vecdot(a, b).sum(0, dtype=np.float64)


class _ChannelsLast:
    """Blocks of rows of (M / k, k * C), where k pixels are joined to one row; two threads share the rows."""

    def __init__(self, rows: np.ndarray, channels: int):
        self.rows, self.channels = rows, channels

    def each(self, task) -> list:
        return _over_rows(task, self.rows)

    def spread(self, stat):
        return np.tile(stat, self.rows.shape[1] // self.channels)

    def sums(self, a):
        return (np.ones(len(a), a.dtype) @ a).reshape(-1, self.channels).sum(0, dtype=np.float64)

    def dots(self, a, b):
        return np.einsum("ij,ij->j", a, b).reshape(-1, self.channels).sum(0, dtype=np.float64)


def _over_channels(task, *arrays: np.ndarray) -> None:
    """`task(order, *views, which)` over channels `which`: all (if last in the last array) or block by block."""
    filled = arrays[-1]
    if filled.size == 0:
        return
    batch, channels = filled.shape[:2]
    size = filled.size // channels
    if _is_channels_last(filled):
        joined = next(k for k in range(max(1, WIDE // channels), 0, -1) if size % k == 0)
        views = [np.moveaxis(array, 1, -1).reshape(-1, joined * channels) for array in arrays]
        with np.errstate(all="ignore"):
            return task(_ChannelsLast(views[-1], channels), *views, slice(0, channels))
    views = [array.reshape(batch, channels, -1) for array in arrays]
    step = max(1, BLOCK // size)

    def run(part: slice) -> None:
        with np.errstate(all="ignore"):
            for i in range(part.start, part.stop, step):
                which = slice(i, min(i + step, part.stop))
                task(_ChannelsFirst(), *(view[:, which] for view in views), which)

    threads.parallel(run, threads.chunks(channels, 1 + SHARE // size))


def _is_channels_last(x: np.ndarray) -> bool:
    return np.moveaxis(x, 1, -1).flags.c_contiguous


def _ordered(x: np.ndarray) -> np.ndarray:
    """x itself if its channels are in front or last in memory, else a copy with them in front."""
    return x if _is_channels_last(x) else np.ascontiguousarray(x)


def _empty_like(x: np.ndarray) -> np.ndarray:
    """Memory for an array like x, in its order; x is one that `_ordered` made."""
    order = [0, *range(2, x.ndim), 1] if _is_channels_last(x) else range(x.ndim)
    return memory.empty(tuple(x.shape[axis] for axis in order), x.dtype).transpose(np.argsort(order))
