"""ResNet-20: the residual network for small images."""

from ..models import CIFARResNet
from ..nn import Module
from ..train import DigitClassification, Goal


class ResNet20(DigitClassification):
    """Reads handwritten digits with the residual network of 20 layers that was made for images of 32x32 pixels."""

    notes = ("2.2 Residual Networks", "5.1.3.4 ResNet")
    minutes = 2
    goals = {"test accuracy": Goal(0.985)}
    quick = {"epochs": 2, "train_samples": 192, "size": 16}
    epochs = 5
    batch_size = 32
    lr = 0.05
    weight_decay = 1e-4

    def build(self) -> Module:
        return CIFARResNet(20, in_channels=1)
