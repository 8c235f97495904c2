"""Batch norm on cuda: near to what NumPy makes of it in extended precision."""

import numpy as np
import pytest
from accuracy import DTYPES, near, rounded, torch

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda import is_emulated
from gpugrad.backend.cuda.emulator.options import SCHEDULES, options

# One channel, planes that vectors do not divide, several shares of a channel, no planes, many channels.
SHAPES = [(4, 3, 5), (2, 1, 4, 4), (3, 2, 7, 7), (2, 2, 3, 2, 4), (3, 2, 60, 64), (5, 3), (9, 72), (700, 33), (600, 64)]


def reference(x, weight, bias, g, eps):
    """Output, gradients of x, weight and bias, mean and variance, in extended precision."""
    x, g, weight, bias = (np.asarray(a, np.longdouble) for a in (x, g, weight, bias))
    axes, wide = (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))
    mean, var = x.mean(axes), x.var(axes)
    rstd = 1 / np.sqrt(var + eps)
    xhat = (x - mean.reshape(wide)) * rstd.reshape(wide)
    h = g - g.mean(axes).reshape(wide) - xhat * (g * xhat).mean(axes).reshape(wide)
    out = xhat * weight.reshape(wide) + bias.reshape(wide)
    return out, h * (weight * rstd).reshape(wide), (g * xhat).sum(axes), g.sum(axes), mean, var


def kind(lib, dtype):
    return gg.bfloat16 if lib is gg and dtype == "bfloat16" else getattr(lib, dtype)


def tensors(lib, arrays, dtype, last, device):
    """Leaves x, weight, bias, and g; x and g with channels last in memory if `last`."""
    where = {} if device is None else {"device": device}
    made = [lib.tensor(np.asarray(a, np.float64), **where).to(kind(lib, dtype)) for a in arrays]
    if last:
        axes = range(made[0].ndim)
        order = [0, *axes[2:], 1]
        back = np.argsort(order).tolist()
        made = [a.permute(*order).contiguous().permute(*back) if a.ndim > 1 else a for a in made]
    return [a.detach().requires_grad_() for a in made[:3]] + [made[3]]


def run(lib, arrays, dtype, eps, last=False, device=None):
    x, weight, bias, g = tensors(lib, arrays, dtype, last, device)
    out = lib.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    out.backward(g)
    return [a.detach().to(lib.float64).cpu().numpy() for a in (out, x.grad, weight.grad, bias.grad)]


def given(shape, dtype, scale=1.0, shift=0.0):
    rng = np.random.default_rng(sum(shape))
    arrays = [rng.standard_normal(s) for s in (shape, shape[1], shape[1], shape)]
    arrays[0] = arrays[0] * scale + shift
    return [rounded(a, dtype) for a in arrays]


def check(device, arrays, dtype, eps, last=False):
    found = zip(("out", "gx", "gweight", "gbias"), run(gg, arrays, dtype, eps, last, device), strict=True)
    for (name, got), want in zip(found, reference(*arrays, eps), strict=False):
        # Sums over a channel may differ by what rounding makes of a random walk, even where they come to nearly 0.
        walk = np.sqrt(arrays[0].size / arrays[0].shape[1]) if name in ("gweight", "gbias") else 0
        near(got, want, dtype, walk, name)


