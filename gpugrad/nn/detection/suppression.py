"""The best of boxes that overlap."""

from ...autograd.convert import asarray
from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import OptionError, ShapeError
from ...ops import roi
from ...ops.creation import arange
from ...ops.elementwise import exp, where
from .boxes import box_iou, check_boxes


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the numbers (int64) of the boxes (n, 4) that stay, best first: non-maximum suppression.

    From the best of the `scores` (n,) downward, a box is dropped if its intersection over union with one that stays is
    above `iou_threshold`.

    >>> boxes = gg.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0], [6.0, 6.0, 9.0, 9.0]])
    >>> nn.detection.nms(boxes, gg.tensor([0.5, 0.9, 0.3]), 0.5)
    tensor([1, 2])
    """
    return roi.nms(check_boxes(boxes, "nms"), scores, iou_threshold=iou_threshold)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """Return the numbers (int64) of the boxes that stay, best first, where only boxes with the same of `idxs` (n,)
    suppress each other: those of one class, one image, or both.

    >>> boxes = gg.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0]])
    >>> nn.detection.batched_nms(boxes, gg.tensor([0.5, 0.9]), gg.tensor([0, 1]), 0.5)
    tensor([1, 0])
    """
    boxes, scores, idxs = check_boxes(boxes, "batched_nms"), asarray(scores), asarray(idxs)
    if idxs.shape != boxes.shape[:1]:
        raise ShapeError(f"batched_nms: idxs must be {boxes.shape[:1]}, one for each box, got {idxs.shape}")
    if not len(boxes):
        return nms(boxes, scores, iou_threshold)
    with no_grad():  # boxes of different groups are moved so far apart that they do not meet
        boxes = boxes.astype("float64")  # exact for any number of groups
        far = (boxes.max() - boxes.min() + 1) * idxs.astype("float64")
        return nms(boxes + far[:, None], scores, iou_threshold)


def soft_nms(
    boxes: Tensor, scores: Tensor, sigma: float = 0.5, score_threshold: float = 0.001
) -> tuple[Tensor, Tensor]:
    """Return new scores (n,) of boxes (n, 4), and the numbers (int64) of those that keep `score_threshold`, best first.

    From the best downward, a box lowers the scores of those that it overlaps, by exp(-iou^2 / sigma), instead of
    dropping them (N. Bodla et al. 2017, "Soft-NMS", equation (3)). A box that no better one left overlaps is settled,
    and all such are settled together: rounds are as many as the longest chain of boxes that overlap.

    >>> boxes = gg.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0], [6.0, 6.0, 9.0, 9.0]])
    >>> found, kept = nn.detection.soft_nms(boxes, gg.tensor([0.5, 0.75, 0.25]))
    >>> found[1:].tolist(), kept.tolist()
    ([0.75, 0.25], [1, 2, 0])
    """
    if sigma <= 0:
        raise OptionError(f"soft_nms: sigma must be above 0, got {sigma}")
    boxes, scores = check_boxes(boxes, "soft_nms"), asarray(scores)
    if boxes.ndim != 2 or scores.shape != boxes.shape[:1]:
        raise ShapeError(f"soft_nms: boxes must be (n, 4) and scores (n,), got {boxes.shape} and {scores.shape}")
    with no_grad():
        iou = box_iou(boxes, boxes)
        factors, number = exp(iou * iou / -sigma), arange(len(boxes), device=boxes.device)
        meets, current, left = iou > 0, scores, scores >= score_threshold
        while left.any():
            # Better: a higher score now, or an equal one and a lower number. Only boxes that are left count.
            better = (current > current[:, None]) | ((current == current[:, None]) & (number < number[:, None]))
            settled = left & ~(better & meets & left).any(1)
            left = left & ~settled
            lowered = current * where(settled, factors, 1.0).prod(1)
            current = where(left, lowered, current)
            left = left & (current >= score_threshold)
        order = (-current).argsort()
        return current, order[current[order] >= score_threshold]
