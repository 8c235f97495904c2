"""Gradients at kinks, infinities, zeros and saturated probabilities: PyTorch's, or by hand where PyTorch has NaN."""

import warnings
from itertools import product

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.autograd.check.checks import check_op
from gpugrad.autograd.check.samples import Sampler
from gpugrad.autograd.op import OPS, op, xp

torch = pytest.importorskip("torch")
F, T = nn.functional, torch.nn.functional
INF, NAN = np.inf, np.nan


def gradients(lib, function, arrays, **kwargs):
    """The gradients of the sum of all outputs."""
    leaves = [lib.tensor(np.asarray(a, float), requires_grad=True) for a in arrays]
    with np.errstate(all="ignore"):
        out = function(*leaves, **kwargs)
        out = out[0] if isinstance(out, tuple) else out
        found = lib.autograd.grad(out.sum(), leaves, allow_unused=True)
    zeros = [np.zeros(np.shape(a)) for a in arrays]
    return [z if g is None else (g + 0).numpy() for g, z in zip(found, zeros, strict=True)]


def second(lib, function, array):
    """The derivative of the sum of the first derivatives."""
    x = lib.tensor(np.asarray(array, float), requires_grad=True)
    (g,) = lib.autograd.grad(function(x).sum(), x, create_graph=True)
    return lib.autograd.grad(g.sum(), x)[0].detach().numpy()


# All samples that are declared to be at special points, where PyTorch has the op

DIM = {"axis": "dim", "keepdims": "keepdim"}


def torch_named(name):
    return lambda *args, **kwargs: getattr(torch, name)(*args, **{DIM.get(k, k): v for k, v in kwargs.items()})


def activation(name):
    return lambda x, **kwargs: getattr(T, name)(x, **kwargs)


TWINS = {
    **{name: torch_named(name) for name in (
        "hypot", "logaddexp", "logsumexp", "logcumsumexp", "nan_to_num", "floor", "ceil", "trunc", "round", "maximum",
        "minimum", "fmax", "fmin", "sum", "mean", "prod", "heaviside", "sigmoid", "cumsum", "cumprod",
    )},
    **{name: activation(name) for name in (
        "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "softplus", "logsigmoid",
        "softsign", "hardtanh", "hardsigmoid", "hardswish", "tanhshrink", "softshrink", "hardshrink", "threshold",
    )},
    "absolute": torch.abs, "arctan2": torch.atan2, "power": torch.pow, "rint": torch.round,
    "clip": torch.clamp,
    "max": lambda x, **kw: torch.amax(x, **{DIM[k]: v for k, v in kw.items()}),
    "min": lambda x, **kw: torch.amin(x, **{DIM[k]: v for k, v in kw.items()}),
    "cummax": lambda x, axis: torch.cummax(x, axis)[0],
    "cummin": lambda x, axis: torch.cummin(x, axis)[0],
    "quantile": lambda x, q: torch.quantile(x, torch.tensor(q, dtype=x.dtype)),
    "median": lambda x, axis=None: torch.quantile(x, 0.5, axis),
    "std": lambda x, axis: torch.std(x, axis, correction=0),
    "sort": lambda x, **kw: torch.sort(x, stable=True)[0],
    "topk": lambda x, k: torch.topk(x, k)[0],
    "vector_norm": lambda x, ord=2: torch.linalg.vector_norm(x, ord),
    "binary_cross_entropy_elements": lambda x, t: T.binary_cross_entropy(x, t, reduction="none"),
    "keep_where": lambda x, mask: torch.where(torch.tensor(mask), x, 0.0),
    "det": torch.linalg.det,
    "pinv": torch.linalg.pinv,
    "cross_entropy_rows": lambda x, t, **kw: T.cross_entropy(x, torch.tensor(t), **kw),
    "embedding": lambda i, w, padding_idx: T.embedding(torch.tensor(i), w, padding_idx),
}  # fmt: skip

# Where both are right, or ours is: what PyTorch gives there instead, and why that is not taken over.
OTHERS = {
    "arctan2": "underflow of x^2 + y^2 gives 0",
    "hypot": "NaN at the origin",
    "logaddexp": "NaN for equal infinities, and 1 + 1 for equal numbers so large that log 2 is lost",
    "logsumexp": "the same",
    "logcumsumexp": "the same",
    "max": "NaN throughout beside a NaN",
    "min": "the same",
    "cummax": "the first of equal values, and others after a NaN",
    "cummin": "the same",
    "clip": "0 for all three where the bounds meet away from x",
    "binary_cross_entropy_elements": "the target's gradient is infinite, although the logarithms are cut off",
    "topk": "others of equal values",
    "det": "0 where the matrix is exactly singular",
}


def special_samples():
    for name in sorted(OPS):
        declared = OPS[name].samples if OPS[name].__module__.startswith("gpugrad.") else None
        for i, case in enumerate(declared(Sampler()) if declared else ()):
            if not case.smooth and not case.symmetric:
                yield pytest.param(name, case, id=f"{name}-{i}")


