"""Regions of interest: boxes in images, the best of those that overlap, and what an image has inside of them.

Boxes are corners (x1, y1, x2, y2).
"""

from typing import Any

from ...autograd.op import Fixed, op, xp

__all__ = ["nms"]


def overlapping(a: Any, b: Any, threshold: float) -> Any:
    """Return whether the intersection over union of boxes (..., 4), broadcast, is above `threshold`: bool (...)."""
    ns = xp(a)
    x1, y1, x2, y2 = (ns.moveaxis(a, -1, 0)[i] for i in range(4))
    u1, v1, u2, v2 = (ns.moveaxis(b, -1, 0)[i] for i in range(4))
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
