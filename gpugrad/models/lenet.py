"""Defines LeNet, a small convolutional network for images of digits (after LeCun et al. 1998)."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential


class LeNet(Module):
    """Scores square images: (N, in_channels, size, size) -> (N, num_classes).

    Two 5x5 convolutions, to 20 and to 50 channels, are each max-pooled by 2; a linear layer of 500 with ReLU and one of
    `num_classes` follow. The module raises ShapeError if `size` is below 16.

    >>> import gpugrad as gg
    >>> model = gg.models.LeNet(num_classes=10, size=28)
    >>> model(gg.zeros(2, 1, 28, 28)).shape
    (2, 10)
    >>> list(model.state_dict())[:4]
    ['features.0.weight', 'features.0.bias', 'features.2.weight', 'features.2.bias']
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, size: int = 28):
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        if side < 1:
            raise ShapeError(f"LeNet: images must be at least 16 x 16, got size {size}")
        self.features = Sequential(Conv2d(in_channels, 20, 5), MaxPool2d(2), Conv2d(20, 50, 5), MaxPool2d(2))
        self.classifier = Sequential(Flatten(), Linear(50 * side * side, 500), ReLU(), Linear(500, num_classes))

    def forward(self, input: Tensor) -> Tensor:
        return self.classifier(self.features(input))
