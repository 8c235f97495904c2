"""Elementwise ops and activations against PyTorch and numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.autograd.op import OPS
from gpugrad.backend.devices import Device
from gpugrad.errors import DTypeError, ShapeError
from gpugrad.ops import elementwise
from gpugrad.ops.elementwise import special

nan, inf = math.nan, math.inf


def compare(ours, theirs, *arrays, rtol=1e-12):
    """The values and gradients of both functions on the same float64 arrays."""
    mine = [gg.tensor(a, requires_grad=True) for a in arrays]
    its = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = ours(*mine), theirs(*its)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=rtol, atol=rtol)
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(upstream))
    expected.backward(torch.tensor(upstream))
    for x, t in zip(mine, its, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=rtol, atol=rtol)


def test_worked_example():
    x, y, z = (gg.tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
    f = (x + y) * z
    f.backward()
    assert f.item() == -12
    assert (x.grad.item(), y.grad.item(), z.grad.item()) == (-4, -4, 3)


def test_relu_worked_example():
    x = gg.tensor([1.0, -2.0, 3.0, -1.0], requires_grad=True)
    gg.relu(x).backward(gg.tensor([4.0, -1.0, 5.0, 9.0]))
    assert x.grad.tolist() == [4, 0, 5, 0]


PLAIN = [
    "absolute", "ceil", "cos", "cosh", "deg2rad", "erf", "erfc", "exp", "exp2", "expm1", "floor", "negative",
    "positive",
    "rad2deg", "round", "sigmoid", "sign", "sin", "sinh", "square", "tan", "tanh", "arcsinh", "arctan", "trunc",
]  # fmt: skip
POSITIVE = ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"]
INSIDE = ["arcsin", "arccos", "arctanh", "erfinv"]


@pytest.mark.parametrize("name", PLAIN + POSITIVE + INSIDE + ["arccosh"])
def test_unary(name):
    x = np.random.default_rng(0).uniform(-3, 3, (4, 5))
    if name in [*POSITIVE, "arccosh"]:
        x = abs(x) + (1.01 if name == "arccosh" else 0.1)
    x = x / 3.1 if name in INSIDE else x
    compare(getattr(gg, name), getattr(torch, name), x, rtol=1e-9)


BINARY = [
    "add", "subtract", "multiply", "divide", "arctan2", "hypot", "logaddexp", "maximum", "minimum", "fmax", "fmin",
    "fmod", "remainder", "copysign",
]  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    rng = np.random.default_rng(0)
    compare(getattr(gg, name), getattr(torch, name), rng.standard_normal((3, 1, 4)), rng.standard_normal((5, 1)))


@pytest.mark.parametrize("n", [-3, -2.0, -1, -0.5, 0, 0.5, 1, 2, 3, 2.5, 7, 9, 30.0])
def test_power_by_a_constant(n):
    x = np.random.default_rng(0).uniform(0.3, 2, 50) * (1 if n % 1 else -1) ** np.arange(50)
    compare(lambda t: t**n, lambda t: t**n, x)


def test_power_gradients():
    compare(gg.power, torch.pow, np.array([0.5, 1.5, 0.0]), np.array([2.0, -1.0, 3.0]))
    x = gg.tensor([0.0, 0.0, 0.0], requires_grad=True)
    (x ** gg.tensor([0.0, 1.0, 2.0])).sum().backward()
    assert x.grad.tolist() == [0, 1, 0]
    for n, expected in ((0, 0), (1, 1), (2, 0), (3, 0)):
        x = gg.tensor(0.0, requires_grad=True)
        (x**n).backward()
        assert x.grad.item() == expected
    x = gg.tensor(2.0, requires_grad=True)
    (3**x).backward()
    assert x.grad.item() == pytest.approx(9 * math.log(3))


def test_power_by_small_integers_is_a_product():
    """NumPy's power takes 300 times as long as the products, and rounds otherwise."""
    x = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32)
    t = gg.tensor(x)
    for n, product in ((3, x * x * x), (4, (x * x) * (x * x)), (-2, 1 / (x * x))):
        np.testing.assert_array_equal((t**n).numpy(), product)


