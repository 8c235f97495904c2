"""Softmax, normalisation, losses, embedding, dropout and attention against PyTorch, known numbers, and hard inputs."""

import numpy as np
import pytest
from accuracy import near
from torch_reference import compare, run, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.errors import DTypeError, OptionError, OutOfRangeError, ShapeError

TF = torch.nn.functional
RNG = np.random.default_rng(1)


def normal(*shape):
    return RNG.standard_normal(shape)


def probabilities(*shape):
    p = RNG.random(shape)
    return p / p.sum(1, keepdims=True)


SOFTMAX_INPUTS = [normal(3, 4), normal(7), normal(2, 3, 5), normal(4, 1), normal(1, 1000) * 30, normal(5, 257)]
SOFTMAX_INPUTS += [np.array([[1e4, -1e4, 0.0]]), np.array([[-np.inf, 0.0, 1.0]]), np.zeros((0, 3))]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("x", SOFTMAX_INPUTS, ids=lambda x: str(x.shape))
def test_softmax(name, x):
    for dim in range(x.ndim):
        for dtype in ("float64", "float32"):
            compare(getattr(F, name), getattr(TF, name), [x], dict(dim=dim), dtype)


def cross_entropies():
    for smoothing in (0.0, 0.1):
        for reduction in ("mean", "sum", "none"):
            kwargs = dict(label_smoothing=smoothing, reduction=reduction)
            yield [normal(6, 5), RNG.integers(0, 5, 6)], kwargs
            yield [normal(6, 5) * 100, np.array([0, 2, -100, 4, 1, -100])], kwargs
            yield [normal(2, 5, 3, 2), RNG.integers(0, 5, (2, 3, 2))], kwargs
            yield [normal(6, 5), np.array([0, 2, 3, 3, 1, 3])], {**kwargs, "ignore_index": 3}
            yield [normal(6, 5), probabilities(6, 5)], kwargs
            yield [normal(5), np.array(3)], kwargs


@pytest.mark.parametrize("args,kwargs", list(cross_entropies()))
def test_cross_entropy(args, kwargs):
    compare(F.cross_entropy, TF.cross_entropy, args, kwargs)
    compare(F.cross_entropy, TF.cross_entropy, args, kwargs, "float32")
    weight = torch.linspace(0.5, 2, 5, dtype=torch.float64)
    if args[1].dtype.kind == "i":
        compare(
            lambda *a, **k: F.cross_entropy(*a, weight=gg.tensor(weight.numpy()), **k),
            lambda *a, **k: TF.cross_entropy(*a, weight=weight, **k), args, kwargs,
        )  # fmt: skip


def test_softmax_loss_of_the_course():
    logits = gg.tensor([[3.2, 5.1, -1.7]])
    assert np.round(F.softmax(logits, dim=1).numpy(), 2).tolist() == [[np.float32(0.13), np.float32(0.87), 0.0]]
    assert F.cross_entropy(logits, gg.tensor([0])).item() == pytest.approx(2.04, abs=0.005)


def test_cross_entropy_errors():
    with pytest.raises(OutOfRangeError, match=r"class 7 among 3 classes"):
        F.cross_entropy(gg.zeros(2, 3), gg.tensor([0, 7]))
    with pytest.raises(ShapeError, match=r"target must be \(2,\).*got \(3,\)"):
        F.cross_entropy(gg.zeros(2, 3), gg.tensor([0, 1, 2]))
    with pytest.raises(ShapeError, match="reduction.*'avg'"):
        F.cross_entropy(gg.zeros(2, 3), gg.tensor([0, 1]), reduction="avg")


