"""VGG: its pattern of convolutions and pools in small."""

from ..models import VGG as Network
from ..nn import Module
from ..train import DigitClassification, Goal


class VGG(DigitClassification):
    """Reads handwritten digits with VGG's pattern in small: 3x3 convolutions in a row, then a pool, again and again."""

    notes = ("5.1.3.3 VGG",)
    minutes = 1
    goals = {"test accuracy": Goal(0.985)}
    quick = {"epochs": 3, "train_samples": 300, "batch_size": 20}
    epochs = 30

    def build(self) -> Module:
        return Network([(8, 2), (16, 2), (32, 3)], num_classes=10, batch_norm=True, in_channels=1, hidden=128)
