"""The elementwise kernel against NumPy and PyTorch: accuracy, tails, layouts, special values; bias + activation."""

import numpy as np
import pytest
import torch
from accuracy import DTYPES, EPS, host, judge, ours, rounded, theirs

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.ops.elementwise.cuda.functors import KERNELS, functors

F = torch.nn.functional
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3e38, -3e38, 1e-42, np.inf, -np.inf, np.nan])
ACTIVATIONS = {
    "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
    "elu": F.elu, "leaky_relu": F.leaky_relu, "softplus": F.softplus, "hardswish": F.hardswish,
}  # fmt: skip


def draw(*shape, spread=3.0, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * spread)


def agree(op, x, function, dtype="float32", **attributes):
    g = rounded(draw(*x.shape, seed=1), dtype)
    x = rounded(x, dtype)
    got = ours(op, gg.device("cuda"), x, g, dtype, **attributes)
    judge(got, theirs(function, x, g), dtype, g)


# ---- accuracy


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_accurate(cuda, name):
    agree(OPS[name], draw(3001), ACTIVATIONS[name])
    agree(OPS[name], np.array([-1e4, -88.0, -20.0, -1e-6, 1e-6, 20.0, 88.0, 1e4]), ACTIVATIONS[name])


@pytest.mark.parametrize("name", ["exp", "log", "sin", "erf", "log1p", "expm1", "rsqrt", "arctan"])
def test_functions_are_accurate(cuda, name):
    torchs = getattr(torch, {"arctan": "atan"}.get(name, name))
    agree(OPS[name], np.abs(draw(2049)) + 1e-3, torchs)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_in_every_dtype(cuda, approximate, dtype):
    for n in (1, 7, 8, 9, 2047, 2049):
        agree(OPS["gelu"], draw(n), lambda t: F.gelu(t, approximate=approximate), dtype, approximate=approximate)


# ---- positions


@pytest.mark.parametrize("offset", [0, 1, 3])
def test_tails_and_odd_addresses(cuda, way, offset):
    for n in (0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 1023, 2047, 2048, 2049, 4099):
        x, g = rounded(draw(n), "float32"), rounded(draw(n, seed=1), "float32")
        out, gx = ours(OPS["relu"], cuda, x, g, "float32", offset=offset)
        np.testing.assert_array_equal(out, np.maximum(x, 0))
        np.testing.assert_array_equal(gx, np.where(x > 0, g, 0))


LAYOUTS = {
    "row": lambda a: (a(40, 64), a(64)), "odd row": lambda a: (a(40, 65), a(65)),
    "column": lambda a: (a(40, 64), a(40, 1)),
    "outer": lambda a: (a(33, 1), a(1, 28)), "number": lambda a: (a(7, 300), a()), "one": lambda a: (a(1, 1), a(5, 3)),
    "channels": lambda a: (a(2, 3, 8, 12), a(3, 1, 1)), "transposed": lambda a: (a(30, 20).T, a(20, 30)),
    "both transposed": lambda a: (a(30, 20).T, a(30, 20).T), "sliced": lambda a: (a(30, 41)[:, 1:], a(30, 80)[:, ::2]),
    "shifted": lambda a: (a(30, 41)[:, 1:], a(40)), "backward": lambda a: (a(30, 20)[::-1, ::-1], a(20)[::-1]),
    "permuted": lambda a: (a(3, 4, 5, 6).transpose(2, 0, 3, 1), a(5, 3, 6, 4)), "nothing": lambda a: (a(0, 4), a(4)),
    "eight axes": lambda a: (a(*[2, 1] * 4), a(*[1, 2] * 4)), "ten axes": lambda a: (a(*[2, 1] * 5), a(*[1, 2] * 5)),
}  # fmt: skip


