"""Faster R-CNN: a network that proposes regions, and one that says what is in them, on the same features."""

from ..autograd.tensor import Tensor
from ..data import DataLoader
from ..models import small_faster_rcnn
from ..nn import Module
from ..train import Detection, DetectorTrainer, Goal


class FasterRCNN(Detection):
    """Finds digits in scenes with Faster R-CNN: region proposal network, RoI align, classes and boxes.

    Loss, S. Ren et al. 2015, equation (1), for anchors i, and R. Girshick 2015, equation (1), for regions:

        1/N sum_i CE(p_i, p_i') + 1/N sum_i p_i' smoothL1(t_i - t_i')
        - log p(u) + [u >= 1] smoothL1(t(u) - v)
    """

    minutes = 8
    goals = {"mAP@0.5": Goal(0.90)}
    quick = {"epochs": 2, "train_scenes": 64, "test_scenes": 20}
    epochs = 8
    lr = 0.002
    batch_size = 16

    def build(self) -> Module:
        return small_faster_rcnn(num_classes=10, in_channels=1)

    def train(self) -> None:
        loader = DataLoader(self.scenes.train, self.batch_size, shuffle=True)
        self.fit_detector(DetectorTrainer, loader, clip=5.0)

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        return self.model(images)
