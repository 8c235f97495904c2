"""Interpolation, sampling on a grid, and moving elements between space and channels, against PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_reference import compare, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.errors import DTypeError, ShapeError

TF = torch.nn.functional
RNG = np.random.default_rng(3)
SIZE = {1: (7,), 2: (7, 4), 3: (4, 3, 5)}
MODES = (
    [("nearest", d) for d in (1, 2, 3)] + [("nearest-exact", d) for d in (1, 2, 3)] + [("area", d) for d in (1, 2, 3)]
)
MODES += [("linear", 1), ("bilinear", 2), ("bicubic", 2), ("trilinear", 3)]


def normal(*shape):
    return RNG.standard_normal(shape)


@pytest.mark.parametrize(("mode", "dims"), MODES)
@pytest.mark.parametrize("align", [None, False, True])
def test_interpolate(mode, dims, align):
    if align is not None and not (mode.endswith("linear") or mode == "bicubic"):
        return
    x = normal(2, 3, *SIZE[dims])
    for how in (
        dict(size=tuple(2 * n + 1 for n in SIZE[dims])), dict(size=3), dict(size=1), dict(size=SIZE[dims]),
        dict(scale_factor=1.7), dict(scale_factor=0.6), dict(scale_factor=1.7, recompute_scale_factor=True),
        dict(scale_factor=(2.0, 0.5, 1.3)[:dims]),
    ):  # fmt: skip
        compare(F.interpolate, TF.interpolate, [x], dict(mode=mode, align_corners=align, **how))


@given(
    n=st.integers(1, 40), out=st.integers(1, 40), align=st.booleans(), antialias=st.booleans(),
    mode=st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]),
    dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_interpolate_to_any_size(n, out, align, antialias, mode, dtype):
    options: dict = dict(mode=mode, size=(out, 3))
    if not mode.startswith("nearest"):
        options |= dict(align_corners=align, antialias=antialias)
    x = np.random.default_rng(n).standard_normal((1, 2, n, 4))
    compare(F.interpolate, TF.interpolate, [x], options, dtype)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialias(mode):
    x = normal(2, 3, 17, 12)
    for how in (dict(size=(5, 30)), dict(scale_factor=0.3), dict(scale_factor=(0.4, 2.2)), dict(size=1)):
        ours = lambda x, **k: F.interpolate(x, mode=mode, antialias=True, **k)  # noqa: E731
        if mode == "lanczos":  # PyTorch has its gradient, but no float64 below
            out = TF.interpolate(torch.tensor(x), mode=mode, antialias=True, **how)
            np.testing.assert_allclose(ours(gg.tensor(x), **how).numpy(), out.numpy(), rtol=1e-6, atol=1e-7)
        else:
            compare(ours, lambda x, **k: TF.interpolate(x, mode=mode, antialias=True, **k), [x], how)


def test_interpolate_twice_differentiable(device):
    x = gg.tensor(normal(1, 1, 3, 4), device=device, requires_grad=True)
    for options in (dict(mode="bicubic", size=(5, 2)), dict(mode="bilinear", size=(2, 6), antialias=True)):
        assert gg.autograd.gradgradcheck(lambda x, o=options: F.interpolate(x * x, **o), x)


def test_interpolate_keeps_what_is_far_from_infinity():
    x = np.array([[[0.0, 1.0, 2.0, np.inf]]])
    assert np.isfinite(F.interpolate(gg.tensor(x), size=8, mode="linear").numpy()[0, 0, :5]).all()


def test_interpolate_moves_integers():
    x = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)
    ours, theirs = F.interpolate(gg.tensor(x), scale_factor=2), TF.interpolate(torch.tensor(x), scale_factor=2)
    assert ours.dtype == np.uint8
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    with pytest.raises(DTypeError, match="uint8 cannot be interpolated"):
        F.interpolate(gg.tensor(x), scale_factor=2, mode="bilinear")


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((1, 1, 4), {}, "either size or scale_factor"),
        ((1, 1, 4), dict(size=3, scale_factor=2), "either size or scale_factor"),
        ((1, 1, 4), dict(size=3, mode="bilinear"), "needs 4-d input"),
        ((1, 1, 4), dict(size=3, mode="cubic"), "mode must be one of"),
        ((1, 1, 4), dict(size=3, align_corners=True), "align_corners is for"),
        ((1, 1, 4), dict(size=3, mode="linear", antialias=True), "antialias is for"),
        ((1, 1, 4), dict(size=3, recompute_scale_factor=True), "needs a scale_factor"),
        ((1, 1, 4, 4), dict(scale_factor=(2, 2, 2)), "number or 2"),
        ((1, 1, 4, 4), dict(scale_factor=0.1), "cannot resize"),
        ((1, 1, 4, 4), dict(size=(1, 2, 3)), "2 spatial sizes"),
    ],
)
def test_interpolate_refuses(shape, options, words):
    with pytest.raises(ShapeError, match=words):
        F.interpolate(gg.ones(*shape), **options)


# Sampling on a grid


@pytest.mark.filterwarnings("ignore:Since version 1.3.0")
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (1, 1, 1, 6), (2, 1, 3, 4, 5), (1, 2, 1, 3, 1)])
@pytest.mark.parametrize("align", [False, True])
def test_affine_grid(size, align):
    theta = normal(size[0], len(size) - 2, len(size) - 1)
    compare(lambda t: F.affine_grid(t, size, align), lambda t: TF.affine_grid(t, size, align), [theta])


SAMPLED = [("bilinear", 2), ("nearest", 2), ("bicubic", 2), ("bilinear", 3), ("nearest", 3)]


@pytest.mark.filterwarnings("ignore:Default grid_sample")
@pytest.mark.parametrize(("mode", "dims"), SAMPLED)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [None, True])
def test_grid_sample(mode, dims, padding, align):
    options = dict(mode=mode, padding_mode=padding, align_corners=align)
    for scale, size in ((0.8, SIZE[dims]), (3.0, SIZE[dims]), (2.0, (1,) * dims), (2.0, (2,) * dims)):
        grid = normal(2, *(3, 5, 2)[:dims], dims) * scale
        compare(F.grid_sample, TF.grid_sample, [normal(2, 3, *size), grid], options, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:Default grid_sample")
def test_grid_sample_at_nan_and_far_away():
    x, nan = gg.tensor(normal(1, 2, 3, 4)), np.array([[[[np.nan, 0.3], [0.1, np.nan]]]])
    for padding in ("zeros", "border"):
        far = np.array([[[[1e9, -0.2], [-1e9, 1e9]]]])
        compare(F.grid_sample, TF.grid_sample, [x.numpy(), far], dict(padding_mode=padding))
        made = [F.grid_sample(x, gg.tensor(grid), padding_mode=padding) for grid in (nan, np.nan_to_num(nan, nan=-1))]
        np.testing.assert_array_equal(made[0].numpy(), made[1].numpy())


def test_an_affine_identity_gives_the_image_back():
    x = gg.tensor(normal(2, 3, 5, 4))
    theta = gg.tensor(np.array([[[1.0, 0, 0], [0, 1, 0]]] * 2))
    for align in (False, True):
        np.testing.assert_allclose(
            F.grid_sample(x, F.affine_grid(theta, x.shape, align), align_corners=align).numpy(), x.numpy(), atol=1e-12
        )


def small_sample(device="cpu"):
    rng = np.random.default_rng(0)
    values = rng.standard_normal((1, 2, 3, 3)), rng.uniform(-0.9, 0.9, (1, 1, 2, 2))
    return [gg.tensor(value, device=device, requires_grad=True) for value in values]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "reflection"])
def test_grid_sample_twice_differentiable(mode, padding):
    call = lambda x, grid: F.grid_sample(x, grid, mode, padding, False)  # noqa: E731
    assert gg.autograd.gradcheck(call, small_sample())
    assert gg.autograd.gradgradcheck(call, small_sample())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "reflection"])
def test_grid_sample_has_its_derivatives_on_each_device(mode, padding, device):
    """The numerical derivatives, thousands of calls, are the CPU's: other devices are compared with it."""

    def derivatives(device):
        x, grid = small_sample(device)
        out = F.grid_sample(x, grid, mode, padding, False)
        first = gg.autograd.grad((out**3).sum(), (x, grid), create_graph=True)
        second = gg.autograd.grad(sum((g**2).sum() for g in first), (x, grid))
        return [t.detach().cpu().numpy() for t in (out, *first, *second)]

    for got, expected in zip(derivatives(device), derivatives("cpu"), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_grid_sample_refuses():
    x = gg.ones(1, 1, 3, 3)
    with pytest.raises(ShapeError, match="expected input"):
        F.grid_sample(x, gg.ones(1, 2, 2, 3))
    with pytest.raises(ShapeError, match="mode must be one of"):
        F.grid_sample(x, gg.ones(1, 2, 2, 2), mode="linear")
    with pytest.raises(ShapeError, match="needs 4-d input"):
        F.grid_sample(gg.ones(1, 1, 2, 2, 2), gg.ones(1, 2, 2, 2, 3), mode="bicubic")
    with pytest.raises(ShapeError, match="nothing to sample"):
        F.grid_sample(gg.ones(1, 1, 0, 2), gg.ones(1, 2, 2, 2))
    with pytest.raises(ShapeError, match="theta"):
        F.affine_grid(gg.ones(1, 2, 2), (1, 1, 3, 3))


# Space, channels and columns


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_pixel_shuffle(lead):
    compare(F.pixel_shuffle, TF.pixel_shuffle, [normal(*lead, 18, 2, 5), 3])
    compare(F.pixel_unshuffle, TF.pixel_unshuffle, [normal(*lead, 2, 6, 9), 3])
    with pytest.raises(ShapeError, match="pixel_shuffle"):
        F.pixel_shuffle(gg.ones(4, 3, 3), 3)
    with pytest.raises(ShapeError, match="pixel_unshuffle"):
        F.pixel_unshuffle(gg.ones(4, 3, 3), 2)


@pytest.mark.parametrize("size", [(5,), (3, 4), (2, 3, 2)])
def test_channel_shuffle(size):
    compare(F.channel_shuffle, TF.channel_shuffle, [normal(2, 6, *size), 3])
    with pytest.raises(ShapeError, match="divisible by 4"):
        F.channel_shuffle(gg.ones(2, 6, *size), 4)


@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.integers(1, 3), padding=st.integers(0, 2),
    dilation=st.integers(1, 2), single=st.booleans(),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_unfold_and_fold(kernel, stride, padding, dilation, single):
    options = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
    x = normal(*(() if single else (2,)), 3, 6, 7)
    compare(F.unfold, TF.unfold, [x], options)
    columns = TF.unfold(torch.tensor(x), **options).numpy()
    compare(F.fold, TF.fold, [columns, (6, 7)], options)


def test_unfold_and_fold_refuse():
    with pytest.raises(ShapeError, match="does not fit"):
        F.unfold(gg.ones(1, 2, 3, 3), 4)
    with pytest.raises(ShapeError, match="windows"):
        F.fold(gg.ones(1, 4, 3), 3, 2)
    with pytest.raises(ShapeError, match="must be positive"):
        F.unfold(gg.ones(1, 2, 3, 3), 2, stride=0)
