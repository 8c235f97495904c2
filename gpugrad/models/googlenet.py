"""Defines GoogLeNet, whose inception blocks look at each place with several sizes of convolution at once."""

from typing import NamedTuple

from ..autograd.tensor import Tensor
from ..nn import BatchNorm2d, Conv2d, Dropout, Linear, MaxPool2d, Module, Sequential, init
from ..nn.functional import adaptive_avg_pool2d, relu
from ..ops.join import concatenate, stack
from .architecture import Network, architecture


class GoogLeNetOutputs(NamedTuple):
    """Holds the scores (N, num_classes) of the network and of its two auxiliary heads, those of the later one first.

    >>> import gpugrad as gg
    >>> gg.models.GoogLeNetOutputs._fields
    ('logits', 'aux_logits2', 'aux_logits1')
    """

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class BasicConv2d(Module):
    """Applies a convolution without bias, batch norm and ReLU: (N, inside, H, W) -> (N, outside, H', W').

    >>> import gpugrad as gg
    >>> from gpugrad.models.googlenet import BasicConv2d
    >>> BasicConv2d(3, 8, 3, padding=1)(gg.zeros(1, 3, 6, 6)).shape
    (1, 8, 6, 6)
    """

    def __init__(self, inside: int, outside: int, size: int, stride: int = 1, padding: int = 0):
        super().__init__()
        self.conv = Conv2d(inside, outside, size, stride=stride, padding=padding, bias=False)
        self.bn = BatchNorm2d(outside, eps=0.001)

    def forward(self, input: Tensor) -> Tensor:
        return relu(self.bn(self.conv(input)))


class Inception(Module):
    """Joins four branches along the channels: (N, inside, H, W) -> (N, sum of the branches' channels, H, W).

    A 1x1 convolution to `one` channels; one to `three[0]` and a 3x3 convolution to `three[1]`; one to `five[0]` and
    another to `five[1]`; a max-pool and a 1x1 convolution to `pooled` (Szegedy et al. 2014, figure 2b). The third
    branch has a 3x3 convolution where the paper has 5x5, because the weights that people have are for that.

    >>> import gpugrad as gg
    >>> gg.models.Inception(192, 64, (96, 128), (16, 32), 32)(gg.zeros(1, 192, 4, 4)).shape
    (1, 256, 4, 4)
    """

    def __init__(self, inside: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int):
        super().__init__()
        self.branch1 = BasicConv2d(inside, one, 1)
        self.branch2 = Sequential(BasicConv2d(inside, three[0], 1), BasicConv2d(*three, 3, padding=1))
        self.branch3 = Sequential(BasicConv2d(inside, five[0], 1), BasicConv2d(*five, 3, padding=1))
        self.branch4 = Sequential(MaxPool2d(3, 1, 1, ceil_mode=True), BasicConv2d(inside, pooled, 1))

    def forward(self, input: Tensor) -> Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return concatenate([branch(input) for branch in branches], 1)


class InceptionAux(Module):
    """Scores the maps in the middle of the network: (N, inside, H, W) -> (N, num_classes) (section 5 of the paper).

    >>> import gpugrad as gg
    >>> from gpugrad.models.googlenet import InceptionAux
    >>> InceptionAux(512, 10)(gg.zeros(1, 512, 14, 14)).shape
    (1, 10)
    """

    def __init__(self, inside: int, num_classes: int, dropout: float = 0.7):
        super().__init__()
        self.conv = BasicConv2d(inside, 128, 1)
        self.fc1, self.fc2 = Linear(128 * 4 * 4, 1024), Linear(1024, num_classes)
        self.dropout = Dropout(dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.conv(adaptive_avg_pool2d(input, 4)).flatten(1)
        return self.fc2(self.dropout(relu(self.fc1(x))))


class GoogLeNet(Network):
    """Scores images: (N, 3, H, W) -> (N, num_classes), made for H = W = 224 (Szegedy et al. 2014, table 1).

    With batch norm after every convolution, as in torchvision, whose names and shapes the state dict has. While it
    trains, a network with `aux_logits` returns GoogLeNetOutputs: the loss of the paper is that of `logits` and 0.3
    times those of both others. transform_input: the images are normalised by torchvision's means and deviations, and
    brought to the range that its pretrained weights are for. Raises ShapeError for images below 15 x 15.

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     model = gg.models.GoogLeNet(num_classes=10, aux_logits=False).eval()
    >>> model.inception4b.branch2[1].conv
    Conv2d(112, 224, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    """

    smallest = 15

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ):
        super().__init__()
        self.transform_input = transform_input
        self.conv1, self.maxpool1 = BasicConv2d(3, 64, 7, stride=2, padding=3), MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.conv3 = BasicConv2d(64, 64, 1), BasicConv2d(64, 192, 3, padding=1)
        self.maxpool2 = MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.maxpool3 = MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.maxpool4 = MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.aux1 = InceptionAux(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = InceptionAux(528, num_classes, dropout_aux) if aux_logits else None
        self.dropout, self.fc = Dropout(dropout), Linear(1024, num_classes)
        for module in self.modules():
            if isinstance(module, (Conv2d, Linear)):
                init.trunc_normal_(module.weight, std=0.01)

    def forward(self, input: Tensor) -> Tensor | GoogLeNetOutputs:
        self.check(input)
        x = rescaled(input) if self.transform_input else input
        x = self.conv3(self.conv2(self.maxpool1(self.conv1(x))))
        x = self.inception3b(self.inception3a(self.maxpool2(x)))
        first = self.inception4a(self.maxpool3(x))
        second = self.inception4d(self.inception4c(self.inception4b(first)))
        x = self.inception5b(self.inception5a(self.maxpool4(self.inception4e(second))))
        logits = self.fc(self.dropout(x.mean((2, 3))))
        if not self.training or self.aux1 is None or self.aux2 is None:
            return logits
        return GoogLeNetOutputs(logits, self.aux2(second), self.aux1(first))


def rescaled(images: Tensor) -> Tensor:
    """Return images that were normalised with torchvision's means and deviations, as if by 0.5 and 0.5.

    >>> import gpugrad as gg
    >>> from gpugrad.models.googlenet import rescaled
    >>> black = gg.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]).reshape(1, 3, 1, 1)
    >>> rescaled(black).flatten().round(decimals=4).tolist()
    [-1.0, -1.0, -1.0]
    """
    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    parts = [images[:, i] * (d / 0.5) + (m - 0.5) / 0.5 for i, (m, d) in enumerate(zip(means, deviations, strict=True))]
    return stack(parts, 1)


@architecture
def googlenet(num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False) -> GoogLeNet:
    """Build GoogLeNet of 22 layers: (N, 3, 224, 224) -> (N, num_classes).

    >>> import gpugrad as gg
    >>> with gg.nn.init.skip_filling():
    ...     gg.models.googlenet().aux2.fc1
    Linear(in_features=2048, out_features=1024, bias=True)
    """
    return GoogLeNet(num_classes, aux_logits, transform_input)
