"""Pooling on cuda, against PyTorch and by hand."""

import itertools

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda import is_emulated
from gpugrad.backend.cuda.emulator.options import SCHEDULES, options

torch = pytest.importorskip("torch")

DTYPES = ["float32", "float64", "float16", "bfloat16"]
MAX = [  # shape, kernel, stride, padding, dilation, ceil_mode
    ((2, 3, 9), (2,), (2,), (0,), (1,), False),
    ((2, 8, 9, 7), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((1, 2, 9, 8), (2, 3), (1, 2), (1, 1), (2, 1), True),
    ((2, 2, 9, 11), (2, 2), (3, 4), (0, 0), (1, 1), False),
    ((1, 1, 20, 20), (17, 16), (2, 3), (8, 8), (1, 1), False),
    ((1, 1, 18, 18), (16, 16), (1, 1), (0, 0), (1, 1), False),
    ((2, 4, 5, 6, 4), (3, 2, 2), (2, 1, 2), (1, 1, 0), (1, 2, 1), False),
    ((3, 16, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1), False),
    ((700, 3, 2, 2), (2, 2), (2, 2), (0, 0), (1, 1), False),
]


def low(lib, dtype):
    return gg.bfloat16 if lib is gg and dtype == "bfloat16" else getattr(lib, dtype)


def arranged(lib, a, dtype, last, device):
    """A leaf with the values of `a`, channels last in memory if `last`."""
    where = {} if device is None else {"device": device}
    x = lib.tensor(a, **where).to(low(lib, dtype))
    if last:
        order = [0, *range(2, x.ndim), 1]
        x = x.permute(*order).contiguous().permute(*np.argsort(order).tolist())
    return x.detach().requires_grad_()


def run(lib, function, x, dtype, last=False, device=None, **kwargs):
    """Outputs and the gradient of x for an upstream gradient that the shape decides, as float64 arrays."""
    x = arranged(lib, x, dtype, last, device)
    outs = getattr(lib.nn.functional, function)(x, **kwargs)
    outs = outs if isinstance(outs, tuple) else (outs,)
    g = np.random.default_rng(1).integers(-4, 5, tuple(outs[0].shape)).astype("float64")
    outs[0].backward(arranged(lib, g, dtype, False, device).detach())
    return [a.detach().to(lib.float64).cpu().numpy() for a in (*outs, x.grad)]


def numbers(shape):
    """Few different values, so that windows have ties; sums of them are exact in every dtype."""
    return np.random.default_rng(len(shape)).integers(-3, 4, shape).astype("float64")


@pytest.mark.parametrize("last", [False, True], ids=["front", "last"])
@pytest.mark.parametrize("case", MAX, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_is_pytorchs(cuda, case, dtype, last):
    shape, kernel, stride, padding, dilation, ceil = case
    if dtype == "float64" and len(shape) == 5:
        pytest.skip("the same code as for float32")
    window = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil)
    args = (f"max_pool{len(kernel)}d", numbers(shape), dtype, last)
    got = run(gg, *args, cuda, return_indices=True, **window)
    for a, b in zip(got, run(torch, *args, return_indices=True, **window), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("last", [False, True], ids=["front", "last"])
@pytest.mark.parametrize("case", [c for c in MAX if set(c[4]) == {1}], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_avg_pool_is_pytorchs(cuda, case, dtype, last):
    shape, kernel, stride, padding, _, _ = case
    for ceil, inside in itertools.product((False, True), (False, True)):
        window = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil, count_include_pad=inside)
        args = (f"avg_pool{len(kernel)}d", numbers(shape), dtype, last)
        tolerance = 2e-2 if dtype == "bfloat16" else 1e-5
        for a, b in zip(run(gg, *args, cuda, **window), run(torch, *args, **window), strict=True):
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max()))