@pytest.mark.parametrize("scalar", [2, 2.5, -3])
def test_python_numbers_are_weak_and_differentiate(scalar):
    for dtype in ("float32", "float16", "int32"):
        x = np.array([[1, 2, 4], [3, -5, 6]])
        mine, its = gg.tensor(x, dtype=dtype), torch.tensor(x, dtype=getattr(torch, dtype))
        for f in (
            lambda t: t + scalar, lambda t: scalar + t, lambda t: t - scalar, lambda t: scalar - t,
            lambda t: t * scalar,
            lambda t: scalar * t, lambda t: t / scalar, lambda t: scalar / t, lambda t: t > scalar,
            lambda t: scalar >= t,
            lambda t: t % scalar, lambda t: t // scalar,
        ):  # fmt: skip
            out, expected = f(mine), f(its)
            assert str(expected.dtype) == f"torch.{out.dtype}"
            np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-3 if dtype == "float16" else 1e-6)

    def mixed(t):
        return (scalar - t) * scalar / t + (t - scalar)

    compare(mixed, mixed, np.array([1.5, -2.0]))


def test_a_number_that_does_not_fit_is_an_error():
    with pytest.raises(DTypeError, match="does not fit"):
        gg.tensor([1.0]) * 10**400


def test_result_dtypes():
    i, b = gg.tensor([1, 2], dtype="int32"), gg.tensor([True, False])
    assert (i / i).dtype == gg.exp(i).dtype == gg.sqrt(b).dtype == np.float32
    assert (i + b).dtype == gg.floor(i).dtype == gg.round(i).dtype == np.int32
    assert (i < 1.5).tolist() == [True, False]
    assert (gg.tensor([1.0], dtype="float16") + gg.tensor([1.0], dtype="bfloat16")).dtype == np.float32
    with pytest.raises(DTypeError):
        b - b


def test_clip_gradients_inside_on_and_outside_the_bounds():
    x = gg.tensor([-2.0, -1.0, 0.0, 1.0, 2.0, nan], requires_grad=True)
    out = gg.clip(x, -1, 1)
    np.testing.assert_array_equal(out.detach().numpy(), [-1, -1, 0, 1, 1, nan])
    out.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0, 0]
    rng = np.random.default_rng(0)
    compare(gg.clip, torch.clamp, *(rng.standard_normal((4, 5)) for _ in range(3)))
    compare(lambda x: x.clip(min=0.1), lambda x: x.clamp(min=0.1), rng.standard_normal(9))
    compare(lambda x: x.clamp(max=0.1), lambda x: x.clamp(max=0.1), rng.standard_normal(9))


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_of_pairs_with_ties_and_nan(name):
    a, b = np.array([1.0, 2.0, nan, 3.0, -0.0]), np.array([1.0, 5.0, 1.0, nan, 0.0])
    compare(getattr(gg, name), getattr(torch, name), a[:2], b[:2])
    x = gg.tensor(a, requires_grad=True)
    out = getattr(gg, name)(x, gg.tensor(b))
    assert np.isnan(out.detach().numpy()[2:4]).all()
    out.sum().backward()
    assert x.grad.tolist()[0] == x.grad.tolist()[4] == 0.5


def test_where_keeps_what_is_not_chosen_out_of_the_gradient():
    x, y = gg.tensor([1.0, 2.0, 3.0], requires_grad=True), gg.tensor(7.0, requires_grad=True)
    out = gg.where(gg.tensor([True, False, True]), x, y)
    assert out.tolist() == [1, 7, 3]
    out.backward(gg.tensor([1.0, inf, 3.0]))
    assert x.grad.tolist() == [1, 0, 3] and y.grad.item() == inf


