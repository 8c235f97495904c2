"""Defines AlexNet, the convolutional network of five layers that was split over two GPUs, here in one piece."""

from ..autograd.tensor import Tensor
from ..nn import AdaptiveAvgPool2d, Conv2d, Dropout, Linear, MaxPool2d, Module, ReLU, Sequential


class AlexNet(Module):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (Krizhevsky 2014, "One weird trick").

    The names in the state dict and their shapes are torchvision's. `dropout` is the probability of both dropout layers
    before the hidden linear ones.

    >>> import gpugrad as gg
    >>> model = gg.models.AlexNet(num_classes=10)
    >>> model(gg.zeros(1, 3, 64, 64)).shape
    (1, 10)
    >>> [name for name in model.state_dict() if name.startswith("classifier") and name.endswith("weight")]
    ['classifier.1.weight', 'classifier.4.weight', 'classifier.6.weight']
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5):
        super().__init__()
        self.features = Sequential(
            Conv2d(3, 64, 11, stride=4, padding=2), ReLU(), MaxPool2d(3, 2),
            Conv2d(64, 192, 5, padding=2), ReLU(), MaxPool2d(3, 2),
            Conv2d(192, 384, 3, padding=1), ReLU(),
            Conv2d(384, 256, 3, padding=1), ReLU(),
            Conv2d(256, 256, 3, padding=1), ReLU(), MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = AdaptiveAvgPool2d(6)  # does nothing to images of 224 x 224
        self.classifier = Sequential(
            Dropout(dropout), Linear(256 * 6 * 6, 4096), ReLU(),
            Dropout(dropout), Linear(4096, 4096), ReLU(),
            Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(input)).flatten(1))
