"""Sampled functions: convolution, interpolation, differences, windows, polynomials."""

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import OptionError, ShapeError
from .creation import zeros
from .elementwise import floor, logical_and, power, where
from .join import concatenate
from .linalg import lstsq
from .pad import pad
from .reduce import sum
from .shape import ravel, reshape
from .sort import searchsorted
from .torch_names import or_torch

__all__ = [
    "bartlett", "blackman", "convolve", "correlate", "gradient", "hamming", "hanning", "interp", "kaiser", "polyadd",
    "polyder", "polyfit", "polyint", "polymul", "polysub", "polyval", "unwrap", "vander",
]  # fmt: skip


def convolve(x, v, mode="full"):
    """Return the convolution of two sequences: out_n = sum_m x_m v_(n-m).

    mode: "full" has every overlap (N + M - 1), "same" the middle max(N, M), "valid" only whole overlaps.
    Raises ShapeError unless both have one axis and elements.

    >>> gg.convolve(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([0.0, 1.0]))
    tensor([0., 1., 2., 3.])
    """
    x, y = asarray(x), asarray(v)
    if x.ndim > 1 or y.ndim > 1 or not x._array.size or not y._array.size:
        raise ShapeError(f"convolve: expected sequences of at least one element, got {x.shape} and {y.shape}")
    x, y = (ravel(x), ravel(y)) if x._array.size >= y._array.size else (ravel(y), ravel(x))
    n, m = x.shape[0], y.shape[0]
    lead = {"full": (m - 1, m - 1), "same": (m // 2, (m - 1) // 2), "valid": (0, 0)}.get(mode)
    if lead is None:
        raise OptionError(f"convolve: mode is 'full', 'same' or 'valid', got {mode!r}")
    padded = pad(x, lead)
    count = n + lead[0] + lead[1] - m + 1
    windows = padded[np.arange(count)[:, None] + np.arange(m)]
    return windows @ y.flip(0)


def correlate(x, v, mode="valid"):
    """Return the correlation of two sequences: out_k = sum_n x_(n+k) conj(v_n), by the modes of `convolve`.

    >>> gg.correlate(gg.tensor([1.0, 2.0, 3.0]), gg.tensor([0.0, 1.0]))
    tensor([2., 3.])
    """
    x, y = asarray(x), asarray(v)
    if y._array.size > x._array.size:
        out = correlate(y, x, mode).flip(0)
        return out.conj() if out.dtype.kind == "c" else out
    back = y.flip(0)
    return convolve(x, back.conj() if back.dtype.kind == "c" else back, mode)


def interp(x, xp, fp, left=None, right=None, period=None):
    """Return the values at x of the function that goes straight from point to point (xp, fp), xp increasing.

    left, right: the values before the first and after the last point, by default theirs. period: of xp; then they are
    not used. Gradients flow to x, xp and fp.

    >>> gg.interp([0.5, 1.5, 9.0], [0.0, 1.0, 2.0], gg.tensor([0.0, 10.0, 30.0]))
    tensor([ 5., 20., 30.])
    """
    x, xp, fp = asarray(x), asarray(xp), asarray(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.shape[0]:
        raise ShapeError(f"interp: xp and fp are sequences of one length, got {xp.shape} and {fp.shape}")
    if period is not None:
        x, xp = x % period, xp % period
        order = xp.detach().argsort()
        xp, fp = xp[order], fp[order]
        xp = concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = concatenate([fp[-1:], fp, fp[:1]])
    if xp.shape[0] == 1:
        inner = fp[0] + 0 * x
    else:
        place = (searchsorted(xp.detach(), x.detach(), side="right") - 1).clip(0, xp.shape[0] - 2)
        start, before = xp[place], fp[place]
        inner = before + (x - start) * (fp[place + 1] - before) / (xp[place + 1] - start)
    inner = where(x < xp[0], fp[0] if left is None or period is not None else left, inner)
    return where(x > xp[-1], fp[-1] if right is None or period is not None else right, inner)


def every_gradient(x: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """Return PyTorch's `gradient`: a tuple, also for one axis; `spacing` holds what `varargs` are."""
    x = asarray(x)
    spacings = spacing if isinstance(spacing, (tuple, list)) else (1 if spacing is None else spacing,)
    axes = x.ndim if dim is None else 1 if isinstance(dim, int) else len(dim)
    if spacings is spacing and len(spacings) != axes:
        raise ShapeError(f"gradient: spacing holds {len(spacings)} for {axes} axes; give one for each, or a number")
    made = gradient(x, *spacings, axis=dim, edge_order=edge_order)
    return made if isinstance(made, tuple) else (made,)


@or_torch("spacing dim", every_gradient)
def gradient(x, *varargs, axis=None, edge_order=1) -> Any:
    """Return the derivative of sampled values along each axis (or those in `axis`), by central differences.

    varargs: one spacing for all axes, or for each a number or the coordinates along it. At the ends the differences are
    one-sided, of order `edge_order` (1 or 2). One axis gives a Tensor, several a tuple.

    >>> gg.gradient(gg.tensor([1.0, 2.0, 4.0, 7.0]))
    tensor([1. , 1.5, 2.5, 3. ])
    """
    x = asarray(x)
    x = x if x.dtype.kind in "fcV" else x.to(dtype=float)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    spacings = varargs if len(varargs) > 1 else varargs * len(axes) if varargs else (1.0,) * len(axes)
    if len({i % max(1, x.ndim) for i in axes}) < len(axes):
        raise ShapeError(f"gradient: an axis is named twice in {tuple(axes)}")
    if len(spacings) != len(axes) or edge_order not in (1, 2):
        raise ShapeError(f"gradient: {len(varargs)} spacings for {len(axes)} axes, edge_order={edge_order}")
    made = tuple(_along(x, i, h, edge_order) for i, h in zip(axes, spacings, strict=True))
    return made[0] if len(made) == 1 else made


def _along(x: Tensor, axis: int, spacing: Any, edge_order: int) -> Tensor:
    rows = x.moveaxis(axis, -1)
    n = rows.shape[-1]
    if n < edge_order + 1:
        raise ShapeError(f"gradient: axis {axis} of shape {x.shape} has fewer than {edge_order + 1} elements")
    h = asarray(spacing, device=x.device)
    steps = (h[1:] - h[:-1]) if h.ndim else h * asarray(np.ones(n - 1), x.dtype, x.device)
    if steps.shape[0] != n - 1:
        raise ShapeError(f"gradient: {h.shape[0]} coordinates along an axis of {n} elements")
    slopes = (rows[..., 1:] - rows[..., :-1]) / steps
    one, two = steps[:-1], steps[1:]
    inner = (two * slopes[..., :-1] + one * slopes[..., 1:]) / (one + two)
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        first = first + (first - slopes[..., 1:2]) * steps[0] / (steps[0] + steps[1])
        last = last + (last - slopes[..., -2:-1]) * steps[-1] / (steps[-1] + steps[-2])
    return concatenate([first, inner, last], axis=-1).moveaxis(-1, axis)


def unwrap(x, discont=None, axis=-1, *, period=2 * np.pi):
    """Return x with jumps along `axis` of more than `discont` (half the period) made good by multiples of the period.

    >>> gg.unwrap(gg.tensor([0, 3, 4, 1]), period=4)
    tensor([ 0, -1,  0,  1])
    """
    x = asarray(x)
    rows = x.moveaxis(axis, -1)
    steps = (rows[..., 1:] - rows[..., :-1]).detach()
    half = period / 2
    turned = steps - floor((steps + half) / period) * period
    turned = where(logical_and(turned == -half, steps > 0), half, turned)
    jump = where(steps.abs() < (half if discont is None else max(discont, half)), 0, turned - steps)
    whole = concatenate([zeros(*rows.shape[:-1], 1, dtype=jump.dtype, device=x.device), jump.cumsum(axis=-1)], axis=-1)
    out = (rows + whole).moveaxis(-1, axis)
    return out.to(dtype=x.dtype) if x.dtype.kind in "iu" and isinstance(period, int) else out


def _window(name: str, size: int, **options: Any) -> Tensor:
    return asarray(getattr(np, name)(size, **options), dtype=float)


def bartlett(size):
    """Return the Bartlett window, a triangle from 0 to 1 and back.

    >>> gg.bartlett(3)
    tensor([0., 1., 0.])
    """
    return _window("bartlett", size)


def blackman(size):
    """Return the Blackman window: 0.42 - 0.5 cos(2 pi n / (N - 1)) + 0.08 cos(4 pi n / (N - 1)).

    >>> gg.blackman(3).round(decimals=3).abs()
    tensor([0., 1., 0.])
    """
    return _window("blackman", size)


def hamming(size):
    """Return the Hamming window: 0.54 - 0.46 cos(2 pi n / (N - 1)).

    >>> gg.hamming(3)
    tensor([0.08, 1.  , 0.08])
    """
    return _window("hamming", size)


def hanning(size):
    """Return the Hann window: 0.5 - 0.5 cos(2 pi n / (N - 1)).

    >>> gg.hanning(3)
    tensor([0., 1., 0.])
    """
    return _window("hanning", size)


def kaiser(size, beta):
    """Return the Kaiser window, of the modified Bessel function I_0, with the shape parameter beta.

    >>> gg.kaiser(3, 0.0)
    tensor([1., 1., 1.])
    """
    return _window("kaiser", size, beta=beta)


# Polynomials: 1-d coefficients, the highest power first


def polyval(p, x):
    """Return the polynomial with the coefficients p, the highest power first, at x, by Horner's rule.

    >>> gg.polyval(gg.tensor([1.0, 0.0, 2.0]), 3.0)
    tensor(11.)
    """
    out: Any = 0 * asarray(x)
    for coefficient in ravel(p):
        out = out * x + coefficient
    return out


def _together(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Return two polynomials with as many coefficients."""
    x, y = ravel(x), ravel(y)
    n = max(x.shape[0], y.shape[0])
    return pad(x, (n - x.shape[0], 0)), pad(y, (n - y.shape[0], 0))


def polyadd(x, y):
    """Return the sum of two polynomials.

    >>> gg.polyadd([1, 2], [3])
    tensor([1, 5])
    """
    x, y = _together(x, y)
    return x + y


def polysub(x, y):
    """Return the difference of two polynomials.

    >>> gg.polysub([1, 2], [3])
    tensor([ 1, -1])
    """
    x, y = _together(x, y)
    return x - y


def polymul(x, y):
    """Return the product of two polynomials.

    >>> gg.polymul([1, 2], [1, -2])
    tensor([ 1,  0, -4])
    """
    return convolve(ravel(x), ravel(y))


def polyder(p, m=1):
    """Return the coefficients of the m-th derivative of a polynomial.

    >>> gg.polyder([1, 0, 2])
    tensor([2, 0])
    """
    p = ravel(p)
    for _ in range(m):
        n = p.shape[0] - 1
        p = p[:n] * asarray(np.arange(n, 0, -1), device=p.device) if n > 0 else p[:0]
    return p


def polyint(p, m=1, k=None):
    """Return the coefficients of the m-th integral of a polynomial, with the constants k (0).

    >>> gg.polyint(gg.tensor([2.0, 0.0]), k=[2.0])
    tensor([1., 0., 2.])
    """
    p = ravel(p)
    constants = [0] * m if k is None else list(np.atleast_1d(k)) if not isinstance(k, list) else k
    for i in range(m):
        n = p.shape[0]
        constant = ravel(asarray(constants[i], device=p.device))
        p = concatenate([p / asarray(np.arange(n, 0, -1), device=p.device), constant])
    return p


def vander(x, n=None, increasing=False):
    """Return the matrix of the powers of a sequence (M,) -> (M, n), the highest first unless `increasing`.

    >>> gg.vander(gg.tensor([1, 2, 3]), 3)
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    x = asarray(x)
    if x.ndim != 1:
        raise ShapeError(f"vander: expected one axis, got shape {x.shape}")
    n = x.shape[0] if n is None else n
    exponents = np.arange(n) if increasing else np.arange(n)[::-1].copy()
    return power(reshape(x, (-1, 1)), asarray(exponents, device=x.device))


def polyfit(x, y, deg, *, w=None):
    """Return the coefficients of the polynomial of degree `deg` nearest to the points (x, y), by least squares.

    w: weights of the residuals. y may be (M, K), K sets of points. Gradients flow to x and y.

    >>> gg.polyfit(gg.tensor([0.0, 1.0, 2.0]), gg.tensor([1.0, 3.0, 5.0]), 1).round(decimals=3)
    tensor([2., 1.])
    """
    x, y = asarray(x), asarray(y)
    x = x if x.dtype.kind in "fcV" else x.to(dtype=float)
    matrix = vander(x, deg + 1)
    scale = sum(matrix * matrix, axis=0) ** 0.5
    if w is not None:
        w = asarray(w, device=x.device)
        matrix, y = matrix * w[:, None], (y.T * w).T
    found = lstsq(matrix / scale, y)[0]
    return (found.T / scale).T
