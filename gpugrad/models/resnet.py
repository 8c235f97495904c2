"""Defines residual networks (He et al. 2015): the deep ones for ImageNet, and the narrow ones for CIFAR."""

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, Sequential
from ..nn.functional import relu


def _conv(inside: int, outside: int, size: int, stride: int = 1) -> Conv2d:
    """Returns a convolution that keeps the size of images, or divides it by the stride; batch norm has the bias."""
    return Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)


def _projection(inside: int, outside: int, stride: int) -> Module | None:
    """Returns the 1x1 shortcut of a block whose output has another shape than its input, else None."""
    if inside == outside and stride == 1:
        return None
    return Sequential(_conv(inside, outside, 1, stride), BatchNorm2d(outside))


class BasicBlock(Module):
    """Adds two 3x3 convolutions to their input: (N, inside, H, W) -> (N, width, H / stride, W / stride).

    >>> import gpugrad as gg
    >>> gg.models.BasicBlock(16, 32, stride=2)(gg.zeros(1, 16, 8, 8)).shape
    (1, 32, 4, 4)
    """

    expansion = 1  # output channels for each of `width`

    def __init__(self, inside: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1, self.bn1 = _conv(inside, width, 3, stride), BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3), BatchNorm2d(width)
        self.downsample = _projection(inside, width, stride)

    def forward(self, input: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(input)))
        x = self.bn2(self.conv2(x))
        return relu(x + (input if self.downsample is None else self.downsample(input)))


class Bottleneck(Module):
    """Adds a 3x3 convolution between two 1x1 ones to their input: (N, inside, H, W) -> (N, 4 width, H / stride, ...).

    >>> import gpugrad as gg
    >>> gg.models.Bottleneck(64, 32, stride=2)(gg.zeros(1, 64, 8, 8)).shape
    (1, 128, 4, 4)
    """

    expansion = 4

    def __init__(self, inside: int, width: int, stride: int = 1):
        super().__init__()
        outside = width * self.expansion
        self.conv1, self.bn1 = _conv(inside, width, 1), BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width, 3, stride), BatchNorm2d(width)
        self.conv3, self.bn3 = _conv(width, outside, 1), BatchNorm2d(outside)
        self.downsample = _projection(inside, outside, stride)

    def forward(self, input: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(input)))
        x = relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return relu(x + (input if self.downsample is None else self.downsample(input)))


Block = type[BasicBlock] | type[Bottleneck]


def _stage(block: Block, inside: int, width: int, count: int, stride: int) -> Sequential:
    """Returns `count` blocks, of which the first changes the number of channels and divides the size by the stride."""
    outside = width * block.expansion
    return Sequential(block(inside, width, stride), *(block(outside, width) for _ in range(count - 1)))


class ResNet(Module):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (He et al. 2015, table 1).

    `layers` are the numbers of blocks of the four stages. The names in the state dict and their shapes are
    torchvision's; as there, it is the 3x3 convolution of a `Bottleneck` that has the stride.

    >>> import gpugrad as gg
    >>> model = gg.models.ResNet(gg.models.Bottleneck, [1, 1, 1, 1], num_classes=10)
    >>> model(gg.zeros(2, 3, 64, 64)).shape
    (2, 10)
    >>> model.layer2[0].downsample[0].weight.shape
    (512, 256, 1, 1)
    """

    def __init__(self, block: Block, layers: Sequence[int], num_classes: int = 1000):
        super().__init__()
        self.conv1, self.bn1, self.maxpool = _conv(3, 64, 7, 2), BatchNorm2d(64), MaxPool2d(3, 2, 1)
        one, two, three, four = layers
        self.layer1 = _stage(block, 64, 64, one, 1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, two, 2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, three, 2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, four, 2)
        self.fc = Linear(512 * block.expansion, num_classes)

    def forward(self, input: Tensor) -> Tensor:
        x = self.maxpool(relu(self.bn1(self.conv1(input))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def resnet18(num_classes: int = 1000) -> ResNet:
    """Builds ResNet-18 of basic blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> gg.models.resnet18(num_classes=10)(gg.zeros(1, 3, 64, 64)).shape
    (1, 10)
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes)


def resnet50(num_classes: int = 1000) -> ResNet:
    """Builds ResNet-50 of bottleneck blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet50(num_classes=10).layer3)
    6
    """
    return ResNet(Bottleneck, [3, 4, 6, 3], num_classes)


class CIFARResNet(Module):
    """Scores small images: (N, 3, H, W) -> (N, num_classes), made for H = W = 32 (He et al. 2015, section 4.2).

    A 3x3 convolution to 16 channels, and three stages of basic blocks with 16, 32 and 64 channels, between which 1x1
    convolutions are the shortcuts. `depth` counts the layers with weights: 20, 32, 44, 56 and 110 are the paper's. The
    module raises ShapeError unless it is 6 n + 2. The names in the state dict are those of `ResNet`.

    >>> import gpugrad as gg
    >>> model = gg.models.CIFARResNet(depth=20)
    >>> model(gg.zeros(2, 3, 32, 32)).shape
    (2, 10)
    >>> [name for name in model.state_dict() if name.startswith("layer2.0") and name.endswith("weight")][-2:]
    ['layer2.0.downsample.0.weight', 'layer2.0.downsample.1.weight']
    """

    def __init__(self, depth: int = 20, num_classes: int = 10):
        super().__init__()
        count, rest = divmod(depth - 2, 6)
        if rest or count < 1:
            raise ShapeError(f"CIFARResNet: depth must be 6 n + 2, as 20, 32, 44, 56 or 110, got {depth}")
        self.conv1, self.bn1 = _conv(3, 16, 3), BatchNorm2d(16)
        self.layer1 = _stage(BasicBlock, 16, 16, count, 1)
        self.layer2 = _stage(BasicBlock, 16, 32, count, 2)
        self.layer3 = _stage(BasicBlock, 32, 64, count, 2)
        self.fc = Linear(64, num_classes)

    def forward(self, input: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(input)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))
