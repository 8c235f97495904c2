"""YOLO: all objects of a scene at one look."""

from ..autograd.tensor import Tensor
from ..data import DataLoader, TensorDataset
from ..models import tiny_yolo
from ..nn import Module
from ..train import Detection, Goal, Trainer


class YOLOTrainer(Trainer):
    """Trains on the sum of the loss's terms."""

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, target = batch
        return self.model.loss(self.model(images), target).total


class YOLO(Detection):
    """Finds digits in scenes with YOLO, on a 7x7 grid with two boxes in each cell.

    Loss, J. Redmon et al. 2016, equation (3), over cells i and boxes j; obj: box j of cell i is responsible for an
    object, C the confidence that is to be the intersection over union, p the classes:

        5 sum_obj (x - x')^2 + (y - y')^2  +  5 sum_obj (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2
        + sum_obj (C - C')^2  +  0.5 sum_noobj (C - C')^2  +  sum_i obj sum_c (p(c) - p'(c))^2
    """

    minutes = 5
    goals = {"mAP@0.5": Goal(0.90)}
    quick = {"epochs": 2, "train_scenes": 96, "test_scenes": 20}
    epochs = 12
    least_score = 0.2  # a score is a probability times an intersection over union

    def build(self) -> Module:
        return tiny_yolo(num_classes=10, in_channels=1)

    def train(self) -> None:
        images, boxes, labels = self.scenes.train.tensors
        target = self.model.encode(boxes, labels, self.size)
        self.fit_detector(YOLOTrainer, DataLoader(TensorDataset(images, target), self.batch_size, shuffle=True))

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        return self.model.decode(self.model(images), self.size)
