"""Digits: the course notes' assignment, a convolutional network for handwritten digits."""

from ..models import LeNet
from ..nn import Module
from ..train import DigitClassification, Goal


class Digits(DigitClassification):
    """Reads handwritten digits with the convolutional network 20-50-500.

    conv 5x5 to 20 channels, max-pool 2, conv 5x5 to 50, max-pool 2, linear 500, ReLU, linear 10; softmax cross-entropy,
    momentum, images turned, moved, stretched and sheared at random.
    """

    minutes = 0.5
    goals = {"test accuracy": Goal(0.985)}
    quick = {"epochs": 2, "train_samples": 400}
    epochs = 30
    size = 20

    def build(self) -> Module:
        return LeNet(size=self.size)
