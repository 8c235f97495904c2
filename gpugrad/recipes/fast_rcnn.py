"""Fast R-CNN: regions that a classical method proposes, pooled from one map of features."""

from ..models import small_fast_rcnn
from ..nn import Module
from ..train import RegionDetection


class FastRCNN(RegionDetection):
    """Finds digits in scenes with Fast R-CNN: proposed regions, pooled from shared features.

    The regions are those of R-CNN's recipe, but the convolutions run once for each image, and RoI pooling takes the
    regions from their output. Loss, R. Girshick 2015, "Fast R-CNN", equation (1), for regions of class u and box v:

        - log p(u) + [u >= 1] smoothL1(t(u) - v)
    """

    minutes = 4
    quick = {"epochs": 2, "train_scenes": 64, "test_scenes": 20}
    epochs = 6

    def build(self) -> Module:
        return small_fast_rcnn(num_classes=10, in_channels=1)
