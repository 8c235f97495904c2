"""Discrete Fourier transforms. `gpugrad.fft` collects them under NumPy's names, which are PyTorch's too.

Three ops do the work: from complex to complex numbers over any axes, and between real numbers and the half of their
transform that decides the other half. Each one's gradient is one of the three, so they have every order.

Source: J. Cooley, J. Tukey 1965, "An Algorithm for the Machine Calculation of Complex Fourier Series".
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..arguments import positive_int
from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.signature import torch_words
from ..autograd.tensor import Tensor
from ..backend.capture import constant_array
from ..backend.devices import device as find_device
from ..backend.dtypes import as_dtype, complex_of, default_dtype
from ..errors import DTypeError, OptionError, ShapeError
from .arrange import roll
from .complex import conj
from .pad import pad
from .shape import axis_of

__all__ = []

_OTHER_SIDE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}  # where an adjoint has its scale


@op(
    samples=lambda s: [
        s.case(s.complex(5), axes=(0,)),
        s.case(s.complex(2, 6), axes=(1,), inverse=True),
        s.case(s.complex(3, 2, 4), axes=(0, 2), norm="ortho"),
        s.case(s.complex(4, 3).T, axes=(-1,), norm="forward"),
        s.case(s.complex(0, 3), axes=(1,)),
    ],
    dtypes="float",
    complex=True,
    scalar_axis=False,
)
def fourier(x, *, axes, inverse=False, norm="backward"):
    """Return the transforms sum_n x_n exp(-2 pi i k n / N) of complex numbers over `axes`, with a plus if inverse.

    norm: which way divides by N, "backward" (the inverse) or "forward"; with "ortho" both divide by its root.
    """
    ns = xp(x)
    return (ns.fft.ifftn if inverse else ns.fft.fftn)(x.astype(complex_of(x.dtype)), axes=axes, norm=norm)


fourier.vjp(x=lambda g, axes, inverse, norm: xp(g).fourier(g, axes=axes, inverse=not inverse, norm=_OTHER_SIDE[norm]))


def _paired(x: Any, axis: int, length: int, factor: float) -> Any:
    """Return half a transform with the places that stand for two, k and N - k, multiplied by `factor`."""
    out = x.copy()
    out[(slice(None),) * (axis % x.ndim) + (slice(1, (length + 1) // 2),)] *= factor
    return out


@op(
    samples=lambda s: [
        s.case(s(6), axis=0),
        s.case(s(2, 5), axis=-1, norm="ortho"),
        s.case(s(4, 3), axis=0, norm="forward"),
        s.case(s(2, 6).T, axis=0, doubled=True),
        s.case(s(5), axis=0, doubled=True),
        s.case(s(0, 3), axis=1),
    ],
    dtypes="float",
    scalar_axis=False,
)
def half_fourier(x, *, axis, norm="backward", doubled=False):
    """Return the first N // 2 + 1 places of the transform of real numbers along `axis`.

    doubled: those that stand for two places are counted twice, as the gradient of the inverse wants it.
    """
    out = xp(x).fft.rfft(x, axis=axis, norm=norm)
    return _paired(out, axis, x.shape[axis], 2.0) if doubled else out


half_fourier.vjp(
    x=lambda g, axis, norm, doubled, x_shape: xp(g).inverse_half_fourier(
        g, length=x_shape[axis], axis=axis, norm=_OTHER_SIDE[norm], halved=not doubled
    )
)


@op(
    samples=lambda s: [
        s.case(s.complex(4), length=6, axis=0),
        s.case(s.complex(2, 3), length=5, axis=1, norm="ortho"),
        s.case(s.complex(3, 2), length=4, axis=0, norm="forward"),
        s.case(s.complex(2, 4).T, length=6, axis=0, halved=True),
        s.case(s.complex(0, 2), length=3, axis=1),
    ],
    dtypes="float",
    complex=True,
    scalar_axis=False,
)
def inverse_half_fourier(x, *, length, axis, norm="backward", halved=False):
    """Return the `length` real numbers whose transform has the first places x along `axis`: `half_fourier` undone.

    halved: places that stand for two are counted half, as the gradient of `half_fourier` wants it.
    """
    if x.shape[axis] != length // 2 + 1:
        raise ValueError(f"{length} numbers have {length // 2 + 1} places on axis {axis}")
    x = x.astype(complex_of(x.dtype))
    x = _paired(x, axis, length, 0.5) if halved else x
    return xp(x).fft.irfft(x, length, axis=axis, norm=norm)


inverse_half_fourier.vjp(
    x=lambda g, axis, norm, halved: xp(g).half_fourier(g, axis=axis, norm=_OTHER_SIDE[norm], doubled=not halved)
)


# The functions


def _check_norm(name: str, norm: Any) -> str:
    norm = "backward" if norm is None else norm
    if norm not in _OTHER_SIDE:
        raise OptionError(f"{name}: norm is 'backward', 'ortho' or 'forward', got {norm!r}")
    return norm


def _resized(x: Tensor, n: int | None, axis: int) -> Tensor:
    """Return x cut off or filled up with zeros to length n along `axis`."""
    length = x.shape[axis]
    if n is None or n == length:
        return x
    if n < length:
        return x[(slice(None),) * (axis % x.ndim) + (slice(0, n),)]
    return pad(x, {axis % x.ndim: (0, n - length)})


def _length(name: str, x: Tensor, n: int | None, axis: int) -> int:
    axis_of(name, x, axis)
    return positive_int(name, "n", x.shape[axis] if n is None or n == -1 else n)


def _sizes(name: str, x: Any, s: Any, axes: Any) -> tuple[Tensor, list[int | None], tuple[int, ...]]:
    """Return x as a Tensor, the lengths asked for, and the axes; the last ones of x go with lengths alone."""
    x = asarray(x)
    s = (s,) if isinstance(s, int) else s
    axes = (axes,) if isinstance(axes, int) else axes
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    axes = tuple(axis_of(name, x, axis) for axis in axes)
    lengths: list[int | None] = [None if n == -1 else n for n in ([None] * len(axes) if s is None else s)]
    if len(lengths) != len(axes):
        raise ShapeError(f"{name}: {len(lengths)} lengths {tuple(lengths)} for {len(axes)} axes {axes}")
    return x, lengths, axes


def _transformed(name: str, x: Any, s: Any, axes: Any, norm: Any, inverse: bool) -> Tensor:
    x, lengths, axes = _sizes(name, x, s, axes)
    norm = _check_norm(name, norm)
    for n, axis in zip(lengths, axes, strict=True):
        x = _resized(x, _length(name, x, n, axis), axis)
    return fourier(x, axes=axes, inverse=inverse, norm=norm) if axes else x


def _real(name: str, x: Tensor) -> Tensor:
    if x.dtype.kind == "c":
        raise DTypeError(f"{name}: expected real numbers, got {x.dtype}")
    return x


@torch_words
def fft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the discrete Fourier transform along `axis`, of length n: sum_j x_j exp(-2 pi i k j / n).

    x is cut off or filled up with zeros to n. norm: "backward" (the inverse divides by n), "forward" (this way does),
    "ortho" (both divide by its root). Raises OptionError for another norm, and unless n is positive.

    >>> gg.fft.fft(gg.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _transformed("fft", x, None if n is None else (n,), (axis,), norm, False)


@torch_words
def ifft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the inverse of `fft`, with its arguments.

    >>> gg.fft.ifft(gg.tensor([4.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _transformed("ifft", x, None if n is None else (n,), (axis,), norm, True)


@torch_words
def fft2(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Tensor:
    """Return the transform over two axes: `fftn` of the last two, unless others are given.

    >>> gg.fft.fft2(gg.ones(2, 2))[0, 0]
    tensor(4.+0.j)
    """
    return _transformed("fft2", x, s, axes, norm, False)


@torch_words
def ifft2(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Tensor:
    """Return the inverse of `fft2`, with its arguments.

    >>> gg.fft.ifft2(gg.ones(2, 2))[0, 0]
    tensor(1.+0.j)
    """
    return _transformed("ifft2", x, s, axes, norm, True)


@torch_words
def fftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """Return the transform over several axes, with lengths s; all axes, or the last len(s), unless they are given.

    >>> gg.fft.fftn(gg.ones(2, 2, 2))[0, 0, 0]
    tensor(8.+0.j)
    """
    return _transformed("fftn", x, s, axes, norm, False)


@torch_words
def ifftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """Return the inverse of `fftn`, with its arguments.

    >>> gg.fft.ifftn(gg.ones(2, 2, 2))[0, 0, 0]
    tensor(1.+0.j)
    """
    return _transformed("ifftn", x, s, axes, norm, True)


@torch_words
def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the first n // 2 + 1 places of `fft` of real numbers, which decide the others.

    >>> gg.fft.rfft(gg.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j])
    """
    x = _real("rfft", asarray(x))
    return half_fourier(_resized(x, _length("rfft", x, n, axis), axis), axis=axis, norm=_check_norm("rfft", norm))


