"""Defines the narrow residual networks for small images (He et al. 2015, section 4.2), and their plain twins."""

from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import BatchNorm2d, Linear
from ..nn.functional import relu
from .architecture import Network, architecture, he_start
from .resnet import BasicBlock, PlainBlock, begin_as_shortcuts, convolution, stage


class CIFARResNet(Network):
    """Scores small images: (N, in_channels, H, W) -> (N, num_classes), made for H = W = 32.

    A 3x3 convolution to `width` channels, and three stages of basic blocks with once, twice and four times as many,
    between which 1x1 convolutions are the shortcuts. `depth` counts the layers with weights: 20, 32, 44, 56 and 110 are
    the paper's. plain: without shortcuts. drop: the probability with which the last block's branch is left out of a
    training step; it rises from the first block's on (stochastic depth, Huang et al. 2016, equation 4).
    zero_init_residual: blocks begin as their shortcuts, as in `ResNet`, whose names the state dict has. Raises
    ShapeError unless depth is 6 n + 2.

    >>> import gpugrad as gg
    >>> model = gg.models.CIFARResNet(depth=20)
    >>> model(gg.zeros(2, 3, 32, 32)).shape
    (2, 10)
    >>> [name for name in model.state_dict() if name.startswith("layer2.0") and name.endswith("weight")][-2:]
    ['layer2.0.downsample.0.weight', 'layer2.0.downsample.1.weight']
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        *,
        width: int = 16,
        in_channels: int = 3,
        plain: bool = False,
        drop: float = 0.0,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        count, rest = divmod(depth - 2, 6)
        if rest or count < 1:
            raise ShapeError(f"CIFARResNet: depth must be 6 n + 2, as 20, 32, 44, 56 or 110, got {depth}")
        self.channels = in_channels
        block = PlainBlock if plain else BasicBlock
        self.conv1, self.bn1 = convolution(in_channels, width, 3), BatchNorm2d(width)
        self.layer1 = stage(block, width, width, count, 1)
        self.layer2 = stage(block, width, 2 * width, count, 2)
        self.layer3 = stage(block, 2 * width, 4 * width, count, 2)
        self.fc = Linear(4 * width, num_classes)
        he_start(self)
        if zero_init_residual:
            begin_as_shortcuts(self)
        blocks = [made for made in self.modules() if isinstance(made, BasicBlock)]
        for number, made in enumerate(blocks, 1):
            made.drop = drop * number / len(blocks)

    def forward(self, input: Tensor) -> Tensor:
        self.check(input)
        x = relu(self.bn1(self.conv1(input)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


@architecture
def resnet20(num_classes: int = 10) -> CIFARResNet:
    """Build ResNet-20 for small images: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet20().layer1)
    3
    """
    return CIFARResNet(20, num_classes)


@architecture
def resnet32(num_classes: int = 10) -> CIFARResNet:
    """Build ResNet-32 for small images: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet32().layer1)
    5
    """
    return CIFARResNet(32, num_classes)


@architecture
def resnet44(num_classes: int = 10) -> CIFARResNet:
    """Build ResNet-44 for small images: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet44().layer1)
    7
    """
    return CIFARResNet(44, num_classes)


@architecture
def resnet56(num_classes: int = 10) -> CIFARResNet:
    """Build ResNet-56 for small images: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet56().layer1)
    9
    """
    return CIFARResNet(56, num_classes)


@architecture
def resnet110(num_classes: int = 10) -> CIFARResNet:
    """Build ResNet-110 for small images: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.resnet110().layer1)
    18
    """
    return CIFARResNet(110, num_classes)


@architecture
def plain20(num_classes: int = 10) -> CIFARResNet:
    """Build the plain twin of ResNet-20, without shortcuts: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.plain20().layer1)
    3
    """
    return CIFARResNet(20, num_classes, plain=True)


@architecture
def plain32(num_classes: int = 10) -> CIFARResNet:
    """Build the plain twin of ResNet-32, without shortcuts: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.plain32().layer1)
    5
    """
    return CIFARResNet(32, num_classes, plain=True)


@architecture
def plain44(num_classes: int = 10) -> CIFARResNet:
    """Build the plain twin of ResNet-44, without shortcuts: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.plain44().layer1)
    7
    """
    return CIFARResNet(44, num_classes, plain=True)


@architecture
def plain56(num_classes: int = 10) -> CIFARResNet:
    """Build the plain twin of ResNet-56, without shortcuts: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.plain56().layer1)
    9
    """
    return CIFARResNet(56, num_classes, plain=True)


@architecture
def plain110(num_classes: int = 10) -> CIFARResNet:
    """Build the plain twin of ResNet-110, without shortcuts: (N, 3, 32, 32) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> len(gg.models.plain110().layer1)
    18
    """
    return CIFARResNet(110, num_classes, plain=True)
