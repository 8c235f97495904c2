"""Layer norm and RMS norm on cuda: near to what NumPy makes of them in extended precision."""

import numpy as np
import pytest
from accuracy import DTYPES, near, rounded

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.cuda import is_emulated
from gpugrad.backend.cuda.emulator.options import SCHEDULES, options

# Rows and width: a warp, several warps and pieces left over in it, a block, rows that registers do not hold, by
# vectors and one by one; more rows than a backward has teams; a warp that keeps much of a row.
SHAPES = [
    (9, 1), (3, 31), (2, 32), (5, 255), (3, 512), (2, 514), (5, 768), (2, 1030), (1, 8200), (1, 8197), (1, 16392),
    (2120, 4),
]  # fmt: skip


def reference(x, weight, bias, g, eps, centre):
    """Output and gradients of x, weight and bias in extended precision, rows (M, K); without bias if not `centre`."""
    x, weight, g = (np.asarray(a, np.longdouble) for a in (x, weight, g))
    c = x - x.mean(1, keepdims=True) if centre else x
    rstd = 1 / np.sqrt((c * c).mean(1, keepdims=True) + eps)
    xhat, h = c * rstd, g * weight
    mean = h.mean(1, keepdims=True) if centre else 0
    gx = rstd * (h - mean - xhat * (h * xhat).mean(1, keepdims=True))
    return xhat * weight + (bias if centre else 0), gx, (g * xhat).sum(0), g.sum(0)


def run(device, x, weight, bias, g, dtype, eps, centre):
    """The same from gpugrad, as float64 arrays."""
    x, weight, bias, g = (gg.tensor(a, device=device, dtype=dtype) for a in (x, weight, bias, g))
    for leaf in (x, weight, bias):
        leaf.requires_grad_()
    shape = tuple(x.shape[1:])
    if centre:
        out = gg.nn.functional.layer_norm(x, shape, weight, bias, eps)
    else:
        out = gg.nn.functional.rms_norm(x, shape, weight, eps)
    out.backward(g)
    found = [out.detach(), x.grad, weight.grad, *([bias.grad] if centre else [])]
    return [a.to(gg.float64).cpu().numpy() for a in found]


def given(rows, width, dtype, scale=1.0, shift=0.0):
    rng = np.random.default_rng(rows * 7 + width)
    x = rng.standard_normal((rows, width)) * scale + shift
    return [rounded(a, dtype) for a in (x, *rng.standard_normal((2, width)), rng.standard_normal((rows, width)))]


