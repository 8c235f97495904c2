"""Regions of interest on cuda: launches of kernels/roi.cu."""

import ctypes
import math
from typing import Any

import numpy as np

from ...backend.cuda.launch import FLOATS, Kernels, ctype, dense
from ...backend.cuda.rows import accumulator, scalar
from ...backend.dtypes import is_float
from ...backend.namespace import xp
from . import check_scored, nms, roi_align, roi_align_adjoint, roi_pool, score_order

_THREADS, _BITS, _BINS = 128, 64, 64  # kThreads, kBits, kBins of kernels/roi.cu
_MOST_BOXES = 8 * 48 * 1024  # a bit for each is in the shared memory that every GPU gives a block


def _instances() -> list[str]:
    found = [f"nms_overlaps<{T}>" for T in ("float", "double")] + ["nms_choose"]
    for T in FLOATS:
        found += [f"roi_align_forward<{T}>", f"roi_pool_forward<{T}>"]
        found += [f"roi_backward<{axis}, {T}>" for axis in ("Samples", "Edges")]
    return found


# Division of doubles is a function on the device; what is alive around its call, once for each region, goes to memory.
KERNELS = Kernels("roi.cu", _instances, spills={"roi_backward<*, double>": "division of doubles is a call"})


class _Regions(ctypes.Structure):
    """The struct Regions of kernels/roi.cu."""

    _fields_ = [
        *((name, ctypes.c_longlong) for name in ("count", "images", "channels")),
        *((name, ctypes.c_int) for name in ("height", "width", "rows", "columns", "ratio", "aligned")),
    ]


@nms.path("cuda")
def nms_cuda(boxes, scores, *, iou_threshold):
    check_scored(boxes, scores, iou_threshold)
    count, ns = len(boxes), xp(boxes)
    if boxes.dtype.name not in ("float32", "float64") or not 0 < count <= _MOST_BOXES:
        return NotImplemented
    order = score_order(scores)
    words = -(-count // _BITS)
    bits, chosen = ns.empty((count, words), np.uint64), ns.empty(count, np.bool_)
    threshold = scalar(boxes, iou_threshold)
    args = (bits, dense(boxes[order]), np.int64(count), threshold)
    KERNELS.launch(f"nms_overlaps<{ctype(boxes)}>", grid=(words, words), block=(_BITS,), args=args)
    args = (chosen, bits, np.int64(count))
    KERNELS.launch("nms_choose", grid=(1,), block=(_THREADS,), args=args, shared=8 * words)
    return order[chosen], {}


def _regions(shape: tuple, rois: Any, output_size: tuple, ratio: int = 0, aligned: bool = False) -> Any:
    """Return what kernels are told of the regions, or None where they cannot be taken."""
    is_wrong = len(shape) != 4 or rois.ndim != 2 or rois.shape[1] != 5  # the body says what is wrong
    if is_wrong or not is_float(rois.dtype) or max(output_size) > _BINS or not math.prod((*shape, *output_size)):
        return None
    return _Regions(len(rois), shape[0], shape[1], *shape[2:], *output_size, ratio, aligned)


def _as_positions(rois: Any, like: Any) -> Any:
    return dense(rois.astype(accumulator(like), copy=False))


def _forward(kernel: str, x: Any, regions: Any, rois: Any, scale: float, *outputs: Any) -> None:
    count = outputs[0].size
    args = (*outputs, dense(x), _as_positions(rois, x), scalar(x, scale), regions)
    KERNELS.launch(f"{kernel}_forward<{ctype(x)}>", grid=(-(-count // _THREADS),), block=(_THREADS,), args=args)


def _backward(axis: str, g: Any, positions: Any, regions: Any, rois: Any, scale: float, shape: tuple) -> Any:
    """Return the gradient (N, C, H, W) of g (K, C, PH, PW)."""
    gx = xp(g).empty(shape, g.dtype)
    args = (gx, dense(g), positions, _as_positions(rois, g), scalar(g, scale), regions)
    grid = (shape[0] * shape[2] * shape[3], -(-shape[1] // _THREADS))
    KERNELS.launch(f"roi_backward<{axis}, {ctype(g)}>", grid=grid, block=(_THREADS,), args=args)
    return gx


@roi_align.path("cuda")
def roi_align_cuda(x, rois, *, output_size, spatial_scale, sampling_ratio, aligned):
    regions = _regions(x.shape, rois, output_size, sampling_ratio, aligned)
    if regions is None or not is_float(x.dtype):
        return NotImplemented
    out = xp(x).empty((len(rois), x.shape[1], *output_size), x.dtype)
    _forward("roi_align", x, regions, rois, spatial_scale, out)
    return out, {}


@roi_align_cuda.backward
def roi_align_cuda_backward(g, rois, x_shape, output_size, spatial_scale, sampling_ratio, aligned):
    regions = _regions(x_shape, rois, output_size, sampling_ratio, aligned)
    return _backward("Samples", g, None, regions, rois, spatial_scale, x_shape), None


@roi_align_adjoint.path("cuda")
def roi_align_adjoint_cuda(y, rois, *, shape, output_size, spatial_scale, sampling_ratio, aligned):
    regions = _regions(shape, rois, output_size, sampling_ratio, aligned)
    if regions is None or not is_float(y.dtype) or y.shape != (len(rois), shape[1], *output_size):
        return NotImplemented
    return _backward("Samples", y, None, regions, rois, spatial_scale, tuple(shape)), {}


@roi_pool.path("cuda")
def roi_pool_cuda(x, rois, *, output_size, spatial_scale):
    regions = _regions(x.shape, rois, output_size)
    if regions is None or not is_float(x.dtype):
        return NotImplemented
    out = xp(x).empty((len(rois), x.shape[1], *output_size), x.dtype)
    positions = xp(x).empty(out.shape, np.int32)
    _forward("roi_pool", x, regions, rois, spatial_scale, out, positions)
    return out, {"positions": positions}


@roi_pool_cuda.backward
def roi_pool_cuda_backward(g, positions, rois, x_shape, output_size, spatial_scale):
    regions = _regions(x_shape, rois, output_size)
    return _backward("Edges", g, positions, regions, rois, spatial_scale, x_shape), None