LOSSES = [
    ("mse_loss", [normal(3, 4), normal(3, 4)], {}), ("l1_loss", [normal(3, 4), normal(3, 4)], {}),
    ("huber_loss", [normal(3, 4) * 3, normal(3, 4)], dict(delta=1.5)),
    ("smooth_l1_loss", [normal(3, 4) * 3, normal(3, 4)], dict(beta=0.7)),
    ("smooth_l1_loss", [normal(3, 4), normal(3, 4)], dict(beta=0.0)),
    ("binary_cross_entropy", [RNG.random((3, 4)), RNG.random((3, 4))], {}),
    ("binary_cross_entropy_with_logits", [normal(3, 4) * 20, RNG.random((3, 4))], {}),
    ("kl_div", [np.log(probabilities(3, 4)), probabilities(3, 4)], dict(reduction="batchmean")),
    ("kl_div", [np.log(probabilities(3, 4)), np.log(probabilities(3, 4))], dict(reduction="sum", log_target=True)),
    ("nll_loss", [np.log(probabilities(4, 3)), np.array([0, 2, 1, 1])], {}),
    ("nll_loss", [normal(2, 3, 4), RNG.integers(0, 3, (2, 4))], dict(reduction="none")),
    ("nll_loss", [normal(4, 3), np.array([0, 2, -100, 1])], {}),
    ("poisson_nll_loss", [normal(3, 4), RNG.random((3, 4)) * 5 + 1], dict(full=True)),
    ("poisson_nll_loss", [RNG.random((3, 4)), RNG.random((3, 4))], dict(log_input=False)),
    ("gaussian_nll_loss", [normal(3, 4), normal(3, 4), RNG.random((3, 4))], dict(full=True)),
]  # fmt: skip


@pytest.mark.parametrize("name,args,kwargs", LOSSES)
def test_losses(name, args, kwargs):
    compare(getattr(F, name), getattr(TF, name), args, kwargs)
    for reduction in ("mean", "sum", "none"):
        if "reduction" not in kwargs:
            compare(getattr(F, name), getattr(TF, name), args, {**kwargs, "reduction": reduction})


def test_positive_weight_of_binary_cross_entropy():
    weight, args = np.array([1.0, 2.0, 0.5, 3.0]), [normal(3, 4), RNG.random((3, 4))]
    compare(
        lambda x, t: F.binary_cross_entropy_with_logits(x, t, pos_weight=gg.tensor(weight)),
        lambda x, t: TF.binary_cross_entropy_with_logits(x, t, pos_weight=torch.tensor(weight)), args,
    )  # fmt: skip


NORMS = [
    ("layer_norm", [normal(4, 6), (6,), normal(6), normal(6)], {}),
    ("layer_norm", [normal(2, 3, 4), (3, 4)], dict(eps=1e-3)),
    ("layer_norm", [normal(300, 129), (129,), normal(129), normal(129)], {}), ("layer_norm", [normal(4, 1), (1,)], {}),
    ("layer_norm", [np.full((2, 5), 3.0), (5,), normal(5)], {}), ("rms_norm", [normal(4, 6), (6,), normal(6)], {}),
    ("rms_norm", [normal(2, 3, 4), (3, 4)], dict(eps=1e-3)),
    ("group_norm", [normal(2, 6, 5), 3, normal(6), normal(6)], {}),
    ("instance_norm", [normal(2, 3, 4, 5)], dict(weight=normal(3), bias=normal(3))),
    ("local_response_norm", [normal(2, 7, 3, 3), 5], dict(alpha=0.1)),
    ("local_response_norm", [normal(2, 4, 3), 2], dict(k=2.0)), ("normalize", [normal(3, 4)], {}),
    ("normalize", [normal(3, 4)], dict(p=1, dim=0)),
]  # fmt: skip