@pytest.mark.parametrize("size", [1, 2, (3, 2), (None, 4), 5])
@pytest.mark.parametrize("name", ["adaptive_avg_pool2d", "adaptive_max_pool2d"])
def test_adaptive_pooling_is_pytorchs(cuda, name, size):
    args = (name, np.random.default_rng(2).permutation(2 * 3 * 6 * 8).reshape(2, 3, 6, 8) / 64, "float32", False)
    got, want = run(gg, *args, cuda, output_size=size), run(torch, *args, output_size=size)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_lp_pool_and_unpooling_are_pytorchs(cuda):
    x = np.abs(numbers((2, 3, 6, 6))) + 1
    lp = dict(norm_type=3, kernel_size=2)
    got, want = run(gg, "lp_pool2d", x, "float32", False, cuda, **lp), run(torch, "lp_pool2d", x, "float32", **lp)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    x = np.random.default_rng(0).permutation(72).reshape(2, 1, 6, 6).astype("float64")
    found = []
    for lib, device in ((gg, cuda), (torch, None)):
        t = arranged(lib, x, "float32", False, device)
        y, at = lib.nn.functional.max_pool2d(t, 2, return_indices=True)
        out = lib.nn.functional.max_unpool2d(y, at, 2)
        (out * out).sum().backward()
        found.append((out.detach().cpu().numpy(), t.grad.cpu().numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("last", [False, True], ids=["front", "last"])
def test_nan_infinities_ties_and_padding(cuda, last):
    inf, nan = np.inf, np.nan
    rows = np.array([[1, nan, 2, nan], [-inf, -inf, -inf, -inf], [3, 3, 3, 3], [nan, -inf, inf, inf]])
    x = np.repeat(rows.reshape(4, 1, 4), 4, axis=1)
    window = dict(kernel_size=3, stride=1, padding=1)
    out, at, gx = run(gg, "max_pool1d", x, "float32", last, cuda, return_indices=True, **window)
    np.testing.assert_array_equal(out[:, 0], [[nan] * 4, [-inf] * 4, [3] * 4, [nan, nan, inf, inf]])
    np.testing.assert_array_equal(at[:, 0], [[1, 1, 1, 3], [0, 0, 1, 2], [0, 0, 1, 2], [0, 0, 2, 2]])
    *_, want = run(torch, "max_pool1d", x[2:3], "float32", last, return_indices=True, **window)
    assert want.shape == gx[2:3].shape
    g = np.random.default_rng(1).integers(-4, 5, out.shape)
    scattered = np.zeros(x.shape)
    for n, c, o in np.ndindex(*out.shape):
        scattered[n, c, int(at[n, c, o])] += g[n, c, o]
    np.testing.assert_array_equal(gx, scattered)


@pytest.mark.parametrize("padding", [((2, 0), (0, 1)), ((0, 1), (1, 0))])
def test_asymmetric_padding(cuda, padding):
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 6))
    window = dict(kernel=(3, 2), stride=(2, 1), padding=padding)
    (a, b), (c, d) = padding
    wide = np.pad(x, ((0, 0), (0, 0), (a, b), (c, d)), constant_values=-np.inf)
    views = np.lib.stride_tricks.sliding_window_view(wide, (3, 2), (2, 3))[:, :, ::2]
    t = gg.tensor(x, device=cuda)
    np.testing.assert_array_equal(gg.max_pool(t, dilation=(1, 1), **window).numpy(), views.max((-1, -2)))
    np.testing.assert_allclose(gg.sum_pool(t, **window).numpy(), np.where(views == -np.inf, 0, views).sum((-1, -2)))


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4)])
def test_zero_sizes(cuda, shape):
    x = gg.ones(shape, device=cuda, requires_grad=True)
    for function in (gg.nn.functional.max_pool2d, gg.nn.functional.avg_pool2d):
        out = function(x, 2)
        out.sum().backward()
        assert out.shape == (*shape[:2], 2, 2) and x.grad.shape == shape


@pytest.mark.parametrize("function", ["max_pool2d", "avg_pool2d"])
def test_views(cuda, function):
    base = np.random.default_rng(0).integers(-9, 9, (2, 5, 8, 9)).astype("float32")
    x = gg.tensor(base, device=cuda)
    for ours, view in ((x[:, 1:, ::2, 1:], base[:, 1:, ::2, 1:]), (x.transpose(2, 3), base.swapaxes(2, 3))):
        want = getattr(torch.nn.functional, function)(torch.tensor(view.copy()), 2)
        np.testing.assert_allclose(getattr(gg.nn.functional, function)(ours, 2).numpy(), want.numpy())


def test_channels_last_stays_so(cuda):
    x = arranged(gg, numbers((2, 8, 6, 6)), "float32", True, cuda)
    window = dict(kernel=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)))
    for out in (gg.nn.functional.max_pool2d(x, 2), gg.sum_pool(x, **window)):
        (gx,) = gg.autograd.grad(out, x, gg.ones(out.shape, device=cuda))
        assert np.argsort(out._array.strides).tolist() == [1, 3, 2, 0] == np.argsort(gx._array.strides).tolist()


@pytest.mark.skipif(not is_emulated(), reason="needs the emulator")
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("last", [False, True], ids=["front", "last"])
def test_checked_runs_give_the_same_in_any_order(cuda, schedule, last):
    for shape, kernel, stride, padding, dilation, ceil in MAX[1:4]:
        window = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil)
        args = ("max_pool2d", np.random.default_rng(0).standard_normal(shape), "float32", last, cuda)
        want = run(gg, *args, **window)
        with options(check=True, schedule=schedule, seed=2):
            got = run(gg, *args, **window)
            run(gg, "avg_pool2d", *args[1:], kernel_size=3, stride=2, padding=1)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_kernels_ran(cuda):
    x, window = gg.ones((1, 1, 4), device=cuda), dict(kernel=(2,), stride=(2,), padding=((0, 0),))
    for name, given in {
        "max_pool": (x,), "max_pool_indices": (x,), "max_pool_scatter": (x[..., :2], x), "max_pool_gather": (x, x),
        "sum_pool": (x,), "sum_pool_adjoint": (x[..., :2],),
    }.items():  # fmt: skip
        more = {"dilation": (1,)} if name.startswith("max") else {"shape": (1, 1, 4)} if "adjoint" in name else {}
        before = OPS[name].paths["cuda"].runs
        OPS[name](*given, **window, **more)
        assert OPS[name].paths["cuda"].runs == before + 1
