"""The best of boxes that overlap."""

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops import roi
from .boxes import check_boxes


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
    check_boxes(boxes, "batched_nms")
    if idxs.shape != boxes.shape[:1]:
        raise ShapeError(f"batched_nms: idxs must be {boxes.shape[:1]}, one for each box, got {idxs.shape}")
    if not len(boxes):
        return nms(boxes, scores, iou_threshold)
    with no_grad():  # boxes of different groups are moved so far apart that they do not meet
        far = (boxes.max() - boxes.min() + 1) * idxs.astype(boxes.dtype)
        return nms(boxes + far[:, None], scores, iou_threshold)
