"""LeNet: one of the earliest convolutional networks, for what it was made for."""

from ..models import LeNet5
from ..nn import Module
from ..train import DigitClassification, Goal


class LeNet(DigitClassification):
    """Reads handwritten digits of 32x32 pixels with LeNet-5: convolve, pool, convolve, pool, three linear layers."""

    notes = ("5.1.3.1 LeNet",)
    minutes = 0.5
    goals = {"test accuracy": Goal(0.98)}
    quick = {"epochs": 5, "train_samples": 400, "batch_size": 16}
    epochs = 30

    def build(self) -> Module:
        return LeNet5()
