"""Padding with PyTorch's arguments."""

from collections.abc import Sequence
from typing import Any

from ...autograd.convert import asarray
from ...autograd.tensor import Tensor
from ...errors import ShapeError
from ...ops import pad as ops

__all__ = ["pad"]

_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _check_reach(mode: str, shape: tuple, widths: tuple) -> None:
    """Raise ShapeError for a padding that reflects, or goes around, more than once."""
    for axis, (n, (low, high)) in enumerate(zip(shape, widths, strict=True)):
        most = n - 1 if mode == "reflect" else n
        if max(low, high) > max(most, 0):
            raise ShapeError(
                f"pad: {(low, high)} along axis {axis} of {shape} must be at most {max(most, 0)} with mode {mode!r}"
            )


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last axes: `pad` is (low, high) of the last axis, then of the one before, and so on; negative amounts cut
    off.

    mode is "constant" (with `value`, 0 unless given), "reflect", "replicate" or "circular".

    >>> F.pad(gg.tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
    tensor([2., 1., 2., 3., 2., 1.])
    """
    input = asarray(input)
    if mode not in _MODES:
        raise ShapeError(f"pad: mode must be one of {', '.join(_MODES)}, got {mode!r}")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ShapeError(f"pad: expected pairs for at most {input.ndim} axes, got {tuple(pad)} for {input.shape}")
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (input.ndim - len(pairs)) + pairs
    if any(n + low + high < 0 for n, (low, high) in zip(input.shape, widths, strict=True)):
        raise ShapeError(f"pad: {tuple(pad)} cuts more off than {input.shape} has")
    cuts = [(max(-low, 0), max(-high, 0)) for low, high in widths]
    widths = tuple((max(low, 0), max(high, 0)) for low, high in widths)
    if mode in ("reflect", "circular"):
        _check_reach(mode, input.shape, widths)
    first = mode in ("reflect", "replicate")  # these pad with what is then cut off
    x = input if first else _without(input, cuts)
    x = ops.pad(x, widths, mode=_MODES[mode], constant_values=0.0 if value is None else value)
    return _without(x, cuts) if first else x


def _without(x: Tensor, cuts: list[tuple[int, int]]) -> Tensor:
    """Return x without so many elements at the start and the end of each axis."""
    kept = tuple(slice(low, n - high) for n, (low, high) in zip(x.shape, cuts, strict=True))
    return x[kept] if any(low or high for low, high in cuts) else x
