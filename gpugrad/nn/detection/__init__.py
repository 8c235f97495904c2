"""Building blocks of object detectors, with the names of torchvision.ops where it has them."""

from .boxes import (
    box_area,
    box_convert,
    box_iou,
    check_boxes,
    clip_boxes_to_image,
    elementwise_box_iou,
    generalized_box_iou,
    generalized_box_iou_loss,
    remove_small_boxes,
)
from .suppression import batched_nms, nms

__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "elementwise_box_iou",
    "generalized_box_iou", "generalized_box_iou_loss", "nms", "remove_small_boxes",
]  # fmt: skip
