"""Arithmetic of boxes, with the names of torchvision.ops. A box is its corners (x1, y1, x2, y2), in pixels."""

from typing import Any

import numpy as np

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import OptionError, OutOfRangeError, ShapeError
from ...ops.elementwise import clip, maximum, minimum
from ...ops.join import stack
from ...ops.sort import nonzero

FORMATS = ("xyxy", "xywh", "cxcywh")


def check_boxes(boxes: Any, name: str) -> Tensor:
    """Return the boxes as a Tensor. Raises ShapeError unless they are (..., 4) with sides of no negative length; it
    says which.

    On cuda, where looking at the sides would have to wait for the device, only the shape is looked at.

    >>> nn.detection.check_boxes(gg.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 0.0, 3.0, 2.0]]), "model").shape
    Traceback (most recent call last):
    ...
    gpugrad.errors.ShapeError: model: boxes must have x1 <= x2 and y1 <= y2; 1 of 2 have a negative size, the first is
    box 1, [5.0, 0.0, 3.0, 2.0]
    """
    boxes = asarray(boxes)
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise ShapeError(f"{name}: boxes must be (..., 4), got shape {boxes.shape}")
    if boxes.device.type == "cpu" and boxes._array.size:
        array = boxes._array
        wrong = (array[..., 2:] < array[..., :2]).any(axis=-1)
        if wrong.any():
            place = tuple(int(i) for i in np.unravel_index(wrong.argmax(), wrong.shape))
            which = f"box {', '.join(map(str, place))}, " if place else ""
            raise ShapeError(
                f"{name}: boxes must have x1 <= x2 and y1 <= y2; {int(wrong.sum())} of {wrong.size} have a negative "
                f"size, the first is {which}{array[place].tolist()}"
            )
    return boxes


def check_truth(boxes: Tensor, labels: Tensor, num_classes: int, name: str, images: int | None = None) -> None:
    """Check true boxes (N, M, 4) of `images` images, and their labels (N, M).

    Raises OutOfRangeError for a label that is not -1 (no box) to num_classes - 1, and says which it is; ShapeError for
    other shapes and for a box of negative size (see `check_boxes`).

    >>> nn.detection.check_truth(gg.ones(1, 2, 4), gg.tensor([[0, 10]]), 10, "model")
    Traceback (most recent call last):
    ...
    gpugrad.errors.OutOfRangeError: model: labels must be from 0 to 9, or -1 for no box; labels[0, 1] is 10
    """
    if boxes.ndim != 3 or labels.shape != boxes.shape[:2] or images not in (None, len(labels)):
        count = "N" if images is None else images
        raise ShapeError(
            f"{name}: expected boxes ({count}, M, 4) and labels ({count}, M), got {boxes.shape} and {labels.shape}"
        )
    check_boxes(boxes, name)
    wrong = ((labels < -1) | (labels >= num_classes)).cpu().numpy()
    if wrong.any():
        place = tuple(int(i[0]) for i in wrong.nonzero())
        raise OutOfRangeError(
            f"{name}: labels must be from 0 to {num_classes - 1}, or -1 for no box; labels{list(place)} is "
            f"{labels[place].item()}"
        )