def check(device, arrays, dtype, eps, centre):
    found = zip(("out", "gx", "gweight", "gbias"), run(device, *arrays, dtype, eps, centre), strict=False)
    for (name, got), want in zip(found, reference(*arrays, eps, centre), strict=False):
        near(got, want, dtype, name=name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("centre", [True, False], ids=["layer", "rms"])
def test_accuracy(cuda, shape, dtype, centre):
    if dtype != "float32" and shape[0] * shape[1] > 3000:
        pytest.skip("the same code as for float32")
    check(cuda, given(*shape, dtype), dtype, 1e-5, centre)


@pytest.mark.parametrize("width", [96, 97, 16400])
@pytest.mark.parametrize("scale, shift", [(1e-3, 1e4), (0, 1e4), (0, 0.1), (1, 1e15), (1e15, 0), (1e-30, 0)])
def test_hard_rows(cuda, width, scale, shift):
    arrays = given(2, width, "float32", scale, shift)
    check(cuda, arrays, "float32", 1e-12, True)
    check(cuda, arrays, "float32", 1e-12, False)


@pytest.mark.parametrize("width", [96, 97, 16400])
def test_squares_that_overflow_give_the_bias(cuda, width):
    arrays = given(2, width, "float32", 1e30)
    for centre in (True, False):
        out, gx, gweight, *_ = run(cuda, *arrays, "float32", 1e-12, centre)
        assert (out == (arrays[2] if centre else 0)).all() and (gx == 0).all() and (gweight == 0).all()


def test_spread_survives_a_large_mean(cuda):
    arrays = given(3, 512, "float32", 1e-3, 1e4)
    got = run(cuda, *arrays, "float32", 1e-12, True)
    for a, want in zip(got, reference(*arrays, 1e-12, True), strict=True):
        np.testing.assert_allclose(a, want, rtol=2e-5, atol=2e-5 * np.abs(want).max())


def test_long_rows_without_weights(cuda):
    arrays = given(3, 9001, "float32", 2.0, 50.0)
    x = gg.tensor(arrays[0], dtype="float32", device=cuda, requires_grad=True)
    out = gg.layer_norm(x.reshape(3, 1, 9001), ndim=2, eps=1e-5)
    out.backward(gg.tensor(arrays[3], dtype="float32", device=cuda).reshape(3, 1, 9001))
    want = reference(arrays[0], np.ones(9001), 0, arrays[3], 1e-5, True)
    for a, b in zip((out.detach(), x.grad), want[:2], strict=True):
        np.testing.assert_allclose(a.numpy().reshape(3, -1), b.astype(float), rtol=1e-5, atol=1e-5)


def test_float16_sums_do_not_overflow(cuda):
    x = gg.full((2, 4096), 60000.0, dtype="float16", device=cuda)
    assert (gg.nn.functional.rms_norm(x, (4096,), None, 1e-6).numpy() == 1).all()
    assert (gg.nn.functional.layer_norm(x, (4096,), None, None, 1e-6).numpy() == 0).all()


@pytest.mark.parametrize("view", ["offset", "columns", "transposed"])
@pytest.mark.parametrize("width", [12, 13])
def test_views_that_are_not_aligned(cuda, view, width):
    rng = np.random.default_rng(3)
    if view == "offset":
        x = gg.tensor(rng.standard_normal(5 * width + 1), dtype="float32", device=cuda)[1:].reshape(5, width)
    elif view == "columns":
        x = gg.tensor(rng.standard_normal((5, width + 1)), dtype="float32", device=cuda)[:, 1:]
    else:
        x = gg.tensor(rng.standard_normal((width, 5)), dtype="float32", device=cuda).T
    weight = gg.tensor(rng.standard_normal(width + 1), dtype="float32", device=cuda)[1:]
    got = gg.layer_norm(x, weight, None, ndim=1, eps=1e-5).numpy()
    ones = np.ones((5, width))
    want = reference(x.numpy(), weight.numpy(), 0, ones, 1e-5, True)[0]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape, ndim", [((0, 5), 1), ((3, 0), 1), ((2, 0, 4), 2), ((0, 600), 1), ((4, 1), 1)])
def test_zero_sizes_and_single_elements(cuda, shape, ndim):
    inner = shape[len(shape) - ndim :]
    x, weight, bias = (gg.ones(s, device=cuda, requires_grad=True) for s in (shape, inner, inner))
    out = gg.layer_norm(x, weight, bias, ndim=ndim, eps=1e-5)
    out.sum().backward()
    assert out.shape == x.grad.shape == shape
    assert (weight.grad.numpy() == 0).all() and (x.grad.numpy() == 0).all()
    assert (bias.grad.numpy() == shape[0]).all() or 0 in inner


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("width", [40, 41, 16400])
def test_added_norm_is_the_norm_of_the_sum(cuda, name, dtype, width):
    rng = np.random.default_rng(width)
    made = [gg.tensor(rng.standard_normal(s), device=cuda).to(dtype=dtype) for s in [(3, width)] * 4 + [(width,)]]
    *inputs, g, g_sum, weight = made
    for leaf in (*inputs, weight):
        leaf.requires_grad_()
    out, total = OPS[f"add_{name}"](*inputs, weight, ndim=1, eps=1e-5)
    gg.autograd.backward([out, total], [g, g_sum])
    plain = (inputs[0] + inputs[1]).detach().requires_grad_()
    factor = weight.detach().requires_grad_()
    want = OPS[name](plain, factor, ndim=1, eps=1e-5)
    want.backward(g)
    assert bool((out == want).all()) and bool((total == plain).all())
    assert (weight.grad.numpy() == factor.grad.numpy()).all()
    expected = plain.grad.numpy().astype(np.float64) + g_sum.numpy().astype(np.float64)
    for leaf in inputs:
        tolerance = 1e-2 if dtype == "bfloat16" else 1e-6
        np.testing.assert_allclose(leaf.grad.numpy().astype(np.float64), expected, rtol=tolerance, atol=tolerance)


def test_added_norm_without_a_gradient_for_its_input(cuda):
    x, residual = gg.ones((2, 4), device=cuda), gg.tensor(np.arange(8.0).reshape(2, 4), device=cuda, requires_grad=True)
    out, total = gg.add_layer_norm(x, residual, ndim=1, eps=1e-5)
    (out[:, 0] + total[:, 1]).sum().backward()
    plain = residual.detach().requires_grad_()
    (gg.layer_norm(plain + 1, ndim=1, eps=1e-5)[:, 0] + plain[:, 1]).sum().backward()
    np.testing.assert_allclose(residual.grad.numpy(), plain.grad.numpy(), rtol=1e-6, atol=1e-7)
    with pytest.raises(gg.errors.ShapeError, match="residual"):
        gg.add_layer_norm(x, residual[:1], ndim=1, eps=1e-5)


@pytest.mark.skipif(not is_emulated(), reason="needs the emulator")
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("shape", [(11, 33), (3, 1028), (1, 8201), (1, 17000), (40, 8)], ids=str)
def test_the_same_bits_in_any_order(cuda, shape, check):
    if check and shape[1] > 10_000:
        pytest.skip("slow, and the code of a shorter row that registers do not hold")
    arrays = given(*shape, "float32")
    for centre in (True, False):
        found = []
        for schedule in SCHEDULES[check:]:  # check mode takes ten times as long, and two orders may differ
            with options(check=check, schedule=schedule, seed=5):
                found.append(run(cuda, *arrays, "float32", 1e-5, centre))
        assert all((a == b).all() for other in found[1:] for a, b in zip(found[0], other, strict=True))


def test_the_kernels_ran(cuda):
    for name in ("layer_norm", "rms_norm", "add_layer_norm", "add_rms_norm"):
        path, x = OPS[name].paths["cuda"], gg.ones((2, 3), device=cuda)
        before = path.runs
        OPS[name](x, *([x] if name.startswith("add") else []), ndim=1, eps=1e-5)
        assert path.runs == before + 1