def test_large_masks_and_infinities():
    rng = np.random.default_rng(0)
    x, mask = rng.standard_normal((80, 90)), rng.random((80, 90)) < 0.5
    x[0, :9] = inf
    np.testing.assert_array_equal(OPS["keep_where"](x, mask).numpy(), np.where(mask, x, 0))
    np.testing.assert_array_equal(OPS["keep_where"](x.T, mask.T).numpy(), np.where(mask, x, 0).T)


def test_special_functions_to_the_last_digits():
    x = np.linspace(-6, 26, 501)
    np.testing.assert_allclose(special.erfc.forward(x), [math.erfc(v) for v in x], rtol=2e-15)
    y = np.concatenate([np.linspace(-3, 3, 99), [1e-300, 5.5]])
    np.testing.assert_allclose(special.erfinv.forward(np.array([math.erf(v) for v in y[:99]])), y[:99], rtol=1e-11)
    np.testing.assert_array_equal(gg.erfinv([-1.0, 0.0, 1.0, 1.5]).numpy(), [-inf, 0, inf, nan])
    assert gg.erfc([0.5]).dtype == np.float32


def test_infinite_values_have_no_nan_gradients():
    x = gg.tensor([-inf, 1000.0, -1000.0], requires_grad=True)
    gg.logaddexp(x, gg.tensor([-inf, 0.0, 0.0])).sum().backward()
    assert x.grad.tolist() == [0, 1, 0]
    h = gg.tensor([0.0], requires_grad=True)
    gg.hypot(h, 0.0).backward()
    assert h.grad.tolist() == [0]
    s = gg.tensor([-1000.0, 1000.0], requires_grad=True)
    out = gg.sigmoid(s)
    out.sum().backward()
    assert out.tolist() == [0, 1] and s.grad.tolist() == [0, 0]


def test_predicates_and_logic():
    x, y = np.array([0.0, -0.0, inf, -inf, nan, 1.0]), np.array([0.0, 1.0, inf, inf, nan, nan])
    for name in ("isnan", "isinf", "isfinite", "signbit", "logical_not"):
        np.testing.assert_array_equal(getattr(gg, name)(x).numpy(), getattr(np, name)(x))
    comparisons = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    for name in (*comparisons, "logical_and", "logical_or", "logical_xor", "isclose"):
        np.testing.assert_array_equal(getattr(gg, name)(x, y).numpy(), getattr(np, name)(x, y))
    i, j = np.array([5, -3, 8]), np.array([3, 2, 1])
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
        np.testing.assert_array_equal(getattr(gg, name)(i, j).numpy(), getattr(np, name)(i, j))
    assert (~gg.tensor([0, 5])).tolist() == [-1, -6] and (~gg.tensor([True])).tolist() == [False]
    assert gg.allclose([1.0], [1.0 + 1e-7]) and not gg.allclose([1.0], [1.1])
    assert gg.array_equal([1, 2], [1.0, 2.0]) and not gg.array_equal([1, 2], [1, 2, 3])
    with pytest.raises(DTypeError):
        gg.bitwise_and(gg.tensor([1.0]), 1)
    with pytest.raises(ShapeError, match=r"less.*\(2,\).*\(3,\)"):
        gg.less(gg.zeros(2), gg.zeros(3))


def test_nan_to_num_and_rounding():
    x = gg.tensor([nan, inf, -inf, 2.5], requires_grad=True)
    out = gg.nan_to_num(x, nan=1.0, posinf=9.0)
    assert out.tolist() == [1, 9, float(np.finfo(np.float32).min), 2.5]
    out.sum().backward()
    assert x.grad.tolist() == [0, 0, 0, 1]
    assert gg.round([0.5, 1.5, -2.5]).tolist() == [0, 2, -2]
    assert gg.round(gg.tensor([123, 155]), decimals=-1).tolist() == [120, 160]
    assert gg.heaviside([-1.0, 0.0, 2.0], 0.5).tolist() == [0, 0.5, 1]