@pytest.mark.parametrize("name,args,kwargs", NORMS)
def test_norms(name, args, kwargs):
    for dtype in ("float64", "float32"):
        compare(getattr(F, name), getattr(TF, name), args, kwargs, dtype)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2), (64, 16, 8, 8)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape, training):
    args, (w, b) = [normal(*shape) + 3], (normal(shape[1]), normal(shape[1]))
    statistics = []

    def call(lib, functional):
        def batch_norm(x, w, b):
            mean, var = lib.zeros(shape[1], dtype=x.dtype), lib.ones(shape[1], dtype=x.dtype)
            out = functional.batch_norm(x, mean, var, w, b, training, 0.3)
            statistics.append((mean.numpy(), var.numpy()))
            return out

        return batch_norm

    compare(call(gg, F), call(torch, TF), [*args, w, b])
    for ours, theirs in zip(*statistics, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    last = np.moveaxis(args[0], 1, -1)
    compare(
        lambda x, w, b: F.batch_norm(x.moveaxis(-1, 1), None, None, w, b, True),
        lambda x, w, b: TF.batch_norm(x.movedim(-1, 1), None, None, w, b, True), [np.ascontiguousarray(last), w, b],
    )  # fmt: skip


def test_norm_errors():
    with pytest.raises(ShapeError, match=r"layer_norm.*\(3, 4\).*\(5,\)"):
        F.layer_norm(gg.zeros(3, 4), 5)
    with pytest.raises(ShapeError, match="more than one value"):
        F.batch_norm(gg.zeros(1, 3), None, None, training=True)
    with pytest.raises(ShapeError, match="4 groups"):
        F.group_norm(gg.zeros(2, 6), 4)


@pytest.mark.parametrize("width", [64, 600])
@pytest.mark.parametrize(
    "offset, spread", [(1e4, 1e-3), (1e4, 1), (3e18, 1e15), (0, 1e17), (7, 0)], ids=lambda value: f"{value:g}"
)
def test_layer_norm_is_accurate(offset, spread, width):
    x = (offset + spread * normal(16, width)).astype(np.float32)
    exact = x.astype(np.float64)
    exact = exact - exact.mean(1, keepdims=True)
    exact /= np.sqrt((exact**2).mean(1, keepdims=True) + 1e-5)
    near(F.layer_norm(gg.tensor(x), width).numpy(), exact, "float32")


@pytest.mark.parametrize("width", [64, 600])
def test_layer_norm_of_rows_whose_squares_overflow_is_zero(width):
    assert not F.layer_norm(gg.tensor((1e30 * normal(3, width)).astype(np.float32)), width).numpy().any()


def attentions():
    some = RNG.random((5, 7)) < 0.6
    some[2] = False  # this query sees nothing
    yield (2, 3, 3, 5, 7, 8, 6), {}
    yield (2, 3, 3, 7, 7, 8, 8), dict(is_causal=True)
    yield (1, 2, 2, 5, 7, 4, 4), dict(is_causal=True)
    yield (1, 2, 2, 7, 5, 4, 4), dict(is_causal=True)
    yield (2, 4, 2, 5, 7, 8, 8), dict(enable_gqa=True)
    yield (2, 2, 2, 5, 7, 4, 4), dict(attn_mask=some)
    yield (2, 2, 2, 5, 7, 4, 4), dict(attn_mask=normal(2, 1, 5, 7), scale=0.3)
    yield (1, 2, 2, 130, 257, 16, 16), {}
    yield (1, 2, 2, 300, 300, 16, 16), dict(is_causal=True)
    yield (1, 1, 1, 1, 1, 1, 1), {}


@pytest.mark.parametrize("sizes,kwargs", list(attentions()))
def test_attention(sizes, kwargs):
    b, h, hkv, tq, tk, d, dv = sizes
    args = [normal(b, h, tq, d), normal(b, hkv, tk, d), normal(b, hkv, tk, dv)]
    for dtype in ("float64", "float32"):
        compare(F.scaled_dot_product_attention, TF.scaled_dot_product_attention, args, kwargs, dtype)


def test_attention_of_other_ranks_and_layouts():
    q = normal(6, 2, 4)
    attend = [lib.scaled_dot_product_attention for lib in (F, TF)]
    compare(*attend, [q, q + 1, q - 1])
    compare(*attend, [q[0], q[1], q[2]])
    x = normal(2, 5, 3, 4)
    compare(
        lambda x: attend[0](x.swapaxes(1, 2), x.swapaxes(1, 2), x.swapaxes(1, 2)),
        lambda x: attend[1](x.transpose(1, 2), x.transpose(1, 2), x.transpose(1, 2)), [x],
    )  # fmt: skip


def test_attention_scores_of_the_course():
    weights = F.softmax(gg.tensor([112.0, 96.0]) / 64**0.5, dim=0)
    assert np.round(weights.numpy(), 2).tolist() == [np.float32(0.88), np.float32(0.12)]


def test_attention_dropout_and_errors():
    q = gg.randn(1, 2, 50, 8)
    gg.manual_seed(0)
    out = [F.scaled_dot_product_attention(q, q, gg.ones(1, 2, 50, 8), dropout_p=0.5).mean().item() for _ in range(40)]
    assert np.mean(out) == pytest.approx(1, abs=0.1)
    with pytest.raises(ShapeError, match="enable_gqa"):
        F.scaled_dot_product_attention(gg.zeros(1, 4, 3, 2), gg.zeros(1, 2, 3, 2), gg.zeros(1, 2, 3, 2))
    with pytest.raises(ShapeError, match=r"attn_mask \(4, 4\)"):
        F.scaled_dot_product_attention(gg.zeros(1, 2, 3, 2), gg.zeros(1, 2, 3, 2), gg.zeros(1, 2, 3, 2), gg.zeros(4, 4))
    with pytest.raises(DTypeError, match="int64"):
        F.scaled_dot_product_attention(q, q, q, gg.ones(50, 50, dtype=gg.int64))


def test_embedding_and_one_hot():
    compare(F.embedding, TF.embedding, [RNG.integers(0, 5, (2, 3)), normal(5, 4)], dict(padding_idx=2))
    compare(F.one_hot, TF.one_hot, [RNG.integers(0, 5, (2, 3))], dict(num_classes=6))


def test_linear_and_bilinear():
    for x in (normal(3, 4), normal(4), normal(2, 5, 4), np.zeros((0, 4))):
        compare(F.linear, TF.linear, [x, normal(6, 4), normal(6)])
        compare(F.linear, TF.linear, [x, normal(6, 4)], dtype="float32")


def test_dropout():
    x = gg.ones(1000, requires_grad=True)
    gg.manual_seed(1)
    out = F.dropout(x, 0.25)
    kept = out.detach().numpy() != 0
    assert 700 < kept.sum() < 800 and np.allclose(out.detach().numpy()[kept], 4 / 3)
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
    assert F.dropout(x, 0.25, training=False) is x
    assert F.dropout(x, 1.0).sum().item() == 0.0
    assert set(np.unique(F.dropout2d(gg.ones(50, 4, 3, 3), 0.5).sum(axis=(2, 3)).numpy())) == {0.0, 18.0}
    with pytest.raises(DTypeError, match="p in"):
        F.dropout(x, 1.5)


def test_stochastic_depth_drops_samples_or_the_batch():
    gg.manual_seed(0)
    x = gg.ones(400, 2, 3, requires_grad=True)
    out = F.stochastic_depth(x, 0.25, "row")
    values = out.detach().numpy().reshape(400, 6)
    assert (values == values[:, :1]).all() and np.unique(values).tolist() == [0, pytest.approx(4 / 3)]
    assert 260 < (values[:, 0] > 0).sum() < 340
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())
    batches = [F.stochastic_depth(x.detach(), 0.5, "batch").numpy() for _ in range(40)]
    assert {tuple(np.unique(batch).tolist()) for batch in batches} == {(0.0,), (2.0,)}
    assert F.stochastic_depth(x, 0.5, "row", training=False) is x
    with pytest.raises(OptionError, match="mode must be 'row' or 'batch', got 'both'"):
        F.stochastic_depth(x, 0.5, "both")
    layer = gg.nn.StochasticDepth(0.5, "row")
    assert repr(layer) == "StochasticDepth(p=0.5, mode=row)" and layer.eval()(x) is x
    for p, mode, words in ((1.5, "row", "p must be between 0 and 1"), (0.5, "none", "mode must be 'row' or 'batch'")):
        with pytest.raises(OptionError, match=words):
            gg.nn.StochasticDepth(p, mode)


