"""Regions of interest: boxes in images, the best of those that overlap, and what an image has inside of them.

Boxes are corners (x1, y1, x2, y2).
"""

import math
from typing import Any

from ...autograd.convert import raw
from ...autograd.op import Fixed, op, xp

__all__ = ["nms", "roi_align", "roi_pool"]


def overlapping(a: Any, b: Any, threshold: float) -> Any:
    """Return whether the intersection over union of boxes (..., 4), broadcast, is above `threshold`: bool (...)."""
    ns = xp(a)
    (x1, y1, x2, y2), (u1, v1, u2, v2) = (
        (boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]) for boxes in (a, b)
    )
    both = ns.minimum(x2, u2)
    both -= ns.maximum(x1, u1)
    ns.maximum(both, 0, out=both)
    high = ns.minimum(y2, v2)
    high -= ns.maximum(y1, v1)
    ns.maximum(high, 0, out=high)
    both *= high
    union = ns.subtract((x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1), both, out=high)
    union *= threshold
    return both > union


def score_order(scores: Any) -> Any:
    """Return the indices that sort the scores (n,), the best first; equal ones keep their order."""
    return len(scores) - 1 - xp(scores).argsort(scores[::-1], kind="stable")[::-1]


def _some_boxes(s: Any, n: int, spread: float = 20) -> Any:
    corners = abs(s(n, 2)) * spread
    return xp(corners).concatenate([corners, corners + 2 + abs(s(n, 2)) * 10], axis=1)


@op(
    samples=lambda s: [
        s.case(_some_boxes(s, 30), s.distinct(30), iou_threshold=0.3),
        s.case(_some_boxes(s, 700), s.distinct(700), iou_threshold=0.5),
        s.case(_some_boxes(s, 9, 0), s(9), iou_threshold=0.0),
        s.case(s(0, 4), s(0), iou_threshold=0.5),
    ],
    dtypes="own",
    bench=lambda s: (s.case(_some_boxes(s, n, 400), s(n), iou_threshold=0.5) for n in (1000, 100, 5000)),
)
def nms(boxes: Fixed, scores: Fixed, *, iou_threshold):
    """Return the numbers (int64) of the boxes (n, 4) that stay, best first: non-maximum suppression.

    From the best of the `scores` (n,) downward, a box is dropped if its intersection over union with one that stays is
    above `iou_threshold`. How many stay depends on the values, so the program waits for a GPU.

    >>> boxes = gg.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0], [6.0, 6.0, 9.0, 9.0]])
    >>> gg.nms(boxes, gg.tensor([0.5, 0.9, 0.3]), iou_threshold=0.5)
    tensor([1, 2])
    """
    check_scored(boxes, scores, iou_threshold)
    ns, order = xp(boxes), score_order(scores)
    chosen = boxes[order]
    over = ns.triu(overlapping(chosen[:, None], chosen, iou_threshold), 1)
    kept = ns.ones(len(boxes), bool)
    while True:  # until nothing changes: a box is settled when all better ones are
        now = ~(over & kept[:, None]).any(axis=0)
        if (now == kept).all():
            return order[kept]
        kept = now


def check_scored(boxes: Any, scores: Any, iou_threshold: float) -> None:
    """Raise ValueError (and so ShapeError) unless these are boxes with scores, and a threshold."""
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ValueError(f"boxes must be (n, 4) and scores (n,), got {boxes.shape} and {scores.shape}")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be from 0 to 1, got {iou_threshold}")


# Regions of feature maps


def check_regions(x_shape: tuple, rois: Any) -> None:
    """Raise ValueError (and so ShapeError) or IndexError (OutOfRangeError) unless rois are regions of x's images."""
    if len(x_shape) != 4 or rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(f"x must be (N, C, H, W) and rois (K, 5), got {tuple(x_shape)} and {rois.shape}")
    if len(rois):
        low, high = int(rois[:, 0].min()), int(rois[:, 0].max())
        if low < 0 or high >= x_shape[0]:
            raise IndexError(f"rois are of images {low} to {high}, but x has {x_shape[0]}")


