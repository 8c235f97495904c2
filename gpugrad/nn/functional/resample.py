"""Interpolation to another size with PyTorch's arguments.

Every mode is a product of one-dimensional ones: along each axis an output element is a weighted sum of a few input
elements, the *taps*. This module says which taps a mode has; `ops.resample` applies them.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd.autocast import governed
from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops.resample import Taps, resample
from .adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

_DIMS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,), "lanczos": (2,)}
_AREA = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)


def cubic_near(d: Any, a: float) -> Any:
    """Return the cubic convolution kernel of R. Keys (1981) at distances 0 <= d <= 1, of an array or a Tensor."""
    return ((a + 2) * d - (a + 3)) * d * d + 1


def cubic_far(d: Any, a: float) -> Any:
    """Return the same kernel at distances 1 <= d <= 2; it is zero from there on."""
    return (((d - 5) * d + 8) * d - 4) * a


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Return the cubic convolution kernel at any distances."""
    d = np.minimum(abs(distance), 2)
    return np.where(d < 1, cubic_near(d, a), cubic_far(d, a))


def _lanczos(distance: np.ndarray) -> np.ndarray:
    """Return the Lanczos kernel of three lobes."""
    return np.sinc(distance) * np.sinc(distance / 3) * (abs(distance) < 3)


# Half the width of each filter, and the filter, which is stretched where an axis gets shorter.
_FILTERS: dict[str, tuple[int, Callable]] = {
    "linear": (1, lambda d: np.maximum(1 - abs(d), 0)),
    "cubic": (2, functools.partial(_cubic, a=-0.5)),
    "lanczos": (3, _lanczos),
}


@functools.lru_cache(maxsize=256)
def _taps(mode: str, n: int, out: int, scale: float, align: bool, antialias: bool) -> Taps:
    """Return the taps of an axis of n elements for `out`; `scale` input elements make one output element."""
    i = np.arange(out)
    if antialias:
        return Taps(*_smooth(mode, n, (i + 0.5) * scale, scale), n)
    if mode.startswith("nearest"):  # step by step in float32, as PyTorch: rounding decides which element is taken
        step, half = np.float32(scale), np.float32(0.5 if mode == "nearest-exact" else 0)
        at = np.floor((i.astype(np.float32) + half) * step - half + half)
        return Taps(np.minimum(at.astype(np.int64), n - 1)[:, None], np.ones((out, 1)), n)
    place = i * scale if align else (i + 0.5) * scale - 0.5
    low = np.floor(place).astype(np.int64)
    reach = np.arange(2) if mode == "linear" else np.arange(-1, 3)
    distance = place[:, None] - low[:, None] - reach
    weight = 1 - abs(distance) if mode == "linear" else _cubic(distance, a=-0.75)
    return Taps(np.clip(low[:, None] + reach, 0, n - 1), weight, n)