def test_astype_and_copy():
    x = gg.tensor([1.5, -2.5], dtype="float32", requires_grad=True)
    (x.astype("float64") * gg.tensor([2.0, 3.0], dtype="float64")).sum().backward()
    assert x.grad.tolist() == [2, 3] and x.grad.dtype == np.float32
    assert not x.astype("int64").requires_grad and x.astype("int64").tolist() == [1, -2]
    c = x.clone()
    c.sum().backward()
    assert c._array is not x._array and x.grad.tolist() == [3, 4]


class _OtherMemory(Device):
    """A device on the host that only copies in and out."""

    def asarray(self, array, dtype=None):
        return np.array(array, dtype)


def test_transfer_carries_the_gradient_back():
    other = _OtherMemory("cpu", 1, "other")
    x = gg.tensor([1.0, 2.0], requires_grad=True)
    y = x.to(device=other)
    assert y.device is other and not np.shares_memory(y._array, x._array)
    (y * y + y).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [6, 8] and x.grad.device is x.device
    z = x.to(device=other).to(device="cpu") ** 3
    (first,) = gg.grad(z.sum(), x, create_graph=True)
    (second,) = gg.grad(first.sum(), x)
    assert second.tolist() == [6, 12] and second.device is x.device


F = torch.nn.functional
ACTIVATIONS = [
    ("relu", {}), ("relu6", {}), ("leaky_relu", {}), ("leaky_relu", {"negative_slope": 0.3}), ("elu", {}),
    ("elu", {"alpha": 0.5}),
    ("celu", {"alpha": 0.5}), ("selu", {}), ("gelu", {}), ("gelu", {"approximate": "tanh"}), ("silu", {}), ("mish", {}),
    ("softplus", {}), ("softplus", {"beta": 3.0, "threshold": 5.0}), ("softsign", {}), ("hardtanh", {}),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}), ("hardsigmoid", {}), ("hardswish", {}), ("logsigmoid", {}),
    ("tanhshrink", {}),
    ("softshrink", {}), ("softshrink", {"lambd": 0.1}), ("hardshrink", {}),
    ("threshold", {"threshold": 0.1, "value": 20.0}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given"), ACTIVATIONS, ids=lambda v: v if isinstance(v, str) else "-".join(v))
def test_activations(name, given):
    x = np.concatenate([np.linspace(-7, 7, 43), [-0.5, 0.5, 3.0, -3.0, 6.0, 1.0, -1.0, 0.0, -60.0, 60.0]])
    theirs = {"logsigmoid": F.logsigmoid}.get(name) or getattr(F, name)
    for values in (x, np.tile(x, 40)):
        compare(lambda t: getattr(elementwise, name)(t, **given), lambda t: theirs(t, **given), values, rtol=1e-7)


def test_gelu_names_its_forms():
    with pytest.raises(ShapeError, match='approximate is "none" or "tanh"'):
        elementwise.gelu(gg.zeros(3), approximate="fast")


@pytest.mark.parametrize(
    "shapes",
    [
        ((3, 4), (3, 4)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 1), (1, 4)), ((3, 4), ()), ((), (3, 4)),
        ((3, 600), (3, 1)), ((3, 600), (600,)),
    ],
)  # fmt: skip
def test_results_of_large_arrays(shapes, monkeypatch):
    monkeypatch.setattr("gpugrad.autograd.ufunc._LARGE", 0)
    monkeypatch.setattr("gpugrad.backend.cpu.memory.LARGE", 0)
    x, y = (np.random.default_rng(0).standard_normal(shape) for shape in shapes)
    for op in (np.add, np.multiply, np.less):
        given = op(gg.tensor(x), gg.tensor(y)).numpy()
        np.testing.assert_array_equal(given, op(x, y))
        assert given.dtype == op(x, y).dtype
    np.testing.assert_array_equal((2 - gg.tensor(x)).numpy(), 2 - x)
    assert np.getbufsize() == 8192  # the user's


def test_gelu_keeps_digits_where_it_is_small():
    x = np.linspace(-5, -0.01, 2000, dtype=np.float32)
    exact = torch.nn.functional.gelu(torch.tensor(x, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(gg.gelu(gg.tensor(x)).numpy(), exact, rtol=1e-2)