def sample_places(
    low: Any, high: Any, size: int, bins: int, scale: float, ratio: int, aligned: bool
) -> tuple[Any, Any]:
    """Return where `roi_align` samples along an axis of `size` pixels, and the weights: both (K, bins, samples).

    low, high: the sides (K,) of the regions, in units of 1 / scale pixels. The weights of a bin's samples add up to 1,
    less those of samples that are more than a pixel outside.
    """
    ns, shift = xp(low), 0.5 if aligned else 0.0
    start = low * scale - shift
    length = high * scale - shift - start
    if not aligned:
        length = ns.maximum(length, 1)
    side = (length / bins)[:, None, None]
    count = ns.full(side.shape, ratio, low.dtype) if ratio > 0 else ns.maximum(ns.ceil(side), 0)
    number = ns.arange(max(int(count.max()), 1) if len(low) else 1)
    place = start[:, None, None] + ns.arange(bins)[:, None] * side + (number + 0.5) * side / ns.maximum(count, 1)
    place = place.astype(low.dtype)
    weight = ((place >= -1) & (place <= size) & (number < count)) / ns.maximum(count, 1)
    return ns.clip(place, 0, max(size - 1, 0)), weight.astype(low.dtype)


def _interpolation(*of_axis: Any) -> Any:
    """Return the matrix (K, bins, size) of the weights that each pixel along an axis has in each bin."""
    size = of_axis[2]
    place, weight = sample_places(*of_axis)
    ns = xp(place)
    return (
        (ns.maximum(1 - abs(place[..., None] - ns.arange(size)), 0) * weight[..., None]).sum(axis=2).astype(place.dtype)
    )


def _matrices(x_shape: tuple, rois: Any, output_size: tuple, *how: Any) -> tuple[Any, Any]:
    """Return what x is multiplied by from the left, (K, 1, PH, H), and from the right, (K, 1, W, PW)."""
    rows = _interpolation(rois[:, 2], rois[:, 4], x_shape[2], output_size[0], *how)
    columns = _interpolation(rois[:, 1], rois[:, 3], x_shape[3], output_size[1], *how)
    return rows[:, None], columns.swapaxes(1, 2)[:, None]


_ALIGN = [
    dict(output_size=(2, 3), spatial_scale=1.0, sampling_ratio=2, aligned=True),
    dict(output_size=(3, 2), spatial_scale=0.5, sampling_ratio=0, aligned=True),
    dict(output_size=(2, 2), spatial_scale=0.5, sampling_ratio=1, aligned=False),
]
_POOL = [dict(output_size=(2, 3), spatial_scale=1.0), dict(output_size=(3, 3), spatial_scale=0.5)]


def _some_rois(s: Any, count: int, images: int = 2) -> Any:
    """Return regions of images 8 pixels wide: some small, some partly outside."""
    corners = s.uniform(-1, 5, count, 2)
    sides = s.uniform(0.5, 6, count, 2)
    return xp(corners).concatenate([s.ints(images, count, 1).astype(float), corners, corners + sides], axis=1)


def _cases(s: Any, ways: list, first: Any) -> list:
    shapes = (2, 3, 8, 7), (1, 2, 5, 8), (2, 1, 6, 6)
    cases = [s.case(*first(shape, 5, way), **way) for shape, way in zip(shapes, ways, strict=False)]
    return [*cases, s.case(*first((1, 2, 4, 4), 0, ways[0]), **ways[0])]


