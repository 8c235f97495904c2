"""Defines VGG: many 3x3 convolutions in a row, with a max-pool after every few of them."""

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..nn import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential


class VGG(Module):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (Simonyan and Zisserman 2014).

    `stages` are pairs (channels, number of 3x3 convolutions); each stage ends with a max-pool by 2. The names in the
    state dict and their shapes are torchvision's. `dropout` is the probability after both hidden linear layers.

    >>> import gpugrad as gg
    >>> model = gg.models.VGG([(8, 1), (16, 2)], num_classes=10)
    >>> model(gg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    >>> [name for name in model.state_dict() if name.startswith("features") and name.endswith("weight")]
    ['features.0.weight', 'features.3.weight', 'features.5.weight']
    """

    def __init__(self, stages: Sequence[tuple[int, int]], num_classes: int = 1000, dropout: float = 0.5):
        super().__init__()
        layers, inside = [], 3
        for channels, count in stages:
            for _ in range(count):
                layers += [Conv2d(inside, channels, 3, padding=1), ReLU()]
                inside = channels
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d(7)  # does nothing to images of 224 x 224
        self.classifier = Sequential(
            Linear(inside * 7 * 7, 4096), ReLU(), Dropout(dropout),
            Linear(4096, 4096), ReLU(), Dropout(dropout),
            Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(input)).flatten(1))


def vgg16(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Builds VGG-16, which has 13 convolutions and 3 linear layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():  # 134 million start values need not be drawn to look at a layer
    ...     model = gg.models.vgg16(num_classes=10)
    >>> model.features[28]
    Conv2d(512, 512, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    return VGG([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], num_classes, dropout)
