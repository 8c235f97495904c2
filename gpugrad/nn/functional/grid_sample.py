"""Sampling at given places of an image or a volume (M. Jaderberg et al., "Spatial transformer networks", 2015).

An axis on its own says which elements a coordinate takes part of and with which weights; a sample is the sum over all
combinations of these, one per axis. Weights are differentiable functions of the coordinate, to any order.
"""

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.op import OPS
from ...autograd.tensor import Tensor, wrap
from ...errors import ShapeError
from .resample import cubic_far, cubic_near

__all__ = ["affine_grid", "grid_sample"]

_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def affine_grid(theta: Any, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the places that `grid_sample` looks at for an affine map (M. Jaderberg et al. 2015, section 3.2).

    theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2); theta (N, 3, 4) and size (N, C, D, H, W) give (N, D, H, W,
    3). With align_corners, -1 and 1 are the centres of the outermost elements rather than their outer edges. Raises
    ShapeError for other shapes.

    >>> F.affine_grid(gg.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5,  0. ],
              [ 0.5,  0. ]]]])
    """
    theta, dims = asarray(theta), len(size) - 2
    if dims not in (2, 3) or theta.shape != (size[0], dims, dims + 1) or any(n < 1 for n in size):
        raise ShapeError(
            "affine_grid: expected theta (N, 2, 3) and a size (N, C, H, W), or (N, 3, 4) and (N, C, D, H, W), "
            f"got {theta.shape} and {tuple(size)}"
        )
    lines = []
    for n in size[2:]:
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        lines.append(line if align_corners else line * (n - 1) / n)
    places = np.stack([*np.meshgrid(*lines, indexing="ij")[::-1], np.ones(size[2:])], axis=-1)
    base = asarray(places.reshape(-1, dims + 1).astype(theta.dtype), device=theta.device)
    return (base @ theta.swapaxes(1, 2)).reshape((size[0], *size[2:], dims))


def _reflect_coordinates(c: Tensor, low: float, span: float) -> Tensor:
    """Return c mirrored at `low` and at `low` + `span` until it is between them."""
    if span <= 0:
        return c * 0.0
    xp, away = c.device.xp, c._array - low
    flips = xp.floor(abs(away) / span)
    odd = flips % 2
    slope = xp.where(away < 0, -1, 1) * (1 - 2 * odd)
    offset = low + span * xp.where(odd == 1, 1 + flips, -flips)
    slope, offset = (wrap(a.astype(c.dtype), c.device, None) for a in (slope, offset))
    return slope * (c - low) + offset


def _pad_coordinates(c: Tensor, n: int, padding: str, align: bool) -> Tensor:
    """Return coordinates moved into the axis, as `padding` says."""
    if padding == "reflection":
        c = _reflect_coordinates(c, 0.0, n - 1.0) if align else _reflect_coordinates(c, -0.5, float(n))
    return c if padding == "zeros" else OPS["clip"](c, 0, n - 1)


def _taps(c: Tensor, n: int, mode: str, padding: str, align: bool) -> list[tuple[Any, Tensor]]:
    """Return (index, weight) of each element of the axis that the coordinates c, from 0 to n - 1, take part of."""
    xp, dtype = c.device.xp, c.dtype
    if mode != "bicubic":
        c = _pad_coordinates(c, n, padding, align)
    low = (xp.rint if mode == "nearest" else xp.floor)(c._array)
    if mode == "nearest":
        found = [(low, OPS["clip"](c, 0, n - 1) * 0 + 1)]  # the gradient is zero, but it is one
    elif mode == "bilinear":
        t = c - wrap(low, c.device, None)
        found = [(low, 1 - t), (low + 1, t)]
    else:
        t = c - wrap(low, c.device, None)
        weights = (cubic_far(t + 1, -0.75), cubic_near(t, -0.75), cubic_near(1 - t, -0.75), cubic_far(2 - t, -0.75))
        found = [(low + k, w) for k, w in enumerate(weights, -1)]
    taps = []
    for place, weight in found:
        if mode == "bicubic" and padding != "zeros":
            place = _pad_coordinates(wrap(place, c.device, None), n, padding, align)._array
        exists = ((place >= 0) & (place < n)).astype(dtype)
        taps.append((xp.clip(place, 0, n - 1).astype(np.int64), wrap(exists, c.device, None) * weight))
    return taps


def _check(x: Tensor, grid: Tensor, mode: str, padding: str) -> None:
    """Raise ShapeError for modes and shapes that `grid_sample` does not have."""
    dims = x.ndim - 2
    if mode not in _MODES or padding not in _PADDINGS:
        raise ShapeError(
            f"grid_sample: mode must be one of {', '.join(_MODES)}, padding_mode one of {', '.join(_PADDINGS)}; "
            f"got {mode!r} and {padding!r}"
        )
    if dims not in (2, 3) or grid.ndim != x.ndim or grid.shape[0] != x.shape[0] or grid.shape[-1] != dims:
        raise ShapeError(
            "grid_sample: expected input (N, C, H, W) and grid (N, OH, OW, 2), or (N, C, D, H, W) and "
            f"(N, OD, OH, OW, 3), got {x.shape} and {grid.shape}"
        )
    if mode == "bicubic" and dims == 3:
        raise ShapeError(f"grid_sample: mode 'bicubic' needs 4-d input, got {x.shape}")
    if 0 in x.shape[2:]:
        raise ShapeError(f"grid_sample: nothing to sample in input {x.shape}")


@governed({"cpu": "float32"})
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """Sample input (N, C, H, W) at the places grid (N, OH, OW, 2), x before y: (N, C, OH, OW).

    A volume (N, C, D, H, W) is sampled at (N, OD, OH, OW, 3). Places are from -1 to 1: the outer edges, or with
    align_corners the centres, of the outermost elements; NaN is -1. mode is "bilinear", "nearest" or "bicubic" (images
    only). padding_mode gives the values outside: "zeros", "border" (the nearest element) or "reflection". Both inputs
    have gradients. Raises ShapeError for arguments that do not fit. See M. Jaderberg et al. 2015, section 3.3.

    >>> F.grid_sample(gg.tensor([[[[1.0, 3.0]]]]), gg.tensor([[[[0.0, 0.0]]]]), align_corners=False)
    tensor([[[[2.]]]])
    """
    x, grid = asarray(input), asarray(grid)
    _check(x, grid, mode, padding_mode)
    align, size = bool(align_corners), x.shape[2:]
    grid = OPS["where"](OPS["isnan"](grid), -1.0, grid)
    axes = []
    for axis, n in enumerate(size):
        c = grid[..., len(size) - 1 - axis] + 1
        c = c * ((n - 1) / 2) if align else (c * n - 1) * 0.5
        axes.append(_taps(c, n, mode, padding_mode, align))
    plane = math.prod(size)
    rows = x.moveaxis(1, -1).reshape((x.shape[0] * plane, x.shape[1]))
    first = x.device.xp.arange(x.shape[0]).reshape(-1, *(1,) * len(size)) * plane
    out = None
    for taps in itertools.product(*axes):
        index = functools.reduce(lambda flat, part: flat * part[1] + part[0][0], zip(taps, size, strict=True), 0)
        weight = functools.reduce(operator.mul, (w for _, w in taps))
        places = wrap(first + index, x.device, None)
        part = OPS["take"](rows, places, axis=0) * weight.to(dtype=x.dtype).unsqueeze(-1)
        out = part if out is None else out + part
    assert out is not None
    return out.moveaxis(-1, 1)
