"""Elements moved between space and channels, with PyTorch's arguments."""

import math
from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """Make pixels of channels: input (*, C r r, H, W) gives (*, C, H r, W r), r = upscale_factor.

    Raises ShapeError unless r r divides the channels. See W. Shi et al. 2016, section 3.2.

    >>> F.pixel_shuffle(gg.arange(4).reshape((1, 4, 1, 1)), 2).tolist()
    [[[[0, 1], [2, 3]]]]
    """
    x, r = asarray(input), upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle: expected (*, C * {r}**2, H, W), got {x.shape}")
    *lead, c, h, w = x.shape
    x = x.reshape((math.prod(lead), c // (r * r), r, r, h, w))
    return x.transpose((0, 1, 4, 2, 5, 3)).reshape((*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """Undo `pixel_shuffle`: input (*, C, H r, W r) gives (*, C r r, H, W), r = downscale_factor.

    Raises ShapeError unless r divides the sizes.

    >>> F.pixel_unshuffle(gg.ones((1, 1, 6, 4)), 2).shape
    (1, 4, 3, 2)
    """
    x, r = asarray(input), downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: expected (*, C, H * {r}, W * {r}), got {x.shape}")
    *lead, c, h, w = x.shape
    x = x.reshape((math.prod(lead), c, h // r, r, w // r, r))
    return x.transpose((0, 1, 3, 5, 2, 4)).reshape((*lead, c * r * r, h // r, w // r))


def channel_shuffle(input: Any, groups: int) -> Tensor:
    """Deal the `groups` groups of channels of input (N, C, *S) out in turn.

    Raises ShapeError unless the groups divide C. See X. Zhang et al., "ShuffleNet", 2018, section 3.1.

    >>> F.channel_shuffle(gg.arange(4).reshape((1, 4, 1)), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    x = asarray(input)
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: expected (N, C, *S) with C divisible by {groups}, got {x.shape}")
    n, c, *size = x.shape
    return x.reshape((n, groups, c // groups, *size)).swapaxes(1, 2).reshape(x.shape)


native_channel_shuffle = channel_shuffle
