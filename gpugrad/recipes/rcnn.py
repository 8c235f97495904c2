"""R-CNN: regions that a classical method proposes, each through a convolutional network."""

from ..models import small_rcnn
from ..nn import Module
from ..train import RegionDetection


class RCNN(RegionDetection):
    """Finds digits in scenes with R-CNN: each proposed region through a network.

    The regions are connected components above several brightnesses. R. Girshick et al. 2014, "Rich feature
    hierarchies", section 2; with softmax for the support vector machines (appendix B), and classes and boxes learned
    together, by the loss of R. Girshick 2015, equation (1), for regions of class u and box v:

        - log p(u) + [u >= 1] smoothL1(t(u) - v)
    """

    minutes = 6
    quick = {"epochs": 2, "train_scenes": 64, "test_scenes": 20}
    epochs = 4

    def build(self) -> Module:
        return small_rcnn(num_classes=10, in_channels=1)
