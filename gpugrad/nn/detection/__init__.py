"""Building blocks of object detectors, with the names of torchvision.ops where it has them."""

from .anchors import AnchorGenerator
from .boxes import (
    box_area,
    box_convert,
    box_iou,
    check_boxes,
    check_truth,
    clip_boxes_to_image,
    elementwise_box_iou,
    generalized_box_iou,
    generalized_box_iou_loss,
    remove_small_boxes,
)
from .coder import BoxCoder
from .matcher import Matcher, sample_balanced
from .proposals import Proposals, RegionProposalNetwork, RPNHead, RPNLoss, best_of_each_image
from .pyramid import FeaturePyramidNetwork, MultiScaleRoIAlign
from .regions import RoIAlign, RoIPool, as_rois, roi_align, roi_pool
from .suppression import batched_nms, nms, soft_nms

__all__ = [
    "AnchorGenerator", "BoxCoder", "FeaturePyramidNetwork", "Matcher", "MultiScaleRoIAlign", "Proposals", "RPNHead",
    "RPNLoss", "RegionProposalNetwork", "RoIAlign", "RoIPool", "as_rois", "batched_nms", "best_of_each_image",
    "box_area", "box_convert", "box_iou", "check_boxes", "check_truth", "clip_boxes_to_image", "elementwise_box_iou",
    "generalized_box_iou", "generalized_box_iou_loss", "nms", "remove_small_boxes", "roi_align", "roi_pool",
    "sample_balanced", "soft_nms",
]  # fmt: skip