@op(
    samples=lambda s: _cases(s, _ALIGN, lambda shape, count, way: (s(*shape), _some_rois(s, count, shape[0]))),
    bench=lambda s: (
        s.case(
            s(2, 256, 50, 50),
            _bench_rois(s, count),
            output_size=(7, 7),
            spatial_scale=0.0625,
            sampling_ratio=2,
            aligned=True,
        )
        for count in (512, 64, 2000)
    ),
    flops=lambda x, out: (2 * 16 * out.size, 2 * 16 * out.size),
)
def roi_align(x, rois: Fixed, *, output_size, spatial_scale, sampling_ratio, aligned):
    """Return the mean of x (N, C, H, W) in each bin of regions: rois (K, 5) -> (K, C, PH, PW).

    A region is (number of its image, x1, y1, x2, y2), the corners in units of 1 / spatial_scale pixels, cut into
    PH x PW bins, `output_size`. A bin's mean is that of sampling_ratio x sampling_ratio points spread over it (0: as
    many as it has pixels), each interpolated between the four pixels around it. aligned: a pixel's center is half a
    pixel from its corner. There is no gradient for the rois. An image that there is not raises OutOfRangeError; on
    cuda, where the check would have to wait for the device, it gives NaN. See K. He et al. 2017, "Mask R-CNN",
    section 3.

    >>> x, roi = gg.arange(16.0).reshape(1, 1, 4, 4), gg.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
    >>> gg.roi_align(x, roi, output_size=(2, 2), spatial_scale=1.0, sampling_ratio=2, aligned=True)
    tensor([[[[ 2.5,  4.5],
              [10.5, 12.5]]]])
    """
    check_regions(x.shape, rois)
    left, right = _matrices(x.shape, rois, output_size, spatial_scale, sampling_ratio, aligned)
    return left @ x[rois[:, 0].astype(int)] @ right


roi_align.vjp(
    x=lambda g, x_shape, rois, output_size, spatial_scale, sampling_ratio, aligned: xp(g).roi_align_adjoint(
        g, rois, shape=x_shape, output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio,
        aligned=aligned,
    )
)  # fmt: skip


@op(
    samples=lambda s: [
        s.case(s(5, shape[1], *way["output_size"]), _some_rois(s, 5, shape[0]), shape=shape, **way)
        for shape, way in zip([(2, 3, 8, 7), (1, 2, 5, 8), (2, 1, 6, 6)], _ALIGN, strict=True)
    ],
    exact_gradient=True,  # its rule is another op
)
def roi_align_adjoint(y, rois: Fixed, *, shape, output_size, spatial_scale, sampling_ratio, aligned):
    """Add each element of y (K, C, PH, PW) to the pixels that its bin is the mean of, in zeros of `shape` (N, C, H, W).

    >>> from gpugrad.ops.roi import roi_align_adjoint
    >>> y, roi = gg.ones(1, 1, 1, 1), gg.tensor([[0.0, 0.0, 0.0, 2.0, 1.0]])
    >>> how = {"output_size": (1, 1), "spatial_scale": 1.0, "sampling_ratio": 2, "aligned": True}
    >>> roi_align_adjoint(y, roi, shape=(1, 1, 1, 3), **how)
    tensor([[[[0.5, 0.5, 0. ]]]])
    """
    check_regions(shape, rois)
    if y.shape != (len(rois), shape[1], *output_size):
        raise ValueError(f"y {y.shape} must have the shape {(len(rois), shape[1], *output_size)}")
    left, right = _matrices(shape, rois, output_size, spatial_scale, sampling_ratio, aligned)
    ns, parts = xp(y), left.swapaxes(2, 3) @ y @ right.swapaxes(2, 3)
    return ns.segment_sum(parts, rois[:, 0].astype(int), num_segments=shape[0])


roi_align_adjoint.vjp(
    y=lambda g, rois, output_size, spatial_scale, sampling_ratio, aligned: xp(g).roi_align(
        g, rois, output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio, aligned=aligned
    )
)


def bin_edges(low: Any, high: Any, size: int, bins: int, scale: float) -> tuple[Any, Any]:
    """Return the first pixel of each bin of `roi_pool` along an axis, and the one behind its last: both (K, bins)."""
    ns = xp(low)
    start, end = (ns.trunc(side * scale + ns.copysign(0.5, side)) for side in (low, high))  # halves go away from 0
    side = (ns.maximum(end - start + 1, 1) / bins)[:, None].astype(low.dtype)
    number = ns.arange(bins)
    first = ns.floor((number * side).astype(low.dtype)) + start[:, None]
    behind = ns.ceil(((number + 1) * side).astype(low.dtype)) + start[:, None]
    return tuple(ns.clip(edge, 0, size).astype(int) for edge in (first, behind))


