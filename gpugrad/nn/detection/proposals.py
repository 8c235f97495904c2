"""The region proposal network: boxes that may hold an object (S. Ren et al. 2015, "Faster R-CNN", section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...autograd.mode import no_grad
from ...autograd.tensor import Tensor
from ...ops.creation import arange, zeros
from ...ops.index import take_along_axis
from ...ops.join import concatenate
from ...ops.sort import nonzero
from .. import init
from ..activation import ReLU
from ..container import Sequential
from ..conv import Conv2d
from ..functional import binary_cross_entropy_with_logits, smooth_l1_loss
from ..module import Module
from .anchors import AnchorGenerator
from .boxes import box_iou, clip_boxes_to_image
from .coder import BoxCoder
from .matcher import Matcher, sample_balanced
from .suppression import batched_nms


class Proposals(NamedTuple):
    """Holds boxes (N, R, 4) of each image, best first, and whether each is one (N, R): images may have fewer than R.

    >>> proposals = nn.detection.Proposals(gg.zeros(1, 2, 4), gg.tensor([[True, False]]))
    >>> proposals.rois().shape
    (1, 5)
    """

    boxes: Tensor
    valid: Tensor

    def rois(self) -> Tensor:
        """Return the boxes as regions (K, 5), those of the first image first."""
        image, place = nonzero(self.valid)
        return concatenate([image.astype(self.boxes.dtype)[:, None], self.boxes[image, place]], 1)


def best_of_each_image(
    boxes: Tensor, scores: Tensor, image: Tensor, images: int, iou_threshold: float, count: int
) -> Proposals:
    """Return, for each of `images` images, the best `count` of the boxes (n, 4) that `nms` leaves.

    scores: of the boxes (n,). image: the number of each box's image (n,).

    >>> boxes = gg.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0], [6.0, 6.0, 9.0, 9.0]])
    >>> scores, image = gg.tensor([0.5, 0.9, 0.3]), gg.tensor([0, 0, 0])
    >>> nn.detection.best_of_each_image(boxes, scores, image, 1, 0.5, 2).boxes[0, :, 3].tolist()
    [5.0, 9.0]
    """
    with no_grad():
        kept = batched_nms(boxes, scores, image, iou_threshold)
        boxes, image = boxes[kept], image[kept]
        of_image = image == arange(images, device=boxes.device)[:, None]
        rank = (of_image.astype("int64").cumsum(1) - 1)[image, arange(len(image), device=boxes.device)]
        boxes, image, rank = boxes[rank < count], image[rank < count], rank[rank < count]
        found, is_one = zeros(images, count, 4, device=boxes.device), zeros(images, count, device=boxes.device)
        found[image, rank], is_one[image, rank] = boxes, 1.0
        return Proposals(found, is_one > 0)


class RPNHead(Module):
    """Scores anchors and moves them: feature maps (N, C, H, W) -> objectness (N, A) and codes (N, A, 4) of all.

    A 3x3 convolution with ReLU, then two 1x1 ones. Parameters have torchvision's names.

    >>> objectness, codes = nn.detection.RPNHead(8, num_anchors=3)([gg.zeros(2, 8, 4, 5)])
    >>> objectness.shape, codes.shape
    ((2, 60), (2, 60, 4))
    """

    def __init__(self, in_channels: int, num_anchors: int):
        super().__init__()
        self.conv = Sequential(Sequential(Conv2d(in_channels, in_channels, 3, padding=1), ReLU()))
        self.cls_logits = Conv2d(in_channels, num_anchors, 1)
        self.bbox_pred = Conv2d(in_channels, num_anchors * 4, 1)
        for layer in (self.conv[0][0], self.cls_logits, self.bbox_pred):
            init.normal_(layer.weight, std=0.01)
            init.zeros_(layer.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        scores, codes = [], []
        for feature in features:
            shared = self.conv(feature)
            scores.append(self._flat(self.cls_logits(shared), 1)[..., 0])
            codes.append(self._flat(self.bbox_pred(shared), 4))
        return concatenate(scores, 1), concatenate(codes, 1)

    @staticmethod
    def _flat(x: Tensor, width: int) -> Tensor:
        """Return (N, A width, H, W) as (N, H W A, width), the order of the anchors."""
        count, _, height, columns = x.shape
        x = x.reshape(count, -1, width, height, columns).transpose(0, 3, 4, 1, 2)
        return x.reshape(count, -1, width)


class RPNLoss(NamedTuple):
    """Holds the two terms of the loss of region proposals, equation (1) of the paper.

    >>> nn.detection.RPNLoss(objectness=1.0, box=2.0).box
    2.0
    """

    objectness: Tensor
    box: Tensor


class RegionProposalNetwork(Module):
    """Proposes boxes: (features, image_size) -> Proposals of at most `post_nms_top_n` boxes in each image.

    Of the anchors, the `pre_nms_top_n` that seem most to hold an object are moved and cut to the image; those with
    sides of at least `min_size` go through `nms`. With the true `boxes` (N, M, 4) and whether each is one, `valid`
    (N, M), `loss` gives the terms of the loss at random `batch_size_per_image` anchors of each image: positive above
    an intersection over union of `fg_iou_thresh`, or the best of a box; background below `bg_iou_thresh`.

    >>> anchors = nn.detection.AnchorGenerator(sizes=((8, 16),), aspect_ratios=((1.0,),))
    >>> rpn = nn.detection.RegionProposalNetwork(anchors, nn.detection.RPNHead(4, 2), post_nms_top_n=10)
    >>> rpn([gg.zeros(2, 4, 8, 8)], (32, 32)).boxes.shape
    (2, 10, 4)
    """

    def __init__(
        self,
        anchor_generator: AnchorGenerator,
        head: RPNHead,
        fg_iou_thresh: float = 0.7,
        bg_iou_thresh: float = 0.3,
        batch_size_per_image: int = 256,
        positive_fraction: float = 0.5,
        pre_nms_top_n: int = 1000,
        post_nms_top_n: int = 300,
        nms_thresh: float = 0.7,
        min_size: float = 1e-3,
    ):
        super().__init__()
        self.anchor_generator, self.head, self.box_coder = anchor_generator, head, BoxCoder()
        self.matcher = Matcher(fg_iou_thresh, bg_iou_thresh, allow_low_quality_matches=True)
        self.batch_size_per_image, self.positive_fraction = batch_size_per_image, positive_fraction
        self.pre_nms_top_n, self.post_nms_top_n = pre_nms_top_n, post_nms_top_n
        self.nms_thresh, self.min_size = nms_thresh, min_size

    def forward(self, features: Sequence[Tensor], image_size: tuple[int, int]) -> Proposals:
        return self.propose(*self.head(features), self.anchor_generator(image_size, features), image_size)

    def propose(self, scores: Tensor, codes: Tensor, anchors: Tensor, image_size: tuple[int, int]) -> Proposals:
        """Return the proposals of scored (N, A) and moved (N, A, 4) anchors (A, 4)."""
        with no_grad():
            best, place = scores.topk(min(self.pre_nms_top_n, scores.shape[1]), 1)
            boxes = self.box_coder.decode(take_along_axis(codes, place[..., None], 1), anchors[place])
            boxes = clip_boxes_to_image(boxes, image_size)
            image, chosen = nonzero(((boxes[..., 2:] - boxes[..., :2]) >= self.min_size).all(-1))
            return best_of_each_image(
                boxes[image, chosen], best[image, chosen], image, len(boxes), self.nms_thresh, self.post_nms_top_n
            )

    def loss(self, scores: Tensor, codes: Tensor, anchors: Tensor, boxes: Tensor, valid: Tensor) -> RPNLoss:
        """Return (1 / N) sum cross-entropy of the objectness, and (1 / N) sum over positives of the smooth L1 distance.

        N is the number of sampled anchors; see the class.
        """
        with no_grad():
            matches = self.matcher(box_iou(boxes, anchors) * valid[..., None])
            positive, negative = sample_balanced(matches, self.batch_size_per_image, self.positive_fraction)
            image, anchor = nonzero(positive)
            target = self.box_coder.encode(boxes[image, matches[image, anchor]], anchors[anchor])
            sampled = (positive | negative).astype(scores.dtype)
        count = sampled.sum()
        entropy = binary_cross_entropy_with_logits(scores, positive.astype(scores.dtype), reduction="none")
        distance = smooth_l1_loss(codes[image, anchor], target, beta=1 / 9, reduction="sum")
        return RPNLoss((entropy * sampled).sum() / count, distance / count)
