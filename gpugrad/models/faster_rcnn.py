"""Defines R-CNN, Fast R-CNN and Faster R-CNN, which say what is in regions (Girshick 2014, 2015; Ren et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import BatchNorm2d, Conv2d, Flatten, Identity, Linear, MaxPool2d, Module, ReLU, Sequential
from ..nn.detection import (
    AnchorGenerator,
    BoxCoder,
    Matcher,
    Proposals,
    RegionProposalNetwork,
    RoIAlign,
    RoIPool,
    RPNHead,
    batched_nms,
    box_iou,
    check_truth,
    clip_boxes_to_image,
    sample_balanced,
)
from ..nn.functional import cross_entropy, smooth_l1_loss, softmax
from ..ops.creation import zeros
from ..ops.elementwise import relu, where
from ..ops.join import concatenate
from ..ops.sort import nonzero
from .architecture import Network


class RegionLoss(NamedTuple):
    """Holds the terms of Fast R-CNN's loss: of the classes and of the boxes. `total` is their sum.

    >>> gg.models.faster_rcnn.RegionLoss(1.0, 0.5).total
    1.5
    """

    classes: Any
    box: Any

    @property
    def total(self) -> Any:
        """The loss, equation (1) of the paper, with lambda = 1."""
        return self.classes + self.box


class FasterRCNNLoss(NamedTuple):
    """Holds the terms of Faster R-CNN's loss: the proposals' two and the regions' two. `total` is their sum.

    >>> gg.models.faster_rcnn.FasterRCNNLoss(1.0, 0.5, 2.0, 1.0).total
    4.5
    """

    objectness: Any
    proposal: Any
    classes: Any
    box: Any

    @property
    def total(self) -> Any:
        """The loss of approximate joint training, section 3.2 of the paper."""
        return self.objectness + self.proposal + self.classes + self.box


class TwoMLPHead(Module):
    """Turns regions (K, C, PH, PW) into features (K, representation_size) by two linear layers with ReLU.

    >>> gg.models.faster_rcnn.TwoMLPHead(3 * 4, 8)(gg.zeros(5, 3, 2, 2)).shape
    (5, 8)
    """

    def __init__(self, in_channels: int, representation_size: int):
        super().__init__()
        self.fc6, self.fc7 = Linear(in_channels, representation_size), Linear(representation_size, representation_size)

    def forward(self, input: Tensor) -> Tensor:
        return relu(self.fc7(relu(self.fc6(input.reshape(len(input), -1)))))


class FastRCNNPredictor(Module):
    """Scores classes and moves boxes: (K, in_channels) -> (K, num_classes) and (K, num_classes, 4). Class 0 is none.

    >>> scores, codes = gg.models.faster_rcnn.FastRCNNPredictor(8, 3)(gg.zeros(5, 8))
    >>> scores.shape, codes.shape
    ((5, 3), (5, 3, 4))
    """

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__()
        self.cls_score, self.bbox_pred = Linear(in_channels, num_classes), Linear(in_channels, num_classes * 4)

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.bbox_pred(input)
        return self.cls_score(input), codes.reshape(len(codes), codes.shape[1] // 4, 4)


class RoIHeads(Module):
    """Says what is in regions of feature maps, and where exactly: Fast R-CNN's part behind the proposals.

    box_roi_pool: of (features, rois), such as a RoIAlign; box_head and box_predictor follow. The loss is that at
    `batch_size_per_image` random regions of each image, of which up to `positive_fraction` overlap a box by at least
    `fg_iou_thresh`. What is found has at least `score_thresh` and went through `nms` with `nms_thresh`.

    >>> pool = nn.detection.RoIAlign(2, spatial_scale=0.25, sampling_ratio=2)
    >>> heads = gg.models.faster_rcnn.RoIHeads(
    ...     pool, gg.models.faster_rcnn.TwoMLPHead(3 * 4, 8), gg.models.faster_rcnn.FastRCNNPredictor(8, 3)
    ... )
    >>> proposals = nn.detection.Proposals(gg.tensor([[[0.0, 0.0, 8.0, 8.0]]]), gg.tensor([[True]]))
    >>> sorted(heads(gg.ones(1, 3, 4, 4), proposals, (16, 16))[0])
    ['boxes', 'labels', 'scores']
    """

    def __init__(
        self,
        box_roi_pool: Module,
        box_head: Module,
        box_predictor: Module,
        fg_iou_thresh: float = 0.5,
        batch_size_per_image: int = 64,
        positive_fraction: float = 0.25,
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
    ):
        super().__init__()
        self.box_roi_pool, self.box_head, self.box_predictor = box_roi_pool, box_head, box_predictor
        self.matcher, self.box_coder = Matcher(fg_iou_thresh, fg_iou_thresh), BoxCoder((10.0, 10.0, 5.0, 5.0))
        self.batch_size_per_image, self.positive_fraction = batch_size_per_image, positive_fraction
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh

    def _predict(self, features: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        return self.box_predictor(self.box_head(self.box_roi_pool(features, rois)))

    def loss(self, features: Tensor, proposals: Proposals, boxes: Tensor, labels: Tensor) -> RegionLoss:
        """Return -log p(u), the mean over the sampled regions, and the smooth L1 distance of those with u >= 1.

        boxes: the true ones (N, M, 4). labels: (N, M), -1 where there is none; class c of them is output c + 1.
        """
        with no_grad():
            matches = self.matcher(box_iou(boxes, proposals.boxes) * (labels >= 0)[..., None])
            matches = where(proposals.valid, matches, Matcher.BETWEEN_THRESHOLDS)
            positive, negative = sample_balanced(matches, self.batch_size_per_image, self.positive_fraction)
            image, place = nonzero(positive | negative)
            chosen, match = proposals.boxes[image, place], matches[image, place]
            (found,) = nonzero(match >= 0)
            target = zeros(len(match), dtype="int64", device=labels.device)
            target[found] = labels[image[found], match[found]] + 1
            codes = self.box_coder.encode(boxes[image[found], match[found]], chosen[found])
            rois = concatenate([image.astype(chosen.dtype)[:, None], chosen], 1)
        scores, moved = self._predict(features, rois)
        distance = smooth_l1_loss(moved[found, target[found]], codes, beta=1 / 9, reduction="sum")
        return RegionLoss(cross_entropy(scores, target), distance / max(1, len(target)))

    def forward(self, features: Tensor, proposals: Proposals, image_size: tuple[int, int]) -> list[dict[str, Tensor]]:
        rois = proposals.rois()
        scores, codes = self._predict(features, rois)
        with no_grad():
            boxes = clip_boxes_to_image(self.box_coder.decode(codes, rois[:, None, 1:]), image_size)
            values = softmax(scores, 1)
            region, label = nonzero(values[:, 1:] >= self.score_thresh)
            boxes, values, image = boxes[region, label + 1], values[region, label + 1], rois[region, 0].astype("int64")
            kept = batched_nms(boxes, values, image * codes.shape[1] + label, self.nms_thresh)
            boxes, values, label, image = boxes[kept], values[kept], label[kept], image[kept]
            parts = [image == number for number in range(len(proposals.boxes))]
            return [{"boxes": boxes[p], "scores": values[p], "labels": label[p]} for p in parts]


class FasterRCNN(Network):
    """Finds objects: images (N, C, H, W) -> for each its boxes (n, 4), scores (n,), labels (n,), best first.

    backbone: images -> features (N, F, H / s, W / s). rpn proposes boxes on them, roi_heads say what these hold.
    Parameters have torchvision's names.

    >>> model = gg.models.small_faster_rcnn(num_classes=10, in_channels=1)
    >>> loss = model.loss(gg.zeros(1, 1, 56, 56), gg.tensor([[[8.0, 4.0, 24.0, 20.0]]]), gg.tensor([[3]]))
    >>> loss.total.shape, sorted(model.eval()(gg.zeros(1, 1, 56, 56))[0])
    ((), ['boxes', 'labels', 'scores'])
    """

    def __init__(self, backbone: Module, rpn: RegionProposalNetwork, roi_heads: RoIHeads, num_classes: int):
        super().__init__()
        self.channels = None  # those that the backbone takes
        self.backbone, self.rpn, self.roi_heads, self.num_classes = backbone, rpn, roi_heads, num_classes

    def forward(self, images: Tensor) -> list[dict[str, Tensor]]:
        self.check(images)
        features, size = self.backbone(images), (images.shape[2], images.shape[3])
        return self.roi_heads(features, self.rpn([features], size), size)

    def loss(self, images: Tensor, boxes: Tensor, labels: Tensor) -> FasterRCNNLoss:
        """Return the terms of the loss for true boxes (N, M, 4) of classes `labels` (N, M), -1 where there is none."""
        self.check(images)
        check_truth(boxes, labels, self.num_classes, "FasterRCNN.loss", len(images))
        features, size = self.backbone(images), (images.shape[2], images.shape[3])
        scores, codes = self.rpn.head([features])
        anchors, valid = self.rpn.anchor_generator(size, [features]), labels >= 0
        of_proposals = self.rpn.loss(scores, codes, anchors, boxes, valid)
        proposals = with_truth(self.rpn.propose(scores, codes, anchors, size), boxes, valid)
        return FasterRCNNLoss(*of_proposals, *self.roi_heads.loss(features, proposals, boxes, labels))


def with_truth(proposals: Proposals, boxes: Tensor, valid: Tensor) -> Proposals:
    """Return the proposals and the true boxes (N, M, 4) that are `valid` (N, M): at first nothing else fits them.

    >>> none = nn.detection.Proposals(gg.zeros(1, 1, 4), gg.tensor([[False]]))
    >>> gg.models.faster_rcnn.with_truth(none, gg.ones(1, 2, 4), gg.tensor([[True, False]])).valid
    tensor([[False,  True, False]])
    """
    return Proposals(concatenate([proposals.boxes, boxes], 1), concatenate([proposals.valid, valid], 1))


class FastRCNN(Network):
    """Says what is in given proposals: (images, Proposals) -> for each image boxes, scores, labels.

    backbone and roi_heads are those of `FasterRCNN`; the proposals come from elsewhere. With the images themselves as
    features and a convolutional network as the head of each region, it is R-CNN (R. Girshick et al. 2014).

    >>> model = gg.models.small_fast_rcnn(num_classes=10, in_channels=1).eval()
    >>> proposals = nn.detection.Proposals(gg.tensor([[[0.0, 0.0, 20.0, 20.0]]]), gg.tensor([[True]]))
    >>> len(model(gg.zeros(1, 1, 56, 56), proposals))
    1
    """

    def __init__(self, backbone: Module, roi_heads: RoIHeads, num_classes: int):
        super().__init__()
        self.channels = None  # those that the backbone takes
        self.backbone, self.roi_heads, self.num_classes = backbone, roi_heads, num_classes

    def forward(self, images: Tensor, proposals: Proposals) -> list[dict[str, Tensor]]:
        self.check(images)
        return self.roi_heads(self.backbone(images), proposals, (images.shape[2], images.shape[3]))

    def loss(self, images: Tensor, proposals: Proposals, boxes: Tensor, labels: Tensor) -> RegionLoss:
        """Return the terms of the loss for true boxes (N, M, 4) of classes `labels` (N, M), -1 where there is none."""
        self.check(images)
        check_truth(boxes, labels, self.num_classes, "FastRCNN.loss", len(images))
        return self.roi_heads.loss(self.backbone(images), with_truth(proposals, boxes, labels >= 0), boxes, labels)


WIDTH, STRIDE = 96, 4  # channels of the small networks' features, and pixels between two of their positions


def _small_backbone(in_channels: int) -> Sequential:
    """Return four convolutions: (N, in_channels, H, W) -> (N, WIDTH, H / STRIDE, W / STRIDE)."""

    def layer(channels: int, out: int, stride: int = 1) -> Sequence[Module]:
        return Conv2d(channels, out, 3, stride, 1, bias=False), BatchNorm2d(out), ReLU()

    return Sequential(*layer(in_channels, 24, 2), *layer(24, 48), MaxPool2d(2), *layer(48, WIDTH), *layer(WIDTH, WIDTH))


def _small_heads(num_classes: int, pool: Module, bins: int) -> RoIHeads:
    return RoIHeads(pool, TwoMLPHead(WIDTH * bins * bins, 192), FastRCNNPredictor(192, num_classes + 1))


def small_faster_rcnn(num_classes: int = 20, in_channels: int = 3) -> FasterRCNN:
    """Builds a small Faster R-CNN for objects of 10 to 30 pixels: features of stride 4, square anchors, RoI align 5x5.

    >>> gg.models.small_faster_rcnn(num_classes=10, in_channels=1).rpn.head.cls_logits.weight.shape
    (3, 96, 1, 1)
    """
    anchors = AnchorGenerator(sizes=((12, 18, 26),), aspect_ratios=((1.0,),))
    rpn = RegionProposalNetwork(
        anchors, RPNHead(WIDTH, 3), batch_size_per_image=64, pre_nms_top_n=200, post_nms_top_n=40, min_size=2,
        fg_iou_thresh=0.6,
    )  # fmt: skip
    pool = RoIAlign(5, spatial_scale=1 / STRIDE, sampling_ratio=2, aligned=True)
    model = FasterRCNN(_small_backbone(in_channels), rpn, _small_heads(num_classes, pool, 5), num_classes)
    model.channels, model.smallest = in_channels, STRIDE
    return model


def small_fast_rcnn(num_classes: int = 20, in_channels: int = 3) -> FastRCNN:
    """Builds a small Fast R-CNN for objects of 10 to 30 pixels: features of stride 4, RoI pooling 5x5.

    >>> gg.models.small_fast_rcnn(num_classes=10, in_channels=1).roi_heads.box_predictor.cls_score.weight.shape
    (11, 192)
    """
    heads = _small_heads(num_classes, RoIPool(5, spatial_scale=1 / STRIDE), 5)
    model = FastRCNN(_small_backbone(in_channels), heads, num_classes)
    model.channels, model.smallest = in_channels, STRIDE
    return model


def small_rcnn(num_classes: int = 20, in_channels: int = 3) -> FastRCNN:
    """Builds a small R-CNN: each region, warped to 24x24 pixels, goes through a convolutional network of its own.

    >>> model = gg.models.small_rcnn(num_classes=10, in_channels=1)
    >>> sum(isinstance(layer, nn.Conv2d) for layer in model.roi_heads.modules())
    2
    """
    network = Sequential(
        Conv2d(in_channels, 24, 5), BatchNorm2d(24), ReLU(), MaxPool2d(2),
        Conv2d(24, 48, 3), BatchNorm2d(48), ReLU(), MaxPool2d(2), Flatten(), Linear(48 * 4 * 4, 192), ReLU(),
    )  # fmt: skip
    pool = RoIAlign(24, sampling_ratio=2, aligned=True)
    model = FastRCNN(Identity(), RoIHeads(pool, network, FastRCNNPredictor(192, num_classes + 1)), num_classes)
    model.channels = in_channels
    return model