def _corners(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return boxes[..., 0], boxes[..., 1], boxes[..., 2], boxes[..., 3]


def box_area(boxes: Tensor) -> Tensor:
    """Return the areas of boxes (..., 4): (...).

    >>> nn.detection.box_area(gg.tensor([[0.0, 0.0, 2.0, 3.0]]))
    tensor([6.])
    """
    x1, y1, x2, y2 = _corners(check_boxes(boxes, "box_area"))
    return (x2 - x1) * (y2 - y1)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Return boxes (..., 4) in another format: corners "xyxy", corner and size "xywh", or center and size "cxcywh".

    Raises OptionError for a format that there is not.

    >>> nn.detection.box_convert(gg.tensor([2.0, 2.0, 6.0, 4.0]), "xyxy", "cxcywh")
    tensor([4., 3., 4., 2.])
    """
    for name, value in (("in_fmt", in_fmt), ("out_fmt", out_fmt)):
        if value not in FORMATS:
            raise OptionError(f"box_convert: {name} must be one of {FORMATS}, got {value!r}")
    boxes = asarray(boxes)
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise ShapeError(f"box_convert: boxes must be (..., 4), got shape {boxes.shape}")
    a, b, c, d = _corners(boxes)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return stack([a, b, c, d], -1)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return boxes (..., 4) cut to an image of `size` (height, width).

    >>> nn.detection.clip_boxes_to_image(gg.tensor([-2.0, 1.0, 9.0, 5.0]), (4, 8))
    tensor([0., 1., 8., 4.])
    """
    height, width = size
    x1, y1, x2, y2 = _corners(check_boxes(boxes, "clip_boxes_to_image"))
    return stack([clip(x1, 0, width), clip(y1, 0, height), clip(x2, 0, width), clip(y2, 0, height)], -1)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Return the numbers (int64) of those of the boxes (n, 4) whose sides are at least `min_size`.

    >>> nn.detection.remove_small_boxes(gg.tensor([[0.0, 0.0, 9.0, 1.0], [0.0, 0.0, 5.0, 5.0]]), 2)
    tensor([1])
    """
    x1, y1, x2, y2 = _corners(check_boxes(boxes, "remove_small_boxes"))
    return nonzero((x2 - x1 >= min_size) & (y2 - y1 >= min_size))[0]


def _overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the areas of intersection and union of boxes (..., 4), broadcast: each (...)."""
    sides = clip(minimum(a[..., 2:], b[..., 2:]) - maximum(a[..., :2], b[..., :2]), 0, None)
    both = sides[..., 0] * sides[..., 1]
    of_a, of_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    return both, of_a[..., 0] * of_a[..., 1] + of_b[..., 0] * of_b[..., 1] - both


def _divided(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b, and 0 where both are 0: boxes without area have nothing in common."""
    return a / (b + (b == 0))


def elementwise_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the intersection over union of each box of `boxes1` (..., 4) with its partner in `boxes2`: (...).

    Differentiable, and the shapes broadcast. Two boxes without area have 0.

    >>> nn.detection.elementwise_box_iou(gg.tensor([0.0, 0.0, 2.0, 2.0]), gg.tensor([1.0, 0.0, 3.0, 2.0]))
    tensor(0.33333334)
    """
    both, union = _overlap(check_boxes(boxes1, "elementwise_box_iou"), check_boxes(boxes2, "elementwise_box_iou"))
    return _divided(both, union)


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the intersection over union of all pairs: boxes (..., n, 4) and (..., m, 4) -> (..., n, m).

    >>> a, b = gg.tensor([[0.0, 0.0, 2.0, 2.0]]), gg.tensor([[1.0, 0.0, 3.0, 2.0], [0.0, 0.0, 2.0, 2.0]])
    >>> nn.detection.box_iou(a, b)
    tensor([[0.33333334, 1.        ]])
    """
    both, union = _overlap(*_pairs(boxes1, boxes2, "box_iou"))
    return _divided(both, union)


def _pairs(boxes1: Tensor, boxes2: Tensor, name: str) -> tuple[Tensor, Tensor]:
    first, second = check_boxes(boxes1, name), check_boxes(boxes2, name)
    for boxes in (first, second):
        if boxes.ndim < 2:
            raise ShapeError(f"{name}: boxes must be (..., n, 4), got shape {boxes.shape}")
    return first[..., :, None, :], second[..., None, :, :]


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the generalised intersection over union of all pairs: (..., n, 4) and (..., m, 4) -> (..., n, m).

    IoU - (|C| - |A or B|) / |C|, with C the smallest box around both: in (-1, 1], and boxes that do not meet still say
    how far apart they are (H. Rezatofighi et al. 2019, "Generalized intersection over union", algorithm 1).

    >>> a, b = gg.tensor([[0.0, 0.0, 1.0, 1.0]]), gg.tensor([[3.0, 0.0, 4.0, 1.0]])
    >>> nn.detection.generalized_box_iou(a, b)
    tensor([[-0.5]])
    """
    a, b = _pairs(boxes1, boxes2, "generalized_box_iou")
    both, union = _overlap(a, b)
    sides = maximum(a[..., 2:], b[..., 2:]) - minimum(a[..., :2], b[..., :2])
    around = sides[..., 0] * sides[..., 1]
    return _divided(both, union) - _divided(around - union, around)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none") -> Tensor:
    """Return 1 - GIoU of each box of `boxes1` (n, 4) with its partner in `boxes2`: (n,), or their "mean" or "sum".

    >>> box = gg.tensor([[0.0, 0.0, 1.0, 1.0]])
    >>> nn.detection.generalized_box_iou_loss(box, box + 1.0, reduction="sum")
    tensor(1.5)
    """
    if reduction not in ("none", "mean", "sum"):
        raise OptionError(f"generalized_box_iou_loss: reduction must be none, mean or sum, got {reduction!r}")
    pairs = (check_boxes(boxes, "generalized_box_iou_loss")[..., None, :] for boxes in (boxes1, boxes2))
    losses: Any = 1 - generalized_box_iou(*pairs)[..., 0, 0]
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()