@pytest.mark.parametrize(("name", "case"), list(special_samples()))
def test_declared_samples(name, case):
    if name not in TWINS:
        pytest.skip(f"PyTorch has no {name}")
    floats = [k for k, a in enumerate(case.args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

    def with_floats(lib, function):
        def call(*leaves):
            args = list(case.args)
            for k, leaf in zip(floats, leaves, strict=True):
                args[k] = leaf
            return function(*args, **case.kwargs)

        return gradients(lib, call, [case.args[k] for k in floats])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = with_floats(gg, OPS[name])
        try:
            want = with_floats(torch, TWINS[name])
        except RuntimeError as error:
            pytest.skip(f"PyTorch: {error}")
    for a, b in zip(got, want, strict=True):
        same = np.isclose(a, b, rtol=1e-7, atol=1e-12) | (np.isnan(a) & np.isnan(b))
        assert same.all() or name in OTHERS, f"{a} is not {b}"


# By hand, in the words of the functions themselves


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_binary_cross_entropy_of_saturated_probabilities(dtype):
    p, t = np.array([0.0, 1.0, 0.0, 1.0, 0.5]), np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    x = gg.tensor(p, dtype=dtype, requires_grad=True)
    (g,) = gg.autograd.grad(F.binary_cross_entropy(x, gg.tensor(t, dtype=dtype), reduction="sum"), x)
    np.testing.assert_allclose(g.numpy(), [0, 0, -1e12, 1e12, -2], rtol=1e-6)
    y = torch.tensor(p, dtype=getattr(torch, dtype), requires_grad=True)
    T.binary_cross_entropy(y, torch.tensor(t, dtype=y.dtype), reduction="sum").backward()
    np.testing.assert_allclose(g.numpy(), y.grad.numpy(), rtol=1e-6)


def test_losses_of_nothing_but_ignored_rows_have_no_gradient():
    for loss in (F.nll_loss, F.cross_entropy):
        x = gg.tensor(np.ones((2, 3)), requires_grad=True)
        out = loss(x, gg.tensor([1, 1]), ignore_index=1)
        assert np.isnan(out.item())
        (g,) = gg.autograd.grad(out, x, create_graph=True)
        np.testing.assert_array_equal(g.detach().numpy(), np.zeros((2, 3)))
        (g,) = gg.autograd.grad(loss(x, gg.tensor([1, 0]), ignore_index=1), x)
        assert np.isfinite(g.numpy()).all()


def test_infinite_exponents_take_the_gradient():
    np.testing.assert_array_equal(gradients(gg, gg.logaddexp, [0.0, INF]), [0, 1])
    np.testing.assert_array_equal(gradients(gg, gg.logsumexp, [[0.0, INF]]), [[0, 1]])
    np.testing.assert_array_equal(gradients(gg, gg.logcumsumexp, [[0.0, INF]]), [[1, 1]])  # the first is a sum alone
    for x, y in product((INF, -INF, 0.0, 1e300, 710.0), repeat=2):
        gx, gy = gradients(gg, gg.logaddexp, [x, y])
        assert gx + gy == (0 if x == y == -INF else 1), (x, y)


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1.0, 1e200])
def test_arctan2_near_and_far(scale):
    gx, gy = gradients(gg, gg.arctan2, [3 * scale, 4 * scale])
    np.testing.assert_allclose([gx * scale, gy * scale], [0.16, -0.12], rtol=1e-14)
    np.testing.assert_array_equal(gradients(gg, gg.arctan2, [0.0, 0.0]), [0, 0])


def test_powers_of_zero():
    assert gradients(gg, gg.power, [0.0, -1.0]) == [-INF, -INF]
    assert gradients(gg, gg.power, [0.0, 0.0]) == [0, 0]
    assert gradients(gg, gg.power, [0.0, 2.0]) == [0, 0]


def test_order_statistics_beside_infinities():
    x = [1.0, 2.0, INF]
    assert gg.median(gg.tensor(x)).item() == 2.0
    assert gradients(gg, gg.median, [x])[0].tolist() == [0, 1, 0]
    assert gg.quantile(gg.tensor([-INF, 2.0, INF]), 0.5).item() == 2.0
    assert gg.quantile(gg.tensor([1.0, INF]), 0.25).item() == INF
    assert gradients(gg, gg.median, [[1.0, NAN, 2.0]])[0].tolist() == [0, 1, 0]
    values, indices = gg.median(gg.tensor([1.0, NAN, 2.0, NAN]), dim=0)
    assert np.isnan(values.item())
    assert indices.item() == torch.median(torch.tensor([1.0, NAN, 2.0, NAN]), dim=0)[1].item()


