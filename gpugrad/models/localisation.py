"""Defines networks that say where one object is: a regressor of its box, and OverFeat, which slides over the image."""

from __future__ import annotations

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from ..nn.functional import conv2d, softmax, softplus, unfold
from ..ops.creation import arange
from ..ops.join import concatenate, stack
from ..ops.shape import meshgrid
from .architecture import Network


class BoxRegressor(Network):
    """Gives one box of each image: (N, in_channels, H, W) -> (N, 4), corners (x1, y1, x2, y2) in pixels.

    Five 3x3 convolutions with batch norm and two max-pools give, for each cell of 4 x 4 pixels, a score and the
    distances of the box's four sides from it; the boxes of all cells are averaged, weighted by the softmax of their
    scores. `width` is that of the first convolution.

    >>> import gpugrad as gg
    >>> found = gg.models.BoxRegressor(width=4)(gg.zeros(2, 1, 32, 32))
    >>> found.shape, bool((found[:, :2] <= found[:, 2:]).all())
    ((2, 4), True)
    """

    smallest = 4

    def __init__(self, in_channels: int = 1, width: int = 12):
        super().__init__()
        self.channels = in_channels
        layers: list[Module] = []
        inside = in_channels
        for number, outside in enumerate((width, 2 * width, 3 * width, 3 * width, 3 * width)):
            layers += [Conv2d(inside, outside, 3, padding=1, bias=False), BatchNorm2d(outside), ReLU()]
            layers += [MaxPool2d(2)] if number < 2 else []
            inside = outside
        self.features = Sequential(*layers)
        self.head = Conv2d(inside, 5, 1)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        maps = self.head(self.features(input))
        rows, columns = maps.shape[2:]
        maps = maps.flatten(2)
        weights = softmax(maps[:, :1], 2)
        sides = 8 * softplus(maps[:, 1:])  # left, top, right, bottom, in pixels
        y, x = meshgrid(arange(rows, device=input.device), arange(columns, device=input.device), indexing="ij")
        middle = 4 * stack([x.flatten(), y.flatten()]).to(dtype=maps.dtype) + 2
        return (weights * concatenate([middle - sides[:, :2], middle + sides[:, 2:]], 1)).sum(2)


def sliding_windows(images: Tensor, size: int, stride: int) -> Tensor:
    """Return all windows of `size` x `size` pixels, `stride` apart: (N, C, H, W) -> (N, rows, columns, C, size, size).

    Raises ShapeError for images smaller than a window.

    >>> import gpugrad as gg
    >>> gg.models.sliding_windows(gg.arange(9.0).reshape(1, 1, 3, 3), 2, 1)[0, 1, 0, 0].tolist()
    [[3.0, 4.0], [6.0, 7.0]]
    """
    if images.ndim != 4 or min(images.shape[2:]) < size:
        raise ShapeError(
            f"sliding_windows: expected images (N, C, H, W) of at least {size} x {size}, got {images.shape}"
        )
    n, channels, height, width = images.shape
    rows, columns = ((side - size) // stride + 1 for side in (height, width))
    parts = unfold(images, size, stride=stride).reshape(n, channels, size, size, rows, columns)
    return parts.permute(0, 4, 5, 1, 2, 3)


def slide(classifier: Sequential, maps: Tensor, side: int) -> Tensor:
    """Apply linear layers for maps of `side` x `side` at every place of larger ones: (N, C, H, W) -> (N, K, H', W').

    The first linear layer is a convolution of that size, the others are 1x1 convolutions: the outputs at a place are
    those that the classifier gives for the window there (P. Sermanet et al. 2013, "OverFeat", section 3.5).

    >>> import gpugrad as gg
    >>> head = gg.nn.Sequential(gg.nn.Flatten(), gg.nn.Linear(2 * 9, 5))
    >>> gg.models.slide(head, gg.ones(1, 2, 4, 3), 3).shape
    (1, 5, 2, 1)
    """
    size = side
    for layer in classifier:
        if isinstance(layer, Linear):
            weight = layer.weight.reshape(layer.out_features, maps.shape[1], size, size)
            maps, size = conv2d(maps, weight, layer.bias), 1
        elif not isinstance(layer, Flatten):
            maps = layer(maps)
    return maps


class OverFeat(Module):
    """Classifies a window and gives the box of what is in it: (N, in_channels, 28, 28) -> (N, num_classes), (N, 4).

    The box is in units of the window. `slide` does the same for all windows of a larger image, `stride` = 4 pixels
    apart, at the cost of a few; batch norm then has to be in evaluation mode.

    >>> import gpugrad as gg
    >>> model = gg.models.OverFeat(num_classes=11)
    >>> [out.shape for out in model(gg.zeros(2, 1, 28, 28))]
    [(2, 11), (2, 4)]
    >>> [out.shape for out in model.eval().slide(gg.zeros(2, 1, 40, 36))]
    [(2, 11, 4, 3), (2, 4, 4, 3)]
    """

    window, stride = 28, 4

    def __init__(self, num_classes: int, in_channels: int = 1):
        super().__init__()
        self.features = Sequential(
            Conv2d(in_channels, 16, 5, bias=False), BatchNorm2d(16), ReLU(), MaxPool2d(2),
            Conv2d(16, 32, 5, bias=False), BatchNorm2d(32), ReLU(), MaxPool2d(2),
        )  # fmt: skip
        self.classifier = Sequential(Flatten(), Linear(32 * 4 * 4, 128), ReLU(), Linear(128, num_classes))
        self.regressor = Sequential(Flatten(), Linear(32 * 4 * 4, 128), ReLU(), Linear(128, 4))

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        if input.shape[2:] != (self.window, self.window):
            raise ShapeError(f"OverFeat: windows are {self.window} x {self.window}, got {input.shape}; see `slide`")
        maps = self.features(input)
        return self.classifier(maps), self.regressor(maps)

    def slide(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (N, num_classes, rows, columns) and boxes (N, 4, rows, columns) of the windows of images."""
        if images.ndim != 4 or min(images.shape[2:]) < self.window:
            raise ShapeError(f"OverFeat: images must be at least {self.window} x {self.window}, got {images.shape}")
        maps = self.features(images)
        return slide(self.classifier, maps, 4), slide(self.regressor, maps, 4)