def _smooth(mode: str, n: int, center: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return index and weight of the antialiased modes: the filter stretched by `scale` and cut off at the ends."""
    half, kernel = _FILTERS[mode]
    stretch = max(scale, 1.0)
    start = np.maximum((center - half * stretch + 0.5).astype(np.int64), 0)
    stop = np.minimum((center + half * stretch + 0.5).astype(np.int64), n)
    index = start[:, None] + np.arange(max(int((stop - start).max(initial=0)), 1))
    weight = kernel((index - center[:, None] + 0.5) / stretch) * (index < stop[:, None])
    return np.minimum(index, n - 1), weight / weight.sum(axis=1, keepdims=True)


def _scales(scale_factor: Any, dims: int) -> tuple[float, ...]:
    """Return the scale of each axis. Raises ShapeError for another number of scales."""
    given = tuple(scale_factor) if isinstance(scale_factor, Sequence) else (scale_factor,) * dims
    if len(given) != dims:
        raise ShapeError(f"interpolate: scale_factor must be a number or {dims} of them, got {scale_factor}")
    return given


def _sizes(x: Tensor, size: Any, scale_factor: Any, recompute: bool) -> tuple[tuple[int, ...], tuple]:
    """Return the output's spatial sizes, and the given scale of each axis (None: the ratio of the sizes)."""
    dims = x.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ShapeError("interpolate: give either size or scale_factor")
    if size is not None:
        if recompute:
            raise ShapeError("interpolate: recompute_scale_factor needs a scale_factor, not a size")
        sizes = tuple(size) if isinstance(size, Sequence) else (size,) * dims
        scales: tuple = (None,) * dims
    else:
        scales = _scales(scale_factor, dims)
        sizes = tuple(math.floor(n * s) for n, s in zip(x.shape[2:], scales, strict=True))
        scales = (None,) * dims if recompute else scales
    if len(sizes) != dims or any(n < 1 for n in (*sizes, *x.shape[2:])):
        raise ShapeError(f"interpolate: cannot resize {x.shape} to the {dims} spatial sizes {sizes}")
    return sizes, scales


def _check(x: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    """Raise ShapeError for arguments that do not fit the mode."""
    modes = ("nearest", "nearest-exact", "area", *_DIMS)
    if mode not in modes:
        raise ShapeError(f"interpolate: mode must be one of {', '.join(modes)}, got {mode!r}")
    if x.ndim - 2 not in _DIMS.get(mode, (1, 2, 3)):
        wanted = " or ".join(f"{d + 2}-d" for d in _DIMS.get(mode, (1, 2, 3)))
        raise ShapeError(f"interpolate: mode {mode!r} needs {wanted} input (N, C, *S), got {x.shape}")
    if align_corners is not None and mode not in _DIMS:
        raise ShapeError(f"interpolate: align_corners is for the modes {', '.join(_DIMS)}, got mode {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        raise ShapeError(f"interpolate: antialias is for the modes bilinear, bicubic and lanczos, got {mode!r}")
    if mode == "lanczos" and (align_corners or not antialias):
        raise ShapeError("interpolate: lanczos needs antialias=True and has no align_corners")


@governed({"cuda": "float32"})
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Resize input (N, C, *S), of one to three spatial axes, to `size` or by `scale_factor` (one, or one per axis).

    mode is "nearest" (PyTorch's, which rounds down), "nearest-exact", "linear", "bilinear", "bicubic" (R. Keys 1981),
    "trilinear", "area" (means of windows) or "lanczos". align_corners keeps the centres of the corner elements rather
    than the outer edges. recompute_scale_factor takes the ratio of the sizes as the scale, not the given one. antialias
    filters before an axis gets shorter. Raises ShapeError for arguments that do not fit.

    >>> F.interpolate(gg.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    tensor([[[1. , 1.5, 2.5, 3. ]]])
    """
    x = asarray(input)
    _check(x, mode, align_corners, antialias)
    sizes, scales = _sizes(x, size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        return _AREA[x.ndim - 3](x, sizes)
    kind = "cubic" if mode == "bicubic" else "linear" if mode.endswith("linear") else mode
    align = bool(align_corners)
    steps = []
    for axis, (out, given) in enumerate(zip(sizes, scales, strict=True), 2):
        n = x.shape[axis]
        scale = (n - 1) / (out - 1 or math.inf) if align else 1 / given if given else n / out
        if n != out or scale != 1:
            steps.append((out / n, axis, _taps(kind, n, out, float(scale), align, antialias)))
    for _, axis, taps in sorted(steps, key=lambda step: step[:2]):  # what gets shorter first
        x = resample(x, axis=axis, taps=taps)
    return x if steps else x.clone()


def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """Apply `interpolate`, under an older name.

    >>> F.upsample(gg.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Apply `interpolate` with mode "nearest".

    >>> F.upsample_nearest(gg.tensor([[[1.0, 3.0]]]), size=3)
    tensor([[[1., 1., 3.]]])
    """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Apply `interpolate` with mode "bilinear" and align_corners=True.

    >>> F.upsample_bilinear(gg.tensor([[[[1.0, 2.0]]]]), size=(1, 3))
    tensor([[[[1. , 1.5, 2. ]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", True)