@pytest.mark.parametrize("error", [0.0, 1e-9, 0.3, 2.0])
def test_the_curvature_of_smooth_losses(error):
    inside = error < 1
    zero = gg.zeros(1, dtype="float64")
    assert second(gg, lambda x: F.huber_loss(x, zero, reduction="sum"), [error]) == (1.0 if inside else 0.0)
    assert second(gg, lambda x: F.smooth_l1_loss(x, zero, reduction="sum"), [-error]) == (1.0 if inside else 0.0)
    assert second(gg, lambda x: F.huber_loss(x, zero, "sum", 1.5), [error]) == (1.0 if error < 1.5 else 0.0)
    np.testing.assert_allclose(
        second(gg, lambda x: F.smooth_l1_loss(x, zero, "sum", 1.5), [error]), (error < 1.5) / 1.5
    )


def test_what_is_clipped_gets_or_gives_a_gradient_of_one():
    values = [-1.0, 0.0, 1.0, 2.0, INF]
    for x, low, high in product(values, repeat=3):
        g = gradients(gg, gg.clip, [x, low, high])
        assert sum(g) == 1, (x, low, high)
        for bounds in ((low, None), (None, high)):
            given = [b for b in bounds if b is not None]
            g = gradients(
                gg, lambda x, b, low=bounds[0]: gg.clip(x, b) if low is not None else gg.clip(x, None, b), [x, *given]
            )
            assert sum(g) == 1


@pytest.mark.parametrize("ord", [2, 1, 0, 3, 1.5, 0.5, -1, -2, INF, -INF])
def test_norms_at_zero(ord):
    for x in ([0.0, 0.0], [0.0, 2.0, -1.0], [0.0]):
        (g,) = gradients(gg, lambda t: gg.linalg.vector_norm(t, ord=ord), [x])
        (want,) = gradients(torch, lambda t: torch.linalg.vector_norm(t, ord), [x])
        np.testing.assert_allclose(g, want, atol=1e-12)
    assert gradients(gg, lambda t: gg.linalg.vector_norm(t, ord=0), [[INF, 0.0]])[0].tolist() == [0, 0]
    assert second(gg, lambda t: gg.linalg.vector_norm(t), [0.0, 0.0]).tolist() == [0, 0]


@pytest.mark.parametrize("name", ["margin_ranking_loss", "hinge_embedding_loss"])
def test_losses_at_their_margin(name):
    args = {
        "margin_ranking_loss": (np.zeros(2), np.zeros(2), np.array([1.0, -1.0])),
        "hinge_embedding_loss": (np.ones(2), np.array([1.0, -1.0])),
    }[name]
    got, want = (
        gradients(lib, lambda *a, f=f, lib=lib: getattr(f, name)(*a, lib.tensor(args[-1])), args[:-1])
        for lib, f in ((gg, F), (torch, T))
    )
    np.testing.assert_array_equal(got, want)


def test_nan_is_not_below_a_threshold():
    x = gg.tensor([NAN, 0.0, 2.0], requires_grad=True)
    out = F.threshold(x, 1.0, 5.0)
    np.testing.assert_array_equal(out.detach().numpy(), [NAN, 5, 2])


@pytest.mark.parametrize("name", ["remainder", "fmod"])
def test_the_divisor_of_a_remainder(name):
    args = [np.array([7.0, -7.0, 1.0, -1.0]), np.array([3.0, 3.0, -INF, INF])]
    np.testing.assert_array_equal(gradients(gg, OPS[name], args), gradients(torch, getattr(torch, name), args))


# The check of every op of the table that finds such faults


@pytest.fixture
def report(own_ops):
    def messages(body, samples, **rules):
        made = op(body, samples=samples).vjp(**rules)
        return [r.message for r in check_op(made, "cpu", ["gradient"]) if not r.passed]

    return messages


def size(x):
    """|x|."""
    return xp(x).abs(x)


AT_ZERO = np.array([0.0, 1.0])


@pytest.mark.parametrize(
    ("case", "rule", "words"),
    [
        ({}, lambda g, x: g * (xp(g).sign(x) + 2 * (x == 0).astype(x.dtype)), "the slopes there are"),
        ({}, lambda g, x: g * x / abs(x), "is not finite, and the case declares none"),
        ({"gradient": {"x": [0, 1]}}, lambda g, x: g * (x >= 0).astype(x.dtype), "against the declared one"),
        ({"gradient": {"y": 0}}, lambda g, x: g * xp(g).sign(x), "declares gradients of"),
    ],
)
def test_the_check_finds(report, case, rule, words):
    messages = report(size, lambda s: [s.case(AT_ZERO, smooth=False, **case)], x=rule)
    assert any(words in message for message in messages), messages


@pytest.mark.parametrize("case", [{}, {"gradient": {"x": [0, 1]}}])
def test_the_check_finds_nothing_in_a_sound_op(report, case):
    assert report(size, lambda s: [s.case(AT_ZERO, smooth=False, **case)], x=lambda g, x: g * xp(g).sign(x)) == []


def test_infinite_inputs_need_a_declaration(report):
    messages = report(size, lambda s: [s.case(np.array([INF]), smooth=False)], x=lambda g, x: g * xp(g).sign(x))
    assert any("nan from the" in message for message in messages)
