"""Defines AlexNet in both forms: of 2012 with local response norm, and of 2014, whose weights are found today."""

from ..autograd.tensor import Tensor
from ..nn import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, LocalResponseNorm, MaxPool2d, Module, ReLU, Sequential
from .architecture import Network, architecture


class AlexNet(Network):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (Krizhevsky 2014, "One weird trick").

    The names in the state dict and their shapes are torchvision's. `dropout` is the probability of both dropout layers
    before the hidden linear ones, which have `hidden` values. Raises ShapeError for images below 63 x 63.

    >>> import gpugrad as gg
    >>> model = gg.models.AlexNet(num_classes=10, hidden=32)
    >>> model(gg.zeros(1, 3, 64, 64)).shape
    (1, 10)
    >>> [name for name in model.state_dict() if name.startswith("classifier") and name.endswith("weight")]
    ['classifier.1.weight', 'classifier.4.weight', 'classifier.6.weight']
    """

    smallest = 63

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5, hidden: int = 4096):
        super().__init__()
        self.features = self.convolutions()
        self.avgpool = AdaptiveAvgPool2d(6)  # does nothing to images of 224 x 224
        self.classifier = Sequential(
            Dropout(dropout), Linear(256 * 6 * 6, hidden), ReLU(),
            Dropout(dropout), Linear(hidden, hidden), ReLU(),
            Linear(hidden, num_classes),
        )  # fmt: skip

    def convolutions(self) -> Sequential:
        """Return the layers before the linear ones."""
        return Sequential(
            Conv2d(3, 64, 11, stride=4, padding=2), ReLU(), MaxPool2d(3, 2),
            Conv2d(64, 192, 5, padding=2), ReLU(), MaxPool2d(3, 2),
            Conv2d(192, 384, 3, padding=1), ReLU(),
            Conv2d(384, 256, 3, padding=1), ReLU(),
            Conv2d(256, 256, 3, padding=1), ReLU(), MaxPool2d(3, 2),
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        return self.classifier(self.avgpool(self.features(input)).flatten(1))


def response_norm() -> Module:
    """Return the norm of Krizhevsky et al. 2012, section 3.3: a / (2 + 1e-4 sum a^2)^0.75 over 5 neighbouring channels.

    >>> import gpugrad as gg
    >>> from gpugrad.models.alexnet import response_norm
    >>> response_norm()(gg.zeros(1, 8, 2, 2)).shape
    (1, 8, 2, 2)
    """
    return LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # the layer divides alpha by the size


class AlexNet2012(AlexNet):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 227 (Krizhevsky, Sutskever and Hinton 2012).

    One of the two halves' first convolution, and then the whole width: maps of 55 x 55 x 48, 27 x 27 x 256,
    13 x 13 x 384 (twice) and 256, with local response norm after the first two pools. Raises ShapeError for images
    below 67 x 67.

    >>> import gpugrad as gg
    >>> model = gg.models.AlexNet2012(num_classes=10, hidden=32)
    >>> model(gg.zeros(1, 3, 67, 67)).shape
    (1, 10)
    """

    smallest = 67

    def convolutions(self) -> Sequential:
        """Return the layers before the linear ones."""
        return Sequential(
            Conv2d(3, 48, 11, stride=4), ReLU(), MaxPool2d(3, 2), response_norm(),
            Conv2d(48, 256, 5, padding=2), ReLU(), MaxPool2d(3, 2), response_norm(),
            Conv2d(256, 384, 3, padding=1), ReLU(),
            Conv2d(384, 384, 3, padding=1), ReLU(),
            Conv2d(384, 256, 3, padding=1), ReLU(), MaxPool2d(3, 2),
        )  # fmt: skip


@architecture
def alexnet(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet:
    """Build AlexNet as torchvision does: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     gg.models.alexnet().features[3]
    Conv2d(64, 192, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """
    return AlexNet(num_classes, dropout)


@architecture
def alexnet_2012(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet2012:
    """Build the first AlexNet, with local response norm: (N, 3, 227, 227) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     gg.models.alexnet_2012().features[3]
    LocalResponseNorm(5, alpha=0.0005, beta=0.75, k=2.0)
    """
    return AlexNet2012(num_classes, dropout)
