"""Regions of interest on the CPU: suppression of boxes, and means and maxima of bins.

Pixels are rows of channels here. A mean of bins is a product of a sparse matrix and these rows, its gradient one of the
transposed matrix.
"""

import math
from typing import Any

import numpy as np

from ...backend.cpu.sparse import BLOCK, Sparse
from ...backend.cpu.threads import blocks, chunks, parallel
from ...backend.cpu.windows import channels_first, channels_last
from . import (
    bin_edges,
    check_regions,
    check_scored,
    nms,
    overlapping,
    put_regions,
    roi_align,
    roi_align_adjoint,
    roi_pool,
    sample_places,
    score_order,
)

LEAF = 128  # boxes that `nms` compares all with all
ROWS = 32  # boxes that are compared with all within their reach at a time: the temporaries stay in the cache


@nms.path("cpu")
def nms_cpu(boxes, scores, *, iou_threshold):
    check_scored(boxes, scores, iou_threshold)
    order = score_order(scores)
    return order[_kept(boxes[order], iou_threshold)], {}


def _kept(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Return the numbers of the boxes (n, 4), best first, that stay.

    The better half is settled first, and what it suppresses of the other half is not looked at again.
    """
    if len(boxes) <= LEAF:
        return np.flatnonzero(_chosen(boxes, threshold))
    half = len(boxes) // 2
    better = _kept(boxes[:half], threshold)
    left = half + np.flatnonzero(~_suppressed(boxes[half:], boxes[better], threshold))
    return np.concatenate([better, left[_kept(boxes[left], threshold)]])


def _chosen(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Return which of the boxes (n, 4), best first, stay."""
    over = np.triu(overlapping(boxes[:, None], boxes, threshold), 1)
    kept = np.ones(len(boxes), bool)
    while True:  # a box's fate is settled once that of all better ones is: rounds are as many as the longest chain
        now = ~over[kept].any(axis=0)
        if (now == kept).all():
            return kept
        kept = now


def _suppressed(boxes: np.ndarray, by: np.ndarray, threshold: float) -> np.ndarray:
    """Return which of the boxes (n, 4) one of `by` (m, 4) suppresses.

    Both are sorted by their left sides, so that only boxes within reach of each other are compared.
    """
    order = np.argsort(boxes[:, 0])
    across, by = np.ascontiguousarray(boxes[order].T), by[np.argsort(by[:, 0])]
    widest = (across[2] - across[0]).max()
    found = np.zeros(len(boxes), bool)
    for start in range(0, len(by), ROWS):
        rows = by[start : start + ROWS]
        low, high = np.searchsorted(across[0], (rows[0, 0] - widest, rows[:, 2].max()))
        found[low:high] |= overlapping(rows[:, None], across[:, low:high].T, threshold).any(axis=0)
    result = np.empty(len(boxes), bool)
    result[order] = found
    return result


# Means of bins


def _taps(*of_axis: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels along an axis that each bin is a weighted sum of, and the weights, both (K, bins, T).

    Also how many there are (K, bins); the others, behind them, have weight 0.
    """
    place, weight = sample_places(*of_axis)
    low = place.astype(np.int32)
    share = place - low
    pixels = np.concatenate([low, low + 1], axis=2)
    weights = np.concatenate([(1 - share) * weight, share * weight], axis=2)
    pixels[weights == 0] = np.iinfo(np.int32).max  # to the end
    order = np.argsort(pixels, axis=2, kind="stable")
    pixels, weights = np.take_along_axis(pixels, order, 2), np.take_along_axis(weights, order, 2)
    slot = np.zeros(pixels.shape, np.int64)  # equal pixels become one
    np.cumsum(pixels[:, :, 1:] != pixels[:, :, :-1], axis=2, out=slot[:, :, 1:])
    used = weights > 0
    counts = ((slot + 1) * used).max(axis=2, initial=0)
    shape = (*counts.shape, max(1, int(counts.max(initial=0))))
    slots = (slot + np.arange(counts.size).reshape(*counts.shape, 1) * shape[2])[used]
    joined = np.zeros(shape, np.int32)
    joined.reshape(-1)[slots] = pixels[used]
    sums = np.bincount(slots, weights[used], math.prod(shape)).astype(weights.dtype)
    return joined, sums.reshape(shape), counts.max(axis=1, initial=1)


def _bins(shape: tuple, rois: np.ndarray, output_size: tuple, *how: Any) -> Sparse:
    """Return the matrix by which the pixels of an x of `shape`, (N H W, C), give the means of bins, (K PH PW, C)."""
    rows, of_row, heights = _taps(rois[:, 2], rois[:, 4], shape[2], output_size[0], *how)
    columns, of_column, widths = _taps(rois[:, 1], rois[:, 3], shape[3], output_size[1], *how)
    first = rois[:, 0].astype(np.int32) * np.int32(shape[2] * shape[3])
    numbers, weights, counts = [np.zeros(0, np.int32)], [np.zeros(0, rois.dtype)], [np.zeros(1, np.int64)]
    most = int((heights * widths).max(initial=1)) * math.prod(output_size)
    for part in blocks(slice(0, len(rois)), max(1, BLOCK // most)) if len(rois) else ():
        height, width = heights[part].max(), widths[part].max()
        number = first[part, None, None] + rows[part, :, :height] * np.int32(shape[3])
        number = number[:, :, None, :, None] + columns[part][:, None, :, None, :width]
        weight = of_row[part][:, :, None, :height, None] * of_column[part][:, None, :, None, :width]
        used = weight != 0
        numbers.append(number[used])
        weights.append(weight[used])
        counts.append(used.sum(axis=(3, 4)).reshape(-1))
    starts = np.cumsum(np.concatenate(counts))
    return Sparse(starts, np.concatenate(numbers), np.concatenate(weights), shape[0] * shape[2] * shape[3])


def _as_rows(x: np.ndarray) -> np.ndarray:
    """Return x (N, C, *S) as rows of channels (N prod(S), C); no copy if its memory is channels-last."""
    return np.ascontiguousarray(channels_last(x)).reshape(math.prod(x.shape) // max(1, x.shape[1]), x.shape[1])


def _as_planes(rows: np.ndarray, count: int, size: tuple) -> np.ndarray:
    return channels_first(rows.reshape(count, *size, rows.shape[1]))


@roi_align.path("cpu")
def roi_align_cpu(x, rois, *, output_size, spatial_scale, sampling_ratio, aligned):
    if not x.size:
        return NotImplemented
    check_regions(x.shape, rois)
    bins = _bins(x.shape, rois, output_size, spatial_scale, sampling_ratio, aligned)
    return _as_planes(bins @ _as_rows(x), len(rois), output_size), {"bins": bins}


@roi_align_cpu.backward
def roi_align_cpu_backward(g, bins, x_shape):
    return _as_planes(bins.transposed() @ _as_rows(g), x_shape[0], x_shape[2:]), None


@roi_align_adjoint.path("cpu")
def roi_align_adjoint_cpu(y, rois, *, shape, output_size, spatial_scale, sampling_ratio, aligned):
    if not y.size or y.shape != (len(rois), shape[1], *output_size):
        return NotImplemented  # the body says what is wrong
    check_regions(shape, rois)
    bins = _bins(shape, rois, output_size, spatial_scale, sampling_ratio, aligned)
    return _as_planes(bins.transposed() @ _as_rows(y), shape[0], shape[2:]), {}


# Maxima of bins


@roi_pool.path("cpu")
def roi_pool_cpu(x, rois, *, output_size, spatial_scale):
    """The pixels of a bin are compared one after the other, those of many bins at a time; larger bins last."""
    if not x.size or not len(rois):
        return NotImplemented
    check_regions(x.shape, rois)
    rows, columns = (
        bin_edges(rois[:, 2 - i], rois[:, 4 - i], x.shape[2 + i], output_size[i], spatial_scale) for i in (0, 1)
    )
    grid = (len(rois), *output_size)
    top, left = (np.broadcast_to(e, grid).reshape(-1) for e in (rows[0][:, :, None], columns[0][:, None, :]))
    bottom, right = (np.broadcast_to(e, grid).reshape(-1) for e in (rows[1][:, :, None], columns[1][:, None, :]))
    high, wide = np.maximum(bottom - top, 0), np.maximum(right - left, 0)
    image = np.repeat(rois[:, 0].astype(np.int64), math.prod(output_size))
    pixels, channels = _as_rows(x), x.shape[1]
    out = np.zeros((len(top), channels), x.dtype)
    positions = np.full((len(top), channels), -1, np.int32)
    order = np.lexsort((wide, high))
    order = order[(high * wide)[order] > 0]

    def part(pieces: list) -> None:
        for piece in pieces:
            bins = order[piece]
            best, found = np.full((len(bins), channels), -np.inf, x.dtype), np.full((len(bins), channels), -1, np.int32)
            for i in range(int((high * wide)[bins].max())):  # beyond its last pixel a bin sees that again
                k = np.minimum(i, high[bins] * wide[bins] - 1)
                place = (top[bins] + k // wide[bins]) * x.shape[3] + left[bins] + k % wide[bins]
                values = pixels[image[bins] * (x.shape[2] * x.shape[3]) + place]
                better = (~(values <= best) & (best == best)) | (found < 0)
                np.copyto(best, values, where=better)
                np.copyto(found, place[:, None], where=better, casting="unsafe")
            out[bins], positions[bins] = best, found

    pieces = blocks(slice(0, len(order)), max(1, BLOCK // 8 // max(1, channels)))
    parallel(part, [pieces[chunk] for chunk in chunks(len(pieces), 2)])
    return _as_planes(out, len(rois), output_size), {"positions": _as_planes(positions, len(rois), output_size)}


@roi_pool_cpu.backward
def roi_pool_cpu_backward(g, positions, rois, x_shape):
    return put_regions(g, positions, rois, x_shape), None
