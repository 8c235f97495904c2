"""Layers that change the shape, or move elements between space and channels."""

from ..autograd.tensor import Tensor
from . import functional as F
from .module import Module


class PixelShuffle(Module):
    """Makes pixels of channels: maps (*, C r r, H, W) to (*, C, H r, W r), r = upscale_factor.

    See W. Shi et al. 2016, section 3.2.

    >>> nn.PixelShuffle(2)(gg.ones((1, 8, 3, 3))).shape
    (1, 2, 6, 6)
    """

    def __init__(self, upscale_factor: int):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Makes channels of pixels: maps (*, C, H r, W r) to (*, C r r, H, W), r = downscale_factor. It undoes
    `PixelShuffle`.

    >>> nn.PixelUnshuffle(2)(gg.ones((1, 2, 6, 6))).shape
    (1, 8, 3, 3)
    """

    def __init__(self, downscale_factor: int):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Deals the `groups` groups of channels of (N, C, *S) out in turn.

    See X. Zhang et al., "ShuffleNet", 2018, section 3.1.

    >>> nn.ChannelShuffle(2)(gg.arange(4).reshape((1, 4, 1))).flatten()
    tensor([0, 2, 1, 3])
    """

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class Flatten(Module):
    """Makes one axis of the axes start_dim to end_dim.

    >>> nn.Flatten()(gg.ones((2, 3, 4, 5))).shape
    (2, 60)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        shape = input.shape
        start, end = (axis % max(len(shape), 1) for axis in (self.start_dim, self.end_dim))
        # Multiplied out, because -1 cannot be inferred for an array without elements.
        size = 1
        for n in shape[start : end + 1]:
            size *= n
        return input.reshape((*shape[:start], size, *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the axis `dim` into the axes `unflattened_size`; one size may be -1.

    >>> nn.Unflatten(1, (3, -1))(gg.ones((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
