"""Elements moved between space and channels, with PyTorch's arguments."""

import math
from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError

__all__ = ["channel_shuffle", "native_channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: Any, upscale_factor: int) -> Tensor:
    """input (*, C r r, H, W) -> (*, C, H r, W r): channels become pixels (W. Shi et al. 2016). Raises ShapeError unless
    r r divides the channels."""
    x, r = asarray(input), upscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ShapeError(f"pixel_shuffle: expected (*, C * {r}**2, H, W), got {x.shape}")
    *lead, c, h, w = x.shape
    x = x.reshape((math.prod(lead), c // (r * r), r, r, h, w))
    return x.transpose((0, 1, 4, 2, 5, 3)).reshape((*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Tensor:
    """The inverse of `pixel_shuffle`: input (*, C, H r, W r) -> (*, C r r, H, W). Raises ShapeError unless r divides
    the sizes."""
    x, r = asarray(input), downscale_factor
    if x.ndim < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise ShapeError(f"pixel_unshuffle: expected (*, C, H * {r}, W * {r}), got {x.shape}")
    *lead, c, h, w = x.shape
    x = x.reshape((math.prod(lead), c, h // r, r, w // r, r))
    return x.transpose((0, 1, 3, 5, 2, 4)).reshape((*lead, c * r * r, h // r, w // r))


def channel_shuffle(input: Any, groups: int) -> Tensor:
    """input (N, C, *S) with its `groups` groups of channels dealt out in turn (X. Zhang et al., "ShuffleNet", 2018).
    Raises ShapeError unless the groups divide C."""
    x = asarray(input)
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: expected (N, C, *S) with C divisible by {groups}, got {x.shape}")
    n, c, *size = x.shape
    return x.reshape((n, groups, c // groups, *size)).swapaxes(1, 2).reshape(x.shape)


native_channel_shuffle = channel_shuffle