def _length_of_half(name: str, x: Tensor, n: int | None, axis: int) -> int:
    axis_of(name, x, axis)
    return positive_int(name, "n", 2 * (x.shape[axis] - 1) if n in (None, -1) else n)


@torch_words
def irfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the n real numbers whose `rfft` is x: (..., n // 2 + 1, ...); n is even unless it is given.

    >>> gg.fft.irfft(gg.tensor([1.0, 1.0, 1.0]))
    tensor([1., 0., 0., 0.])
    """
    x = asarray(x)
    n = _length_of_half("irfft", x, n, axis)
    x = _resized(x, n // 2 + 1, axis)
    return inverse_half_fourier(x, length=n, axis=axis, norm=_check_norm("irfft", norm))


@torch_words
def rfftn(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None) -> Tensor:
    """Return `fftn` of real numbers, with the first half of the places along the last of the axes.

    >>> gg.fft.rfftn(gg.ones(2, 4)).shape
    (2, 3)
    """
    x, lengths, axes = _sizes("rfftn", x, s, axes)
    out = rfft(x, lengths[-1], axes[-1], norm)
    return _transformed("rfftn", out, lengths[:-1], axes[:-1], norm, False)


@torch_words
def irfftn(
    x: Any, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Tensor:
    """Return the inverse of `rfftn`; the last length is even unless s says so.

    >>> gg.fft.irfftn(gg.ones(2, 3)).shape
    (2, 4)
    """
    x, lengths, axes = _sizes("irfftn", x, s, axes)
    out = _transformed("irfftn", x, lengths[:-1], axes[:-1], norm, True)
    return irfft(out, lengths[-1], axes[-1], norm)


@torch_words
def rfft2(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Tensor:
    """Return `rfftn` over two axes, the last ones unless others are given.

    >>> gg.fft.rfft2(gg.ones(2, 4)).shape
    (2, 3)
    """
    return rfftn(x, s, axes, norm)


@torch_words
def irfft2(x: Any, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Tensor:
    """Return `irfftn` over two axes, the last ones unless others are given.

    >>> gg.fft.irfft2(gg.ones(2, 3)).shape
    (2, 4)
    """
    return irfftn(x, s, axes, norm)


@torch_words
def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the n real numbers that are the transform of x (..., n // 2 + 1, ...), the first half of a signal that is
    its own conjugate read backwards.

    >>> gg.fft.hfft(gg.tensor([1.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    return irfft(conj(x), n, axis, _OTHER_SIDE[_check_norm("hfft", norm)])


@torch_words
def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """Return the inverse of `hfft`.

    >>> gg.fft.ihfft(gg.tensor([1.0, 1.0, 1.0, 1.0])).real
    tensor([1., 0., 0.])
    """
    return conj(rfft(x, n, axis, _OTHER_SIDE[_check_norm("ihfft", norm)]))


def _frequencies(n: int, d: float, half: bool, dtype: Any, device: Any) -> Tensor:
    where = find_device(device)
    count = np.arange(n // 2 + 1) if half else np.fft.ifftshift(np.arange(-(n // 2), (n + 1) // 2))
    return asarray(constant_array(where, count / (n * d), as_dtype(dtype or default_dtype())), device=where)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the frequencies of the places of `fft` of n samples that lie d apart.

    >>> gg.fft.fftfreq(4)
    tensor([ 0.  ,  0.25, -0.5 , -0.25])
    """
    return _frequencies(positive_int("fftfreq", "n", n), d, False, dtype, device)


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return the frequencies of the places of `rfft` of n samples that lie d apart.

    >>> gg.fft.rfftfreq(4)
    tensor([0.  , 0.25, 0.5 ])
    """
    return _frequencies(positive_int("rfftfreq", "n", n), d, True, dtype, device)


def _shifted(name: str, x: Any, axes: Any, way: int) -> Tensor:
    x, _, axes = _sizes(name, x, None, axes)
    if not prod(x.shape) or not axes:
        return x
    return roll(x, tuple(way * (x.shape[a] // 2) for a in axes), axis=axes)


@torch_words
def fftshift(x: Any, axes: Any = None) -> Tensor:
    """Return x with the place of frequency 0 in the middle of `axes` (all by default).

    >>> gg.fft.fftshift(gg.fft.fftfreq(4))
    tensor([-0.5 , -0.25,  0.  ,  0.25])
    """
    return _shifted("fftshift", x, axes, 1)


@torch_words
def ifftshift(x: Any, axes: Any = None) -> Tensor:
    """Return the inverse of `fftshift`: the place in the middle comes first.

    >>> gg.fft.ifftshift(gg.tensor([-1, 0, 1]))
    tensor([ 0,  1, -1])
    """
    return _shifted("ifftshift", x, axes, -1)
