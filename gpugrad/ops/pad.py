"""Padding. Every mode but "constant" copies elements of the array outwards along one axis after the other."""

from typing import Any

import numpy as np

from ..autograd.op import op, xp

__all__ = ["pad"]

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    """Return (before, after) for each axis, from any of the forms that NumPy takes."""
    if isinstance(pad_width, dict):
        given: list = [(0, 0)] * ndim
        if any(not -ndim <= axis < ndim for axis in pad_width):
            raise ValueError(f"pad_width={pad_width!r} names an axis that an array of {ndim} axes does not have")
        for axis, width in pad_width.items():
            given[axis] = (width, width) if isinstance(width, int) else width
        pad_width = given
    if not ndim and pad_width == []:
        return []
    try:
        pairs = np.broadcast_to(np.asarray(pad_width, np.int64), (ndim, 2)).tolist()
    except ValueError:
        raise ValueError(f"pad_width={pad_width!r} gives no (before, after) for each of {ndim} axes") from None
    if any(n < 0 for pair in pairs for n in pair):
        raise ValueError(f"pad_width cannot be negative, got {pad_width!r}")
    return [(before, after) for before, after in pairs]


@op(
    samples=lambda s: [
        s.case(s(3, 4), pad_width=1),
        s.case(s(3), pad_width=(1, 2), constant_values=2.5),
        s.case(s(2, 3), pad_width={-1: (2, 0)}),
        s.case(s(0, 2), pad_width=((1, 0), (0, 1))),
        s.case(s(2, 2), pad_width=1, constant_values=((1, 2), (3, 4))),
        s.case(s(), pad_width=0),
        s.case(s(3, 4), pad_width=((2, 1), (0, 3)), mode="reflect"),
        s.case(s(3), pad_width=(5, 6), mode="reflect"),
        s.case(s(4, 3).T, pad_width=((2, 1), (0, 3)), mode="symmetric"),
        s.case(s(2), pad_width=(5, 4), mode="symmetric"),
        s.case(s(3, 4), pad_width=((2, 1), (0, 3)), mode="edge"),
        s.case(s(3), pad_width=(4, 7), mode="wrap"),
        s.case(s(1, 2), pad_width=((2, 1), (1, 1)), mode="reflect"),
    ],
    exact=True,
    dtypes="own",
    complex=True,
)
def pad(x, *, pad_width, mode="constant", constant_values=0):
    """Return x with `pad_width` more elements before and after each axis.

    pad_width: n, (before, after), a pair for each axis, or {axis: pair}. mode: "constant" (`constant_values`), "edge"
    (the outermost element), "reflect" (mirrored at it), "symmetric" (mirrored beside it), "wrap" (from the other end).
    Raises ShapeError for other modes and for widths that do not fit.

    >>> gg.pad(gg.tensor([1, 2, 3]), (1, 2)), gg.pad(gg.tensor([1, 2, 3]), (1, 2), mode="reflect")
    (tensor([0, 1, 2, 3, 0, 0]), tensor([2, 1, 2, 3, 2, 1]))
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}")
    widths = _widths(pad_width, x.ndim)
    if not x.ndim:
        return x.copy()
    if mode != "constant":
        return xp(x).pad(x, widths, mode)
    if not isinstance(constant_values, (int, float)):
        return xp(x).pad(x, widths, mode, constant_values=constant_values)
    shape = [n + before + after for n, (before, after) in zip(x.shape, widths, strict=True)]
    out = xp(x).full(shape, constant_values, x.dtype)
    out[tuple(slice(before, before + n) for n, (before, _) in zip(x.shape, widths, strict=True))] = x
    return out


def _pad_rule(g: Any, x_shape: tuple, pad_width: Any, mode: str) -> Any:
    widths = _widths(pad_width, g.ndim)
    if mode == "constant":
        return g[tuple(slice(before, before + n) for n, (before, _) in zip(x_shape, widths, strict=True))]
    return xp(g).pad_adjoint(g, pad_width=widths, mode=mode)


pad.vjp(x=_pad_rule)


@op(
    samples=lambda s: [
        s.case(s(6, 7), pad_width=((2, 1), (0, 3)), mode="reflect"),
        s.case(s(14), pad_width=(5, 6), mode="reflect"),
        s.case(s(6, 7), pad_width=((2, 1), (0, 3)), mode="edge"),
        s.case(s(14), pad_width=(4, 7), mode="wrap"),
        s.case(s(11), pad_width=(5, 4), mode="symmetric"),
        s.case(s(4, 3), pad_width=((2, 1), (0, 0)), mode="symmetric"),
    ],
    exact_gradient=True,
    complex=True,
)
def pad_adjoint(x, *, pad_width, mode):
    """Return the adjoint of `pad`: x without its borders, each border element added to the one that it is a copy of."""
    for axis, (before, after) in enumerate(_widths(pad_width, x.ndim)):
        if not before + after:
            continue
        n = x.shape[axis] - before - after
        lead = (slice(None),) * axis
        inner = x[(*lead, slice(before, before + n))].copy()
        origin = np.pad(np.arange(n), (before, after), mode)
        for start, stop in ((0, before), (before + n, before + n + after)):
            for a, b in _runs(origin, start, stop):
                _add_run(inner, x[(*lead, slice(a, b))], lead, origin[a:b])
        x = inner
    return x


pad_adjoint.vjp(x=lambda g, pad_width, mode: xp(g).pad(g, pad_width=pad_width, mode=mode) if g.ndim else g * 1)


def _runs(origin: np.ndarray, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the stretches of positions from `start` to `stop` whose origins go up by 1, go down by 1, or stay."""
    runs = []
    while start < stop:
        steps = np.diff(origin[start:stop])
        others = np.flatnonzero(steps != steps[0]) if len(steps) and abs(steps[0]) <= 1 else np.zeros(1, int)
        end = start + 1 + int(others[0]) if len(others) else stop
        runs.append((start, end))
        start = end
    return runs


def _add_run(inner: Any, border: Any, lead: tuple, origin: np.ndarray) -> None:
    """Add one run of the border, along the axis after `lead`, to the elements that it came from."""
    low, high = int(origin.min()), int(origin.max()) + 1
    if low + 1 == high:
        border = border.sum(axis=len(lead), keepdims=True)
    elif origin[0] > origin[-1]:
        border = border[(*lead, slice(None, None, -1))]
    inner[(*lead, slice(low, high))] += border
