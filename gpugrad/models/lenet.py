"""The small convolutional network of the course notes, after LeNet (LeCun et al. 1998)."""

from ..autograd.tensor import Tensor
from ..nn import Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential


class LeNet(Module):
    """(N, in_channels, size, size) -> (N, num_classes) scores; size at least 16.

    conv 5x5, 20 -> max-pool 2 -> conv 5x5, 50 -> max-pool 2 -> linear 500 -> ReLU -> linear num_classes.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, size: int = 28):
        super().__init__()
        side = ((size - 4) // 2 - 4) // 2
        if side < 1:
            raise ValueError(f"LeNet: images must be at least 16 x 16, got {size} x {size}")
        self.features = Sequential(Conv2d(in_channels, 20, 5), MaxPool2d(2), Conv2d(20, 50, 5), MaxPool2d(2))
        self.classifier = Sequential(Flatten(), Linear(50 * side * side, 500), ReLU(), Linear(500, num_classes))

    def forward(self, input: Tensor) -> Tensor:
        return self.classifier(self.features(input))
