"""Defines networks that give each pixel a class: a bottleneck with un-pooling, a fully convolutional net, U-Net."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, MaxUnpool2d, Module, ModuleList, ReLU, Sequential
from ..ops.join import concat


def _double_conv(inside: int, outside: int, between: int | None = None) -> Sequential:
    """Returns two 3x3 convolutions with batch norm and ReLU, which keep the size: to `between`, then to `outside`."""
    between = outside if between is None else between
    layers = []
    for source, target in ((inside, between), (between, outside)):
        layers += [Conv2d(source, target, 3, padding=1, bias=False), BatchNorm2d(target), ReLU()]
    return Sequential(*layers)


def _check_divisible(name: str, input: Tensor, by: int) -> None:
    """Raises ShapeError unless images (N, C, H, W) can be halved as often as the network does."""
    if input.ndim != 4 or input.shape[2] % by or input.shape[3] % by or 0 in input.shape[2:]:
        raise ShapeError(f"{name}: images must be (N, C, H, W), H and W multiples of {by}, got {tuple(input.shape)}")


class SegNet(Module):
    """Scores each pixel: (N, in_channels, H, W) -> (N, num_classes, H, W), through a bottleneck (Badrinarayanan et al.
    2015).

    The encoder is like VGG's: `depth` stages of two 3x3 convolutions with batch norm, each followed by a max-pool by 2
    that keeps the places of its maxima; stage i has width * 2**i channels. The decoder is the encoder turned round: it
    puts the values back to those places and convolves. Nothing else goes past the bottleneck. Raises ShapeError unless
    H and W are multiples of 2**depth.

    >>> model = gg.models.SegNet(in_channels=1, num_classes=3, width=4, depth=2)
    >>> model(gg.zeros(1, 1, 16, 16)).shape
    (1, 3, 16, 16)
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 21, width: int = 64, depth: int = 4):
        super().__init__()
        widths = [width * 2**i for i in range(depth)]
        before = [in_channels, *widths[:-1]]
        self.encoder = ModuleList(_double_conv(a, b) for a, b in zip(before, widths, strict=True))
        after = [width, *widths[:-1]]
        self.decoder = ModuleList(_double_conv(b, a, b) for a, b in zip(after[::-1], widths[::-1], strict=True))
        self.pool, self.unpool = MaxPool2d(2, return_indices=True), MaxUnpool2d(2)
        self.head = Conv2d(width, num_classes, 1)

    def forward(self, input: Tensor) -> Tensor:
        _check_divisible("SegNet", input, 2 ** len(self.encoder))
        x, places = input, []
        for stage in self.encoder:
            x, indices = self.pool(stage(x))
            places.append(indices)
        for stage in self.decoder:
            x = stage(self.unpool(x, places.pop()))
        return self.head(x)


class FCN(Module):
    """Scores each pixel: (N, in_channels, H, W) -> (N, num_classes, H, W), fully convolutional (Long et al. 2014).

    `depth` stages of two 3x3 convolutions with batch norm and a max-pool by 2, as in VGG; stage i has width * 2**i
    channels. A 1x1 convolution scores the last stage; `skips` times the scores are doubled in size by a transposed
    convolution, which starts as bilinear interpolation, and added to those of the stage before; a last transposed
    convolution brings them to the size of the image. With depth 5 and 2 skips it is the paper's FCN-8s. Raises
    ShapeError unless H and W are multiples of 2**depth.

    >>> model = gg.models.FCN(in_channels=1, num_classes=3, width=4, depth=3, skips=1)
    >>> model(gg.zeros(1, 1, 16, 16)).shape, model.final.kernel_size
    ((1, 3, 16, 16), (8, 8))
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 21, width: int = 64, depth: int = 5, skips: int = 2):
        super().__init__()
        if not 0 <= skips < depth:
            raise ShapeError(f"FCN: skips must be from 0 to depth - 1 = {depth - 1}, got {skips}")
        widths = [width * 2**i for i in range(depth)]
        before = [in_channels, *widths[:-1]]
        self.encoder = ModuleList(_double_conv(a, b) for a, b in zip(before, widths, strict=True))
        self.pool = MaxPool2d(2)
        self.scores = ModuleList(Conv2d(w, num_classes, 1) for w in widths[::-1][: skips + 1])
        self.enlarge = ModuleList(_enlargement(num_classes, 2) for _ in range(skips))
        self.final = _enlargement(num_classes, 2 ** (depth - skips))

    def forward(self, input: Tensor) -> Tensor:
        _check_divisible("FCN", input, 2 ** len(self.encoder))
        x, stages = input, []
        for stage in self.encoder:
            x = self.pool(stage(x))
            stages.append(x)
        scores = self.scores[0](stages.pop())
        for enlarge, score in zip(self.enlarge, list(self.scores)[1:], strict=True):
            scores = enlarge(scores) + score(stages.pop())
        return self.final(scores)


def _enlargement(channels: int, factor: int) -> ConvTranspose2d:
    """Returns a transposed convolution by an even factor that starts as bilinear interpolation of each channel."""
    layer = ConvTranspose2d(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    slope = 1 - abs(np.arange(2 * factor) + 0.5 - factor) / factor
    weight = np.eye(channels)[:, :, None, None] * np.outer(slope, slope)
    with no_grad():
        layer.weight.copy_(asarray(weight.astype(np.float32), device=layer.weight.device))
    return layer


class UNet(Module):
    """Scores each pixel: (N, in_channels, H, W) -> (N, num_classes, H, W) (Ronneberger et al. 2015).

    On the way down `depth` times two 3x3 convolutions and a max-pool by 2, at the bottom two more; on the way up a
    transposed convolution doubles the size, the stage of the same size on the way down is joined, and two convolutions
    follow. Stage i has width * 2**i channels. The convolutions are padded and have batch norm, so that the output has
    the input's size. Raises ShapeError unless H and W are multiples of 2**depth.

    >>> model = gg.models.UNet(in_channels=1, num_classes=3, width=4, depth=2)
    >>> model(gg.zeros(1, 1, 16, 16)).shape
    (1, 3, 16, 16)
    """

    def __init__(self, in_channels: int = 1, num_classes: int = 2, width: int = 64, depth: int = 4):
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        before = [in_channels, *widths[:-1]]
        steps = list(zip(widths[:-1], widths[1:], strict=True))[::-1]  # (finer, coarser), from the bottom up
        self.down = ModuleList(_double_conv(a, b) for a, b in zip(before, widths, strict=True))
        self.up = ModuleList(ConvTranspose2d(coarser, finer, 2, stride=2) for finer, coarser in steps)
        self.merge = ModuleList(_double_conv(2 * finer, finer) for finer, _ in steps)
        self.pool = MaxPool2d(2)
        self.head = Conv2d(width, num_classes, 1)

    def forward(self, input: Tensor) -> Tensor:
        _check_divisible("UNet", input, 2 ** len(self.up))
        x, kept = self.down[0](input), []
        for stage in list(self.down)[1:]:
            kept.append(x)
            x = stage(self.pool(x))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(concat([kept.pop(), up(x)], 1))
        return self.head(x)
