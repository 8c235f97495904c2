"""Complex numbers and Fourier transforms: values, dtypes and gradients as PyTorch's, on both devices."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import DTypeError, GradientError, OptionError, ShapeError

rng = np.random.default_rng(3)


def real(*shape):
    return rng.standard_normal(shape)


def complex_numbers(*shape):
    return real(*shape) + 1j * real(*shape)


A, B, V, W = complex_numbers(3, 3), complex_numbers(3, 3), complex_numbers(3), complex_numbers(3)
TALL, HERMITIAN = complex_numbers(4, 2), A @ A.conj().T + 3 * np.eye(3)
R, SIGNALS, WINDOW = real(3), real(2, 40), np.hanning(8)[1:-1]


def method(name):
    return lambda m, *arrays: getattr(m, name)(*arrays)


UNARY = """sin cos tan sinh cosh tanh exp log sqrt rsqrt reciprocal square asin acos atan asinh acosh atanh log10 log2
expm1 log1p sigmoid abs angle sgn conj real imag sum mean prod view_as_real negative"""
BINARY = "add multiply divide pow matmul outer vdot dot inner kron"
CASES = {
    **{name: (method(name), A * 0.5) for name in UNARY.split()},
    **{name: (method(name), V, W) for name in BINARY.split()},
    "isreal": (method("isreal"), np.array([1 + 0j, 1j])),
    "real times complex": (lambda m, x, y: x * y, R, A),
    "real plus a complex number": (lambda m, x: x + (2 + 1j), R),
    "cube": (lambda m, x: x**3, A),
    "root": (lambda m, x: x**0.5, A),
    "power of a number": (lambda m, x: 2**x, A),
    "polar": (method("polar"), abs(R), R[::-1].copy()),
    "complex": (method("complex"), R, R[::-1].copy()),
    "view_as_complex": (method("view_as_complex"), real(3, 2)),
    "einsum": (lambda m, x, y: m.einsum("ij,kj->ik", x, y), A, B),
    "index": (lambda m, x: x[[0, 0, 2]], A),
    "mH": (lambda m, x: x.mH @ x, A),
    "where": (lambda m, x, y: m.where(m.abs(x) > 1, x, y), A, B),
    "index_add": (lambda m, x, y: m.index_add(x, 0, m.tensor([0, 0, 1], device=x.device), y), A, B),
    "to real": (lambda m, x: x.real.to(m.float64) * x.imag, A),
    "norm": (lambda m, x: m.linalg.norm(x), A),
    **{f"norm {p}": (lambda m, x, p=p: m.linalg.vector_norm(x, ord=p), A) for p in (1, 3, np.inf)},
    "nuclear norm": (lambda m, x: m.linalg.matrix_norm(x, ord="nuc"), A),
    **{name: (lambda m, x, name=name: getattr(m.linalg, name)(x), A) for name in ("det", "inv", "svdvals")},
    "slogdet sign": (lambda m, x: m.linalg.slogdet(x)[0], A),
    "slogdet logarithm": (lambda m, x: m.linalg.slogdet(x)[1], A),
    "solve": (lambda m, x, y: m.linalg.solve(x, y), A, B),
    "matrix_exp": (lambda m, x: m.linalg.matrix_exp(x), A),
    "pinv": (lambda m, x: m.linalg.pinv(x), TALL),
    "cholesky": (lambda m, x: m.linalg.cholesky(x), HERMITIAN),
    "eigvalsh": (lambda m, x: m.linalg.eigvalsh(x + x.mH), A),
    "eigh": (lambda m, x: m.abs(m.linalg.eigh(x + x.mH)[1]), A),
    "svd": (lambda m, x: m.abs(m.linalg.svd(x, full_matrices=False)[0]), TALL),
    "svd, right": (lambda m, x: m.abs(m.linalg.svd(x)[2]), A),
    "qr, Q": (lambda m, x: m.linalg.qr(x)[0], TALL),
    "qr, R": (lambda m, x: m.linalg.qr(x)[1], complex_numbers(3, 4)),
    "var": (lambda m, x: m.var(x, dim=0), A),
    "std": (lambda m, x: m.std(x, dim=0), A),
    "cumsum": (lambda m, x: m.cumsum(x, 0), A),
    "cumprod": (lambda m, x: m.cumprod(x, 0), A),
    "lerp": (lambda m, x, y: m.lerp(x, y, 0.3), A, B),
    "vecdot": (lambda m, x, y: m.linalg.vecdot(x, y), A, B),
    "cross": (lambda m, x, y: m.linalg.cross(x, y), A, B),
    "linear": (lambda m, x, w, b: m.nn.functional.linear(x, w, b), A, B, V),
    "conv1d": (lambda m, x, w: m.nn.functional.conv1d(x, w), complex_numbers(1, 2, 5), complex_numbers(3, 2, 3)),
    **{name: (lambda m, x, name=name: getattr(m.fft, name)(x), A) for name in ("fft", "ifft2", "fftn", "fftshift")},
    "fft, cut": (lambda m, x: m.fft.fft(x, n=2, dim=0, norm="ortho"), A),
    "ifft, longer": (lambda m, x: m.fft.ifft(x, n=5, norm="forward"), A),
    "fft of real": (lambda m, x: m.fft.fft(x), R),
    "rfft": (lambda m, x: m.fft.rfft(x, n=6, dim=1, norm="ortho"), SIGNALS),
    "irfft": (lambda m, x: m.fft.irfft(x, n=5), A),
    "irfft, even": (lambda m, x: m.fft.irfft(x, norm="forward"), A),
    "rfft2": (lambda m, x: m.fft.rfft2(x, s=(4, 5)), SIGNALS),
    "irfftn": (lambda m, x: m.fft.irfftn(x, s=(3, 5)), A),
    "hfft": (lambda m, x: m.fft.hfft(x, n=4), A),
    "ihfft": (lambda m, x: m.fft.ihfft(x, norm="ortho"), R),
    "fftfreq": (lambda m: m.fft.fftfreq(5, 0.5)),
    "rfftfreq": (lambda m: m.fft.rfftfreq(6)),
    "ifftshift": (lambda m, x: m.fft.ifftshift(x, dim=(1,)), SIGNALS[:, :5]),
    "stft": (lambda m, x, w: m.stft(x, 8, return_complex=True, window=w), SIGNALS, real(8)),
    "stft, all": (
        lambda m, x, w: m.stft(x, 8, 3, 6, w, False, "reflect", True, False, True),
        SIGNALS,
        WINDOW,
    ),
    "stft of complex": (lambda m, x, w: m.stft(x, 8, 3, window=w, return_complex=True), complex_numbers(20), real(8)),
    "istft": (lambda m, x, w: m.istft(x, 8, 2, 6, w, length=15), complex_numbers(5, 9), WINDOW),
    "istft, whole": (
        lambda m, x, w: m.istft(x, 8, 3, window=w, center=False, normalized=True, onesided=False, return_complex=True),
        complex_numbers(2, 8, 5),
        np.hanning(10)[1:-1],
    ),
}


def outcome(library, case, dtype, device=None):
    """The value, its dtype, and the gradients, from an upstream gradient that depends on the shape alone."""
    function, *arrays = case if isinstance(case, tuple) else (case,)
    single = {"c": np.complex64, "f": np.float32}
    given = [a.astype(single[a.dtype.kind]) if dtype == "single" else a for a in arrays]
    tensors = [library.tensor(a, device=device, requires_grad=True) for a in given]
    out = function(library, *tensors)
    draw = np.random.default_rng(4)
    upstream = draw.standard_normal(tuple(out.shape)) + 1j * draw.standard_normal(tuple(out.shape))
    gradients = ()
    if out.requires_grad:
        g = library.tensor(upstream if out.is_complex() else upstream.real).to(out.dtype)
        gradients = library.autograd.grad(out, tensors, g.to(device) if device else g)
    host = [t.detach().cpu() for t in (out, *gradients)]
    return [(t.resolve_conj() if library is torch else t).numpy() for t in host]


@pytest.mark.parametrize("where", ["cpu", "cuda"])
@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name, where, cuda):
    dtype = "double" if where == "cpu" else "single"
    case = CASES[name]
    if where == "cuda" and not isinstance(case, tuple):
        return
    got, expected = outcome(gg, case, dtype, where), outcome(torch, case, dtype)
    for a, b in zip(got, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        tolerance = 1e-9 if dtype == "double" else 3e-3
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max(initial=0)))


PAIRS = [
    ("complex64", "float64", "complex128"),
    ("complex64", "int64", "complex64"),
    ("float16", "complex64", "complex64"),
    ("complex128", "float32", "complex128"),
    ("bool", "complex64", "complex64"),
    ("bfloat16", "complex64", "complex64"),
]


@pytest.mark.parametrize(("first", "second", "result"), PAIRS)
def test_promotion(first, second, result):
    assert (gg.ones(2, dtype=first) + gg.ones(2, dtype=second)).dtype.name == result
    assert (gg.ones(2, dtype=second) * gg.ones(2, dtype=first)).dtype.name == result


def test_numbers_of_python():
    assert gg.tensor(1j).dtype == gg.complex64
    assert gg.tensor([1.0, 2j]).tolist() == [1, 2j]
    assert (gg.ones(1) * 1j).dtype == gg.complex64
    assert (gg.ones(1, dtype="float64") * 1j).dtype == gg.complex128
    assert (gg.arange(2) + 1j).dtype == gg.complex64
    assert complex(gg.tensor(2j)) == 2j
    assert gg.zeros(2, dtype=complex).dtype == gg.complex64


def test_random_numbers():
    z = gg.randn(4000, dtype="complex64")
    assert abs((z.abs() ** 2).mean().item() - 1) < 0.1
    assert abs(gg.rand(4000, dtype="complex128").mean().item() - (0.5 + 0.5j)) < 0.05


def test_the_gradient_is_that_of_both_parts():
    z = gg.tensor([3 + 4j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [6 + 8j]  # 2x + 2yi


def test_a_real_input_gets_the_real_part():
    x = gg.tensor([2.0], requires_grad=True)
    y = x * (1 + 2j)
    (y * y).real.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == gg.float32
    assert x.grad.tolist() == [-12.0]  # Re((1 + 2j)^2) x^2 = -3 x^2


def test_parts_can_be_changed_in_place():
    z = gg.tensor([1 + 1j, 2 + 2j])
    z.real[0] = 5
    z.imag *= 2
    gg.view_as_real(z)[1, 0] = 7
    assert z.tolist() == [5 + 2j, 7 + 4j]
    x = gg.ones(2, requires_grad=True)
    z = gg.complex(x, x)
    z.imag *= 3.0
    assert gg.grad((z.real + z.imag).sum(), [x])[0].tolist() == [4, 4]


def test_complex_numbers_are_ordered_as_in_numpy():
    z = np.array([[1 + 2j, 1 - 1j, 0.5 + 9j], [-2 + 0j, 1 + 2j, 1 + 1j]])
    w = np.array([1 + 0j, 1 - 1j, 1j])
    for name in ("less", "less_equal", "greater", "greater_equal", "maximum", "minimum", "fmax", "fmin"):
        np.testing.assert_array_equal(getattr(gg, name)(z, w).numpy(), getattr(np, name)(z, w), name)
    for name in ("max", "min", "argmax", "argmin", "sort", "argsort"):
        for axis in (0, 1):
            np.testing.assert_array_equal(
                getattr(gg, name)(z, axis=axis).numpy(), getattr(np, name)(z, axis=axis), name
            )
    np.testing.assert_array_equal(gg.clip(z, w.min(), w.max()).numpy(), np.clip(z, w.min(), w.max()))
    assert (gg.asarray(z) < 1).tolist() == (z < 1).tolist() and np.max(gg.asarray(z)).item() == 1 + 2j


@pytest.mark.parametrize("function", [gg.floor_divide, gg.arctan2])
def test_what_has_no_meaning_is_refused(function):
    with pytest.raises(DTypeError, match=f"{function.name}: complex numbers have no {function.name}"):
        function(gg.tensor([1j]), gg.tensor([1j]))


def test_no_gradient_is_implied_for_a_complex_number():
    with pytest.raises(GradientError, match="complex64; take a real"):
        gg.tensor([1j], requires_grad=True).sum().backward()


def test_errors_of_transforms():
    with pytest.raises(OptionError, match="norm is 'backward'"):
        gg.fft.fft(gg.ones(2), norm="both")
    with pytest.raises(OptionError, match="rfft: n must be a positive integer, got 0"):
        gg.fft.rfft(gg.ones(2), 0)
    with pytest.raises(DTypeError, match="rfft: expected real"):
        gg.fft.rfft(gg.tensor([1j]))
    with pytest.raises(ShapeError, match="2 lengths"):
        gg.fft.fftn(gg.ones(2, 2), (2, 2), (0,))
    with pytest.raises(ShapeError, match="leave a gap"):
        gg.istft(gg.ones(5, 3, dtype="complex64"), 8, 2, window=gg.zeros(8))
    with pytest.raises(ShapeError, match="window of shape"):
        gg.stft(gg.ones(16), 8, window=gg.ones(7))
