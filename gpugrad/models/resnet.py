"""Defines residual networks (He et al. 2015) and their blocks."""

from collections.abc import Sequence

from ..autograd.tensor import Tensor
from ..nn import BatchNorm2d, Conv2d, Linear, MaxPool2d, Module, Sequential
from ..nn.functional import relu, stochastic_depth
from ..nn.init import zeros_
from .architecture import Network, architecture, he_start


def convolution(inside: int, outside: int, size: int, stride: int = 1) -> Conv2d:
    """Return a convolution that keeps the size of images, or divides it by the stride; batch norm has the bias."""
    return Conv2d(inside, outside, size, stride=stride, padding=size // 2, bias=False)


def _projection(inside: int, outside: int, stride: int) -> Module | None:
    """Return the 1x1 shortcut of a block whose output has another shape than its input, else None."""
    if inside == outside and stride == 1:
        return None
    return Sequential(convolution(inside, outside, 1, stride), BatchNorm2d(outside))


class BasicBlock(Module):
    """Adds two 3x3 convolutions to their input: (N, inside, H, W) -> (N, width, H / stride, W / stride).

    Their sum is left out for a sample of a training step with the probability `drop`, which is 0 at first.

    >>> import gpugrad as gg
    >>> gg.models.BasicBlock(16, 32, stride=2)(gg.zeros(1, 16, 8, 8)).shape
    (1, 32, 4, 4)
    """

    expansion = 1  # output channels for each of `width`
    drop = 0.0

    def __init__(self, inside: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1, self.bn1 = convolution(inside, width, 3, stride), BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), BatchNorm2d(width)
        self.downsample = _projection(inside, width, stride)

    def forward(self, input: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(input)))
        x = stochastic_depth(self.bn2(self.conv2(x)), self.drop, "row", self.training)
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
        self.conv1, self.bn1 = convolution(inside, width, 1), BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3, stride), BatchNorm2d(width)
        self.conv3, self.bn3 = convolution(width, outside, 1), BatchNorm2d(outside)
        self.downsample = _projection(inside, outside, stride)

    def forward(self, input: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(input)))
        x = relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        return relu(x + (input if self.downsample is None else self.downsample(input)))


class PlainBlock(Module):
    """Applies two 3x3 convolutions, as `BasicBlock` does, and adds nothing to them.

    >>> import gpugrad as gg
    >>> gg.models.PlainBlock(16, 32, stride=2)(gg.zeros(1, 16, 8, 8)).shape
    (1, 32, 4, 4)
    """

    expansion = 1

    def __init__(self, inside: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1, self.bn1 = convolution(inside, width, 3, stride), BatchNorm2d(width)
        self.conv2, self.bn2 = convolution(width, width, 3), BatchNorm2d(width)

    def forward(self, input: Tensor) -> Tensor:
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(input))))))


Block = type[BasicBlock] | type[Bottleneck] | type[PlainBlock]


def stage(block: Block, inside: int, width: int, count: int, stride: int) -> Sequential:
    """Return `count` blocks, of which the first changes the number of channels and divides the size by the stride."""
    outside = width * block.expansion
    return Sequential(block(inside, width, stride), *(block(outside, width) for _ in range(count - 1)))


def begin_as_shortcuts(model: Module) -> None:
    """Begin the last norm of each residual branch at zero, so that a block begins as its shortcut.

    See P. Goyal et al. 2017, "Accurate, large minibatch SGD", section 5.1.

    >>> model = gg.models.CIFARResNet(8)
    >>> gg.models.resnet.begin_as_shortcuts(model)
    >>> model.layer1[0].bn2.weight.sum().item()
    0.0
    """
    for block in model.modules():
        if isinstance(block, (BasicBlock, Bottleneck)):
            zeros_((block.bn3 if isinstance(block, Bottleneck) else block.bn2).weight)


class ResNet(Network):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (He et al. 2015, table 1).

    `layers` are the numbers of blocks of the four stages. zero_init_residual: blocks begin as their shortcuts. Names
    and shapes in the state dict are torchvision's. As there, it is the 3x3 convolution of a `Bottleneck` that has the
    stride.

    >>> import gpugrad as gg
    >>> model = gg.models.ResNet(gg.models.Bottleneck, [1, 1, 1, 1], num_classes=10)
    >>> model(gg.zeros(2, 3, 64, 64)).shape
    (2, 10)
    >>> model.layer2[0].downsample[0].weight.shape
    (512, 256, 1, 1)
    """

    def __init__(self, block: Block, layers: Sequence[int], num_classes: int = 1000, zero_init_residual: bool = False):
        super().__init__()
        self.conv1, self.bn1, self.maxpool = convolution(3, 64, 7, 2), BatchNorm2d(64), MaxPool2d(3, 2, 1)
        one, two, three, four = layers
        self.layer1 = stage(block, 64, 64, one, 1)
        self.layer2 = stage(block, 64 * block.expansion, 128, two, 2)
        self.layer3 = stage(block, 128 * block.expansion, 256, three, 2)
        self.layer4 = stage(block, 256 * block.expansion, 512, four, 2)
        self.fc = Linear(512 * block.expansion, num_classes)
        he_start(self)
        if zero_init_residual:
            begin_as_shortcuts(self)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        x = self.maxpool(relu(self.bn1(self.conv1(input))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


@architecture
def resnet18(num_classes: int = 1000) -> ResNet:
    """Build ResNet-18 of basic blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> gg.models.resnet18(num_classes=10)(gg.zeros(1, 3, 64, 64)).shape
    (1, 10)
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes)


@architecture
def resnet34(num_classes: int = 1000) -> ResNet:
    """Build ResNet-34 of basic blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.resnet34(num_classes=10).layer3)
    6
    """
    return ResNet(BasicBlock, [3, 4, 6, 3], num_classes)


@architecture
def resnet50(num_classes: int = 1000) -> ResNet:
    """Build ResNet-50 of bottleneck blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.resnet50(num_classes=10).layer3)
    6
    """
    return ResNet(Bottleneck, [3, 4, 6, 3], num_classes)


@architecture
def resnet101(num_classes: int = 1000) -> ResNet:
    """Build ResNet-101 of bottleneck blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.resnet101(num_classes=10).layer3)
    23
    """
    return ResNet(Bottleneck, [3, 4, 23, 3], num_classes)


@architecture
def resnet152(num_classes: int = 1000) -> ResNet:
    """Build ResNet-152 of bottleneck blocks: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     len(gg.models.resnet152(num_classes=10).layer3)
    36
    """
    return ResNet(Bottleneck, [3, 8, 36, 3], num_classes)
