"""Windows as columns (`unfold`), and columns added up in an image (`fold`), with PyTorch's arguments."""

import math
from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops.fold import fold_windows, unfold_windows
from .spatial import per_axis

__all__ = ["fold", "unfold"]


def _window_attributes(name: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> dict:
    """Return the attributes of the folding ops. Raises ShapeError for numbers that make no windows."""
    kernel, pads = per_axis(kernel_size, 2, f"{name}: kernel_size"), per_axis(padding, 2, f"{name}: padding", 0)
    steps, dilation = per_axis(stride, 2, f"{name}: stride"), per_axis(dilation, 2, f"{name}: dilation")
    return dict(kernel=kernel, stride=steps, padding=tuple((p, p) for p in pads), dilation=dilation)


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Return the windows of input (N, C, H, W) as columns: (N, C * prod(kernel_size), number of windows); also without
    N.

    Raises ShapeError if the kernel does not fit the padded input.

    >>> F.unfold(gg.ones((1, 3, 4, 4)), kernel_size=2).shape
    (1, 12, 9)
    """
    x = asarray(input)
    if x.ndim not in (3, 4):
        raise ShapeError(f"unfold: expected input (N, C, H, W) or (C, H, W), got {x.shape}")
    window = _window_attributes("unfold", kernel_size, dilation, padding, stride)
    columns = unfold_windows(x if x.ndim == 4 else x.unsqueeze(0), **window)
    n, c, k, *out = columns.shape
    return columns.reshape((*((n,) if x.ndim == 4 else ()), c * k, math.prod(out)))


def fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Add columns (N, C * prod(kernel_size), L) up in an image (N, C, *output_size): the adjoint of `unfold`; also
    without N.

    Raises ShapeError unless L is the number of windows.

    >>> F.fold(gg.ones((1, 2, 4)), output_size=(2, 3), kernel_size=(1, 2))
    tensor([[[[1., 2., 1.],
              [1., 2., 1.]]]])
    """
    x, size = asarray(input), per_axis(output_size, 2, "fold: output_size")
    window = _window_attributes("fold", kernel_size, dilation, padding, stride)
    k = math.prod(window["kernel"])
    parts = zip(size, window["kernel"], window["stride"], window["padding"], window["dilation"], strict=True)
    out = tuple((n + 2 * p - d * (f - 1) - 1) // s + 1 for n, f, s, (p, _), d in parts)
    if x.ndim not in (2, 3) or x.shape[-2] % k or x.shape[-1] != math.prod(out) or min(out) < 1:
        raise ShapeError(f"fold: expected input (N, C * {k}, L) with windows {out}, L their number, got {x.shape}")
    n, c = (x.shape[0] if x.ndim == 3 else 1), x.shape[-2] // k
    made = fold_windows(x.reshape((n, c, k, *out)), size=size, **window)
    return made if x.ndim == 3 else made.squeeze(0)
