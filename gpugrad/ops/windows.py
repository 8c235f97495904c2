"""Windows that slide along one axis, and the short-time Fourier transform on them."""

from typing import Any

from ..arguments import positive_int
from ..autograd.convert import asarray
from ..autograd.op import op, xp
from ..autograd.tensor import Tensor
from ..errors import DTypeError, ShapeError
from .complex import view_as_complex, view_as_real
from .fourier import fft, ifft, irfft, rfft
from .pad import pad

__all__ = ["istft", "stft"]


def _along(axis: int, part: slice, ndim: int) -> tuple:
    return (slice(None),) * (axis % ndim) + (part,)


@op(
    samples=lambda s: [
        s.case(s(6), axis=0, size=3, step=1),
        s.case(s(2, 7, 2), axis=1, size=3, step=2),
        s.case(s(4, 5).T, axis=0, size=2, step=3),
        s.case(s(0, 4), axis=1, size=2, step=2),
    ],
    exact=True,
    dtypes="own",
    complex=True,
    scalar_axis=False,
)
def sliding_windows(x, *, axis, size, step):
    """Return the windows of `size` elements that begin every `step` elements along `axis`, along a new last axis."""
    if not 0 < size <= x.shape[axis]:
        raise ValueError(f"a window of {size} elements does not fit axis {axis}, which has {x.shape[axis]}")
    views = xp(x).lib.stride_tricks.sliding_window_view(x, size, axis)
    return views[_along(axis, slice(None, None, step), x.ndim)].copy()


sliding_windows.vjp(
    x=lambda g, x_shape, axis, step: xp(g).overlap_add(g, axis=axis % len(x_shape), length=x_shape[axis], step=step)
)


@op(
    samples=lambda s: [
        s.case(s(4, 3), axis=0, length=6, step=1),
        s.case(s(2, 3, 2, 3), axis=1, length=7, step=2),
        s.case(s(0, 2, 2), axis=1, length=4, step=2),
    ],
    exact_gradient=True,
    complex=True,
    scalar_axis=False,
)
def overlap_add(x, *, axis, length, step):
    """Add the windows along the last axis up where `sliding_windows` takes them from, in zeros of `length`."""
    *shape, size = x.shape
    count, shape[axis] = shape[axis], length
    if size < 1 or (length - size) // step + 1 != count:
        raise ValueError(f"{length} elements do not have {count} windows of {size} every {step}")
    out = xp(x).zeros(shape, x.dtype)
    for k in range(size):
        out[_along(axis, slice(k, k + step * count, step), len(shape))] += x[..., k]
    return out


overlap_add.vjp(x=lambda g, axis, x_shape, step: xp(g).sliding_windows(g, axis=axis, size=x_shape[-1], step=step))


def _window(name: str, x: Tensor, n_fft: int, win_length: int | None, window: Any) -> Tensor:
    """Return the window, ones by default, with zeros on both sides to the length n_fft."""
    length = n_fft if win_length is None else win_length
    if not 0 < length <= n_fft:
        raise ShapeError(f"{name}: win_length lies between 1 and n_fft={n_fft}, got {win_length}")
    if window is None:
        real = x.real.dtype
        window = asarray(x.device.xp.ones(length, real if real.kind in "fV" else None), device=x.device)
    window = asarray(window, device=x.device)
    if window.shape != (length,):
        raise ShapeError(f"{name}: expected a window of shape ({length},), got {window.shape}")
    left = (n_fft - length) // 2
    return pad(window, (left, n_fft - length - left)) if length < n_fft else window


def stft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Tensor:  # fmt: skip
    """Return the Fourier transforms of the windows of a signal, with PyTorch's arguments: (..., L) -> (..., F, T).

    A window of n_fft elements begins every hop_length (n_fft // 4) and is multiplied by `window` (win_length,).
    center: the signal is padded by pad_mode so that window t is around its element t * hop_length. normalized: the
    transforms are divided by the root of n_fft. onesided: F is n_fft // 2 + 1, the half that decides the other; by
    default of real signals. return_complex=False: real and imaginary parts (..., F, T, 2). Raises ShapeError for sizes
    that do not fit, DTypeError for onesided transforms of complex numbers.

    >>> gg.stft(gg.ones(1, 16), n_fft=8, hop_length=4).shape
    (1, 5, 5)
    """
    x = asarray(input)
    if not 1 <= x.ndim <= 2:
        raise ShapeError(f"stft: expected a signal (L,) or signals (N, L), got shape {x.shape}")
    positive_int("stft", "n_fft", n_fft)
    hop = positive_int("stft", "hop_length", max(n_fft // 4, 1) if hop_length is None else hop_length)
    if center:
        x = pad(
            x, {-1: (n_fft // 2, n_fft // 2)}, mode={"replicate": "edge", "circular": "wrap"}.get(pad_mode, pad_mode)
        )
    window = _window("stft", x, n_fft, win_length, window)
    frames = sliding_windows(x, axis=x.ndim - 1, size=n_fft, step=hop) * window
    half = frames.dtype.kind != "c" if onesided is None else onesided
    if half and frames.dtype.kind == "c":
        raise DTypeError("stft: onesided=True needs a real signal and a real window")
    out = (rfft if half else fft)(frames, norm="ortho" if normalized else "backward").swapaxes(-1, -2)
    return view_as_real(out) if return_complex is False else out


def istft(
    input: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, normalized: bool = False, onesided: bool | None = None, length: int | None = None,
    return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """Return the signal whose `stft` is `input` (..., F, T), or comes closest: (..., L), with PyTorch's arguments.

    The inverse transforms are multiplied by the window, added up, and divided by the sum of squared windows.
    length: of the result, which is cut off or filled up with zeros. return_complex: the signal is complex. Raises
    ShapeError
    where the windows leave a gap, or sizes do not fit.

    >>> x = gg.arange(16.0)
    >>> gg.allclose(gg.istft(gg.stft(x, 8), 8, length=16), x, atol=1e-4)
    True
    """
    x = asarray(input)
    x = x if x.dtype.kind == "c" else view_as_complex(x)
    if not 2 <= x.ndim <= 3:
        raise ShapeError(f"istft: expected transforms (F, T) or (N, F, T), got shape {x.shape}")
    half = x.shape[-2] != n_fft if onesided is None else onesided
    if x.shape[-2] != (n_fft // 2 + 1 if half else n_fft):
        raise ShapeError(f"istft: n_fft={n_fft}, onesided={half} do not fit {x.shape[-2]} frequencies")
    hop = positive_int("istft", "hop_length", max(n_fft // 4, 1) if hop_length is None else hop_length)
    window = _window("istft", x, n_fft, win_length, window)
    norm = "ortho" if normalized else "backward"
    x = x.swapaxes(-1, -2)
    frames = irfft(x, n_fft, norm=norm) if half and not return_complex else ifft(x, n_fft, norm=norm)
    frames = frames if return_complex or frames.dtype.kind != "c" else frames.real
    whole = n_fft + hop * (frames.shape[-2] - 1)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else whole - start
    added = overlap_add(frames * window, axis=frames.ndim - 2, length=whole, step=hop)[..., start:end]
    weight = xp(window).broadcast_to(window * window, (frames.shape[-2], n_fft))
    weight = overlap_add(weight, axis=0, length=whole, step=hop)[start:end]
    if weight.shape[0] == 0 or float(xp(weight).absolute(weight).min()) < 1e-11:
        raise ShapeError("istft: the windows leave a gap; their squares must not add up to 0 anywhere")
    out = added / weight
    return pad(out, {-1: (0, end - whole)}) if end > whole else out
