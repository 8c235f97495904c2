"""Defines VGG: many 3x3 convolutions in a row, with a max-pool after every few of them."""

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential
from .architecture import Network, architecture, he_start, normal_linears

_CHANNELS = (64, 128, 256, 512, 512)  # of the five stages
_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # in each


class VGG(Network):
    """Scores images: (N, in_channels, H, W) -> (N, num_classes), made for 224 x 224 (Simonyan and Zisserman 2014).

    `stages` are pairs (channels, number of 3x3 convolutions); each stage ends with a max-pool by 2. The names in the
    state dict and their shapes are torchvision's. `dropout` is the probability after both hidden linear layers, which
    have `hidden` values. batch_norm: one after every convolution. Raises ShapeError for images that the pools make
    nothing of.

    >>> import gpugrad as gg
    >>> model = gg.models.VGG([(8, 1), (16, 2)], num_classes=10, hidden=32)
    >>> model(gg.zeros(1, 3, 32, 32)).shape
    (1, 10)
    >>> [name for name in model.state_dict() if name.startswith("features") and name.endswith("weight")]
    ['features.0.weight', 'features.3.weight', 'features.5.weight']
    """

    def __init__(
        self,
        stages: Sequence[tuple[int, int]],
        num_classes: int = 1000,
        dropout: float = 0.5,
        batch_norm: bool = False,
        in_channels: int = 3,
        hidden: int = 4096,
    ):
        super().__init__()
        self.channels, self.smallest = in_channels, 2 ** len(stages)
        layers: list[Module] = []
        inside = in_channels
        for channels, count in stages:
            for _ in range(count):
                norm = [BatchNorm2d(channels)] if batch_norm else []
                layers += [Conv2d(inside, channels, 3, padding=1), *norm, ReLU()]
                inside = channels
            layers.append(MaxPool2d(2))
        self.features = Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d(7)  # does nothing to images of 224 x 224
        self.classifier = Sequential(
            Linear(inside * 7 * 7, hidden), ReLU(), Dropout(dropout),
            Linear(hidden, hidden), ReLU(), Dropout(dropout),
            Linear(hidden, num_classes),
        )  # fmt: skip
        he_start(self)
        normal_linears(self)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        return self.classifier(self.avgpool(self.features(input)).flatten(1))


def _vgg(depth: int, num_classes: int, dropout: float, batch_norm: bool = False) -> VGG:
    return VGG(list(zip(_CHANNELS, _CONVOLUTIONS[depth], strict=True)), num_classes, dropout, batch_norm)


@architecture
def vgg11(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-11, which has 8 convolutions and 3 linear layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg11().features)
    21
    """
    return _vgg(11, num_classes, dropout)


@architecture
def vgg11_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-11 with batch norm: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg11_bn().features)
    29
    """
    return _vgg(11, num_classes, dropout, batch_norm=True)


@architecture
def vgg13(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-13, which has 10 convolutions and 3 linear layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg13().features)
    25
    """
    return _vgg(13, num_classes, dropout)


@architecture
def vgg13_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-13 with batch norm: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg13_bn().features)
    35
    """
    return _vgg(13, num_classes, dropout, batch_norm=True)


@architecture
def vgg16(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-16, which has 13 convolutions and 3 linear layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():  # 134 million start values need not be drawn to look at a layer
    ...     model = gg.models.vgg16(num_classes=10)
    >>> model.features[28]
    Conv2d(512, 512, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """
    return _vgg(16, num_classes, dropout)


@architecture
def vgg16_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-16 with batch norm: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg16_bn().features)
    44
    """
    return _vgg(16, num_classes, dropout, batch_norm=True)


@architecture
def vgg19(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-19, which has 16 convolutions and 3 linear layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg19().features)
    37
    """
    return _vgg(19, num_classes, dropout)


@architecture
def vgg19_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Build VGG-19 with batch norm: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.vgg19_bn().features)
    53
    """
    return _vgg(19, num_classes, dropout, batch_norm=True)