@pytest.mark.parametrize("last", [False, True], ids=["front", "last"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_accuracy(cuda, shape, dtype, last):
    if dtype != "float32" and np.prod(shape) > 3000 or last and len(shape) == 2:
        pytest.skip("the same code as another case")
    check(cuda, given(shape, dtype), dtype, 1e-5, last)


@pytest.mark.parametrize("shape", [(3, 2, 60), (40, 3), (3, 4, 8)], ids=str)
@pytest.mark.parametrize("scale, shift", [(1e-3, 1e4), (0, 1e4), (0, 0.1), (1, 1e30), (1e-30, 0)])
def test_hard_channels(cuda, shape, scale, shift):
    check(cuda, given(shape, "float32", scale, shift), "float32", 1e-12, last=shape == (3, 4, 8))


def test_a_variance_that_overflows_gives_the_bias(cuda):
    arrays = given((3, 2, 60), "float32", 1e30)
    out, gx, gweight, _ = run(gg, arrays, "float32", 1e-5, device=cuda)
    assert (out == arrays[2].reshape(1, 2, 1)).all() and (gx == 0).all() and (gweight == 0).all()


def test_spread_survives_a_large_mean(cuda):
    arrays = given((3, 2, 50, 50), "float32", 1e-3, 1e4)
    for a, want in zip(run(gg, arrays, "float32", 1e-12, device=cuda), reference(*arrays, 1e-12), strict=False):
        np.testing.assert_allclose(a, want, rtol=2e-5, atol=2e-5 * float(np.abs(want).max()))


def test_statistics_are_outputs_with_gradients(cuda):
    arrays = given((4, 3, 6), "float64")
    x, weight, bias, g = tensors(gg, arrays, "float64", False, cuda)
    out, mean, var = gg.batch_norm(x, weight, bias, eps=1e-5)
    want = reference(*arrays, 1e-5)
    for a, b in zip((out, mean, var), (want[0], *want[4:]), strict=True):
        np.testing.assert_allclose(a.detach().cpu().numpy(), b.astype(float), rtol=1e-12)
    ((out * g).sum() + (mean * gg.tensor([1.0, 2, 3], dtype="float64", device=cuda)).sum() + (var * 5).sum()).backward()
    extra = (np.array([1.0, 2, 3]) + 10 * (arrays[0].transpose(0, 2, 1) - arrays[0].mean((0, 2)))) / 24
    np.testing.assert_allclose(x.grad.cpu().numpy(), want[1].astype(float) + extra.transpose(0, 2, 1), rtol=1e-10)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_running_statistics_are_pytorchs(cuda, dtype, last):
    x = np.random.default_rng(0).standard_normal((6, 8, 3, 5)).astype("float32") + 2
    shown = gg.tensor(x, device=cuda, dtype=dtype)
    shown = shown.transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2) if last else shown
    ours, theirs = gg.nn.BatchNorm2d(8, device=cuda, dtype=dtype), torch.nn.BatchNorm2d(8)
    for _ in range(3):
        with gg.cuda.launches() as ran:
            ours(shown)
        theirs(torch.tensor(shown.cpu().to(dtype="float32").numpy()))
        assert [name.partition("<")[0] for name in ran.kernels] == ["batch_norm_moments", "batch_norm_forward"]
        assert not ran.arrays and not ran.fills, ran
    rough = 2e-2 if dtype == "bfloat16" else 1e-5
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        got = getattr(ours, name).cpu().to(dtype="float64").numpy()
        np.testing.assert_allclose(got, getattr(theirs, name).numpy(), rtol=rough)
    got = ours.eval()(shown).detach().cpu().to(dtype="float32").numpy()
    np.testing.assert_allclose(got, theirs.eval()(torch.tensor(x)).detach().numpy(), rtol=rough, atol=10 * rough)


def test_running_statistics_of_another_dtype_or_layout(cuda):
    """The kernel moves those in float32 beside 16-bit images, the array library those that the kernel cannot reach."""
    x = gg.tensor(np.random.default_rng(0).standard_normal((6, 4, 3)), device=cuda, dtype="bfloat16")
    images = torch.tensor(x.cpu().to(dtype="float32").numpy())
    for dtype, step in (("float32", 1), ("float32", 2), ("float64", 1), ("bfloat16", 2)):
        mean, var = (gg.zeros(4 * step, device=cuda, dtype=dtype)[::step] for _ in range(2))
        gg.nn.functional.batch_norm(x, mean, var, training=True, momentum=0.3)
        want = torch.zeros(4), torch.zeros(4)
        torch.nn.functional.batch_norm(images, *want, training=True, momentum=0.3)
        for ours, theirs in zip((mean, var), want, strict=True):
            got = ours.cpu().to(dtype="float64").numpy()
            np.testing.assert_allclose(got, theirs.numpy(), rtol=1e-2, atol=1e-3)


def test_running_statistics_that_do_not_fit(cuda):
    x, short = gg.ones(4, 3, device=cuda), gg.zeros(2, device=cuda)
    with pytest.raises(gg.errors.ShapeError, match="running_var"):
        gg.nn.functional.batch_norm(x, None, short, training=True)
    with pytest.raises(gg.errors.DeviceError, match="running_mean"):
        gg.nn.functional.batch_norm(x, gg.zeros(3), None, training=True)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(2, 4, 3, 5), (3, 4), (1, 4, 70, 80)], ids=str)
def test_group_norm_is_pytorchs(cuda, shape, groups):
    arrays = given(shape, "float32")
    found = []
    for lib, device in ((gg, cuda), (torch, None)):
        x, weight, bias, g = tensors(lib, arrays, "float32", False, device)
        out = lib.nn.functional.group_norm(x, groups, weight, bias)
        out.backward(g)
        found.append([a.detach().cpu().numpy() for a in (out, x.grad, weight.grad, bias.grad)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * max(1, np.abs(b).max()))


def test_channels_last_stays_so(cuda):
    x, weight, bias, g = tensors(gg, given((2, 8, 3, 5), "float32"), "float32", True, cuda)
    out = gg.batch_norm(x, weight, bias, eps=1e-5)[0]
    (gx,) = gg.autograd.grad(out, x, g)
    assert out._array.strides == gx._array.strides == x._array.strides


@pytest.mark.parametrize("shape", [(7, 40), (3, 2, 50, 50), (2, 8, 9)], ids=str)
def test_an_offset_that_is_not_aligned(cuda, shape):
    size = int(np.prod(shape))
    flat = gg.tensor(np.random.default_rng(1).standard_normal(size + 1), dtype="float32", device=cuda)
    got = gg.batch_norm(flat[1:].reshape(shape), eps=1e-5)[0].numpy()
    ones = np.ones(shape[1])
    want = reference(flat.numpy()[1:].reshape(shape), ones, 0 * ones, np.zeros(shape), 1e-5)[0]
    np.testing.assert_allclose(got, want.astype(float), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not is_emulated(), reason="needs the emulator")
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("shape, last", [((300, 40), True), ((3, 2, 50, 50), False), ((5, 8, 30), True)])
def test_the_same_bits_in_any_order(cuda, shape, last, check):
    found = []
    for schedule in SCHEDULES[check:]:  # check mode takes ten times as long, and two orders may differ
        with options(check=check, schedule=schedule, seed=5):
            found.append(run(gg, given(shape, "float32"), "float32", 1e-5, last, cuda))
    assert all((a == b).all() for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_an_empty_batch_has_no_moments(cuda):
    y, mean, var = gg.batch_norm(gg.ones((0, 3), device=cuda), eps=1e-5)
    assert y.shape == (0, 3)
    assert np.isnan(mean.cpu().numpy()).all() and np.isnan(var.cpu().numpy()).all()


def test_the_kernels_ran(cuda):
    path = OPS["batch_norm"].paths["cuda"]
    before = path.runs
    gg.batch_norm(gg.ones((2, 3), device=cuda), eps=1e-5)
    assert path.runs == before + 1
