"""Defines LeNet, a small convolutional network for images of digits, in two forms."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, Tanh


class LeNet(Module):
    """Scores square images: (N, in_channels, size, size) -> (N, num_classes) (after LeCun et al. 1998).

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


class LeNet5(Sequential):
    """Scores images of 32 x 32 pixels: (N, in_channels, 32, 32) -> (N, num_classes) (LeCun et al. 1998, figure 2).

    Two 5x5 convolutions, to 6 and to 16 channels, are each averaged by 2; linear layers of 120, 84 and `num_classes`
    follow, with tanh after all but the last. Each channel of the second convolution sees all of the first.

    >>> import gpugrad as gg
    >>> gg.models.LeNet5()(gg.zeros(2, 1, 32, 32)).shape
    (2, 10)
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1):
        super().__init__(
            Conv2d(in_channels, 6, 5), Tanh(), AvgPool2d(2),
            Conv2d(6, 16, 5), Tanh(), AvgPool2d(2),
            Flatten(), Linear(400, 120), Tanh(), Linear(120, 84), Tanh(), Linear(84, num_classes),
        )  # fmt: skip