def subtract(cuda, layout):
    random = np.random.default_rng(0)
    x, y = LAYOUTS[layout](lambda *shape: np.asarray(random.standard_normal(shape), np.float32))
    a, b = LAYOUTS[layout](lambda *shape: gg.zeros(*shape, device=cuda))
    a[...], b[...] = gg.tensor(x.copy(), device=cuda), gg.tensor(y.copy(), device=cuda)
    before = gg.subtract.paths["cuda"].runs
    np.testing.assert_array_equal((a - b).cpu().numpy(), x - y)
    np.testing.assert_array_equal((b - a).cpu().numpy(), y - x)
    assert gg.subtract.paths["cuda"].runs - before == (0 if layout == "ten axes" else 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(cuda, way, layout):
    subtract(cuda, layout)


@pytest.mark.parametrize("layout", ["odd row", "outer", "transposed", "permuted", "backward", "eight axes", "number"])
def test_more_elements_than_the_kernel_counts(cuda, monkeypatch, layout):
    monkeypatch.setattr("gpugrad.ops.elementwise.cuda.launch.MOST", 50)
    subtract(cuda, layout)


def test_the_result_keeps_the_memory_order(cuda):
    x = gg.ones(4, 3, 5, device=cuda).permute(2, 0, 1)
    assert gg.exp(x)._array.strides == x._array.strides == (x * x)._array.strides


def test_where_and_masks(cuda, way):
    x, y = (np.float32(draw(30, 64, seed=i)) for i in (0, 1))
    mask = x > 0.5
    for m in (mask, mask[0], mask[:, :1], mask[0, 0]):
        a, b, c = (gg.tensor(v, device=cuda) for v in (m, x, y))
        np.testing.assert_array_equal(gg.where(a, b, c).cpu().numpy(), np.where(m, x, y))
    x[0, 0] = np.inf
    got = OPS["keep_where"](gg.tensor(x, device=cuda), gg.tensor(~np.isinf(x), device=cuda))
    np.testing.assert_array_equal(got.cpu().numpy(), np.where(np.isinf(x), 0, x))


# ---- values


@pytest.mark.parametrize(
    "name", ["maximum", "minimum", "fmax", "fmin", "remainder", "floor_divide", "fmod", "logaddexp", "less", "equal",
             "logical_xor", "copysign", "heaviside", "hypot"],
)  # fmt: skip
def test_special_values_of_two_inputs(cuda, name):
    x, y = (np.float32(v).ravel() for v in np.meshgrid(SPECIAL, SPECIAL))
    got = OPS[name](gg.tensor(x, device=cuda), gg.tensor(y, device=cuda)).cpu().numpy()
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    assert OPS[name].paths["cuda"].runs


@pytest.mark.parametrize("name", ["sign", "absolute", "isnan", "isfinite", "isinf", "signbit", "rint", "floor", "sqrt"])
def test_special_values_of_one_input(cuda, name):
    x = np.float32(np.append(SPECIAL, [0.5, 1.5, -0.5]))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    np.testing.assert_array_equal(OPS[name](gg.tensor(x, device=cuda)).cpu().numpy(), expected)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu", "silu", "mish", "softplus", "leaky_relu", "elu"])
def test_activations_pass_nan_on_and_take_infinity(cuda, name):
    x = np.array([np.nan, np.inf, -np.inf])
    got = host(OPS[name](gg.tensor(x, device=cuda, dtype="float32")))
    expected = ACTIVATIONS[name](torch.tensor(x)).numpy()
    known = ~(np.isnan(expected) & (x < 0))  # -inf * 0, which some formulas give
    np.testing.assert_allclose(got[known], expected[known])


def test_integers_are_left_to_the_array_library(cuda):
    before = gg.add.paths["cuda"].runs
    x = gg.tensor([1, 2, 3], device=cuda)
    assert (x + x).cpu().numpy().tolist() == [2, 4, 6] and gg.add.paths["cuda"].runs == before


def test_every_functor_belongs_to_an_op():
    text = KERNELS.source.text
    declared = text.count("\nMAP(") + text.count("\nTEST(")
    assert len(functors()) == declared > 100
    for functor in functors().values():
        assert 1 <= len(functor.arrays) <= 3 and len(functor.parameters) <= 3


# ---- bias, then an activation


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "axis"), [("gelu", -1), ("relu", -1), ("relu", 1)])
def test_bias_activation(cuda, activation, axis, dtype):
    for shape in [(3, 5, 8), (70, 33), (5, 256), (2, 3), (300, 3), (4, 0), (0, 4)]:
        x, bias, g = (rounded(draw(*s, seed=i), dtype) for i, s in enumerate([shape, (shape[axis],), shape]))
        a, b = (gg.tensor(v, device=cuda, dtype=dtype, requires_grad=True) for v in (x, bias))
        gg.bias_activation(a, b, activation=activation, axis=axis).backward(gg.tensor(g, device=cuda, dtype=dtype))
        p, q = (torch.tensor(v, requires_grad=True) for v in (x, bias))
        lying = [-1 if i == axis % len(shape) else 1 for i in range(len(shape))]
        ACTIVATIONS[activation](p + q.reshape(lying)).backward(torch.tensor(g))
        for mine, reference in ((a.grad, p.grad), (b.grad, q.grad)):
            scale = np.abs(reference.numpy()).max(initial=1)
            np.testing.assert_allclose(host(mine), reference.numpy(), rtol=0, atol=4 * EPS[dtype] * scale)


def test_bias_gradients_are_the_same_bits_again_and_in_every_order(cuda, way):
    x, bias, g = (gg.tensor(np.float32(draw(*s)), device=cuda) for s in [(500, 40), (40,), (500, 40)])
    seen = set()
    for _ in range(2):
        bias.requires_grad_().grad = None
        gg.bias_activation(x, bias, activation="silu").backward(g)
        seen.add(bias.grad.cpu().numpy().tobytes())
    assert len(seen) == 1