ACTIVATIONS = [
    "relu", "relu6", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "softsign", "hardtanh", "hardsigmoid",
    "hardswish", "tanhshrink", "softshrink", "hardshrink", "logsigmoid", "leaky_relu", "sigmoid", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    x = np.concatenate([np.linspace(-8, 8, 64), [-100.0, 100.0, 0.01, -0.02]]).reshape(4, 17)
    for dtype in ("float64", "float32"):
        rtol = 1e-7 if name == "hardsigmoid" and dtype == "float64" else None  # PyTorch rounds 1/6 to float32
        compare(getattr(F, name), getattr(TF, name), [x], dtype=dtype, rtol=rtol)
        compare(getattr(F, name), getattr(TF, name), [normal(300, 301)], dtype=dtype, rtol=rtol)
    assert run(gg, getattr(F, name), [np.array([np.nan])], {}, "float64")[0][0][0] != 0


def test_activation_arguments():
    x = normal(5, 6)
    for name, kwargs in [
        ("gelu", dict(approximate="tanh")),
        ("elu", dict(alpha=0.5)),
        ("leaky_relu", dict(negative_slope=0.2)),
        ("softplus", dict(beta=2.0, threshold=1.0)),
        ("hardtanh", dict(min_val=-0.5, max_val=0.2)),
        ("celu", dict(alpha=2.0)),
        ("softshrink", dict(lambd=0.3)),
        ("hardshrink", dict(lambd=0.3)),
        ("glu", dict(dim=1)),
    ]:
        compare(getattr(F, name), getattr(TF, name), [x], kwargs)
    compare(F.threshold, TF.threshold, [x, 0.1, 20.0])
    compare(F.prelu, TF.prelu, [normal(2, 3, 4), normal(3)])