def _region_maxima(x: Any, rois: Any, output_size: tuple, spatial_scale: float) -> Any:
    """Return the position (K, C, PH, PW) of the first maximum of each bin in the spatial plane; -1: it has no pixel."""
    ns, inside = xp(x), []
    if 0 in x.shape[2:]:
        return ns.full((len(rois), x.shape[1], *output_size), -1)
    for axis in (0, 1):
        size = x.shape[2 + axis]
        first, behind = bin_edges(rois[:, 2 - axis], rois[:, 4 - axis], size, output_size[axis], spatial_scale)
        pixel = ns.arange(size)
        inside.append((pixel >= first[..., None]) & (pixel < behind[..., None]))
    inside = inside[0][:, :, None, :, None] & inside[1][:, None, :, None, :]  # (K, PH, PW, H, W)
    inside = inside.reshape(len(rois), 1, *output_size, math.prod(x.shape[2:]))
    chosen = x.reshape(*x.shape[:2], 1, 1, math.prod(x.shape[2:]))[rois[:, 0].astype(int)]
    values = ns.where(inside, chosen, -math.inf)
    best = values.max(axis=-1, keepdims=True)
    is_best = ((values == best) | (values != values)) & inside
    return ns.where(inside.any(axis=-1), is_best.argmax(axis=-1), -1)


def _elements(positions: Any, rois: Any, x_shape: tuple) -> Any:
    """Return the positions in the whole of x (N, C, H, W), of those in its planes; 0 for none."""
    ns, plane = xp(positions), math.prod(x_shape[2:])
    image = rois[:, 0].astype(int)[:, None, None, None]
    channel = ns.arange(x_shape[1])[:, None, None]
    return ns.where(positions >= 0, (image * x_shape[1] + channel) * plane + positions, 0)


@op(
    samples=lambda s: _cases(s, _POOL, lambda shape, count, way: (s.distinct(*shape), _some_rois(s, count, shape[0]))),
    bench=lambda s: (
        s.case(s(2, 256, 50, 50), _bench_rois(s, count), output_size=(7, 7), spatial_scale=0.0625)
        for count in (64, 512)
    ),
)
def roi_pool(x, rois: Fixed, *, output_size, spatial_scale):
    """Return the maximum of x (N, C, H, W) in each bin of regions: rois (K, 5) -> (K, C, PH, PW).

    A region is (number of its image, x1, y1, x2, y2), the corners in units of 1 / spatial_scale pixels, rounded to
    whole pixels, both of which belong to it; its PH x PW bins, `output_size`, are rounded outward. A bin without a
    pixel is 0. There is no gradient for the rois. An image that there is not raises OutOfRangeError; on cuda, where the
    check would have to wait for the device, it gives NaN. See R. Girshick 2015, "Fast R-CNN", section 2.1.

    >>> x, roi = gg.arange(16.0).reshape(1, 1, 4, 4), gg.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]])
    >>> gg.roi_pool(x, roi, output_size=(2, 2), spatial_scale=1.0)
    tensor([[[[ 5.,  7.],
              [13., 15.]]]])
    """
    check_regions(x.shape, rois)
    positions = _region_maxima(x, rois, output_size, spatial_scale)
    if not x.size:
        return xp(x).zeros(positions.shape, x.dtype)
    return x.reshape(-1)[_elements(positions, rois, x.shape)] * (positions >= 0)


def _pool_gradient(g: Any, x: Any, rois: Any, output_size: tuple, spatial_scale: float) -> Any:
    x, rois = raw(x), raw(rois)
    return put_regions(g, _region_maxima(x, rois, output_size, spatial_scale), rois, x.shape)


def put_regions(g: Any, positions: Any, rois: Any, x_shape: tuple) -> Any:
    """Add g (K, C, PH, PW) at the positions of maxima into zeros (N, C, H, W)."""
    if 0 in x_shape:
        return xp(g).zeros(x_shape, g.dtype)
    elements = _elements(positions, rois, x_shape).reshape(-1)
    total = xp(g).segment_sum((g * (positions >= 0)).reshape(-1), elements, num_segments=math.prod(x_shape))
    return total.reshape(x_shape)


roi_pool.vjp(x=_pool_gradient)


def _bench_rois(s: Any, count: int) -> Any:
    """Return regions of two images of 800 x 800 pixels."""
    corners = s.uniform(0, 600, count, 2)
    return xp(corners).concatenate(
        [s.ints(2, count, 1).astype(float), corners, corners + s.uniform(30, 200, count, 2)], axis=1
    )
