"""Defines MobileNetV2, whose convolutions look at each channel by itself, between 1x1 convolutions that mix them."""

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..nn import BatchNorm2d, Conv2d, Dropout, Linear, Module, ReLU6, Sequential
from .architecture import Network, architecture, he_start, normal_linears

# Of the blocks: expansion, channels, how many in a row, stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def _activated(inside: int, outside: int, size: int = 1, stride: int = 1, groups: int = 1) -> Sequential:
    conv = Conv2d(inside, outside, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return Sequential(conv, BatchNorm2d(outside), ReLU6())


class InvertedResidual(Module):
    """Widens the channels, convolves each by itself, and narrows them again: (N, inside, H, W) -> (N, outside, ...).

    `expansion` is the factor of the wide part; the input is added where the shape stays (Sandler et al. 2018, table 1).

    >>> import gpugrad as gg
    >>> gg.models.mobilenet.InvertedResidual(16, 24, stride=2, expansion=6)(gg.zeros(1, 16, 8, 8)).shape
    (1, 24, 4, 4)
    """

    def __init__(self, inside: int, outside: int, stride: int, expansion: int):
        super().__init__()
        wide = inside * expansion
        widen = [_activated(inside, wide)] if expansion != 1 else []
        narrow = [Conv2d(wide, outside, 1, bias=False), BatchNorm2d(outside)]
        self.conv = Sequential(*widen, _activated(wide, wide, 3, stride, groups=wide), *narrow)
        self.adds = stride == 1 and inside == outside

    def forward(self, input: Tensor) -> Tensor:
        return input + self.conv(input) if self.adds else self.conv(input)


class MobileNetV2(Network):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (Sandler et al. 2018, table 2).

    `stages` are (expansion, channels, number of blocks, stride of the first). The names in the state dict and their
    shapes are torchvision's.

    >>> import gpugrad as gg
    >>> model = gg.models.MobileNetV2(num_classes=10)
    >>> model.eval()(gg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    """

    def __init__(
        self, num_classes: int = 1000, dropout: float = 0.2, stages: Sequence[tuple[int, int, int, int]] = STAGES
    ):
        super().__init__()
        layers: list[Module] = [_activated(3, 32, 3, stride=2)]
        inside = 32
        for expansion, outside, count, stride in stages:
            for number in range(count):
                layers.append(InvertedResidual(inside, outside, 1 if number else stride, expansion))
                inside = outside
        self.features = Sequential(*layers, _activated(inside, 1280))
        self.classifier = Sequential(Dropout(dropout), Linear(1280, num_classes))
        he_start(self)
        normal_linears(self)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        return self.classifier(self.features(input).mean((2, 3)))


@architecture
def mobilenet_v2(num_classes: int = 1000, dropout: float = 0.2) -> MobileNetV2:
    """Build MobileNetV2: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.mobilenet_v2(num_classes=10).features)
    19
    """
    return MobileNetV2(num_classes, dropout)
