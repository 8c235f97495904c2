"""Embedding bags, fractional pooling, activations that change their input, and attention as one function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_reference import compare, torch

import gpugrad as gg
import gpugrad.nn.functional as F
from gpugrad.errors import DTypeError, OutOfRangeError, ShapeError

TF = torch.nn.functional
RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.standard_normal(shape)


# Embedding


@pytest.mark.parametrize("options", [{}, {"padding_idx": 1}, {"padding_idx": -2}, {"scale_grad_by_freq": True}])
def test_embedding(options):
    index = np.array([[0, 1, 1], [3, 1, 4]])
    compare(
        lambda i, w: F.embedding(i, w, **options), lambda i, w: TF.embedding(i, w, **options), [index, normal(5, 3)]
    )


@pytest.mark.parametrize("call", ["embedding", "embedding_bag"])
def test_embedding_shortens_the_rows_it_uses(call):
    table, index = normal(5, 3), np.array([[0, 1], [1, 4]])
    ours, theirs = gg.tensor(table), torch.tensor(table)
    a = getattr(F, call)(gg.tensor(index), ours, max_norm=0.7, norm_type=1.0)
    b = getattr(TF, call)(torch.tensor(index), theirs, max_norm=0.7, norm_type=1.0)
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(ours.numpy()[2:4], table[2:4])


@given(
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=5), mode=st.sampled_from(["sum", "mean", "max"]),
    padding=st.sampled_from([None, 0, -1]), last=st.booleans(), weighted=st.booleans(),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_embedding_bag(sizes, mode, padding, last, weighted):
    rng = np.random.default_rng(sum(sizes))
    index, table = rng.integers(0, 5, sum(sizes)), rng.standard_normal((5, 3))
    offsets = np.cumsum([0, *sizes])[: None if last else -1]
    options: dict = dict(mode=mode, padding_idx=padding, include_last_offset=last)
    weights = [rng.standard_normal(sum(sizes))] if weighted and mode == "sum" else []

    def call(function):
        return lambda i, w, o, *k: function(i, w, o, **options, **({"per_sample_weights": k[0]} if k else {}))

    compare(call(F.embedding_bag), call(TF.embedding_bag), [index, table, offsets, *weights])


def test_embedding_bag_scales_gradients_by_frequency():
    table = gg.zeros(5, 1, requires_grad=True)  # PyTorch 2.13 divides some rows by another row's count
    index, offsets = gg.tensor([4, 0, 0, 1, 1, 1]), gg.tensor([0, 3])
    F.embedding_bag(index, table, offsets, mode="sum", scale_grad_by_freq=True).sum().backward()
    assert table.grad.tolist() == [[1], [1], [0], [0], [1]]


def test_embedding_bag_of_equally_many():
    index = RNG.integers(0, 5, (4, 3))
    for mode in ("sum", "mean", "max"):
        compare(F.embedding_bag, TF.embedding_bag, [index, normal(5, 2)], dict(mode=mode))


def test_embedding_bag_on_both_devices(device):
    index = gg.tensor(np.array([0, 2, 2, 1]), device=device)
    table = gg.tensor(np.arange(9.0).reshape(3, 3), device=device, requires_grad=True)
    for mode, first in (("sum", [6, 8, 10]), ("mean", [3, 4, 5]), ("max", [6, 7, 8])):
        out = F.embedding_bag(index, table, gg.tensor(np.array([0, 2, 4]), device=device), mode=mode)
        assert out.tolist()[0] == first
        assert out.tolist()[2] == [0, 0, 0]
        assert gg.autograd.gradcheck(lambda w, m=mode: F.embedding_bag(index.reshape((2, 2)), w, mode=m), table)


def test_embeddings_refuse():
    table, index = gg.ones(3, 2), gg.tensor([0, 1])
    for options, error, words in (
        (dict(offsets=gg.tensor([0]), mode="min"), ShapeError, "mode must be"),
        (dict(), ShapeError, "with offsets"),
        (dict(offsets=gg.tensor([0.5])), DTypeError, "offsets must be integers"),
        (dict(offsets=gg.tensor([0]), per_sample_weights=gg.ones(2)), ShapeError, "for mode 'sum'"),
        (dict(offsets=gg.tensor([0]), per_sample_weights=gg.ones(3), mode="sum"), ShapeError, "input's shape"),
        (dict(offsets=gg.tensor([0]), mode="max", scale_grad_by_freq=True), ShapeError, "not for mode 'max'"),
    ):
        with pytest.raises(error, match=words):
            F.embedding_bag(index, table, **options)
    with pytest.raises(OutOfRangeError, match="outside a table"):
        F.embedding(index, table, padding_idx=3)


# Pooling


@given(
    dims=st.sampled_from([2, 3]), kernel=st.integers(1, 3), out=st.integers(1, 4), single=st.booleans(),
    seed=st.integers(0, 99), dtype=st.sampled_from(["float64", "float32"]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_fractional_max_pool(dims, kernel, out, single, seed, dtype):
    rng, size, name = np.random.default_rng(seed), (8, 7, 9)[:dims], f"fractional_max_pool{dims}d"
    x = rng.permutation(np.prod((2, 3, *size))).reshape(2, 3, *size)[0 if single else slice(None)] * 0.5
    samples = rng.random((1 if single else 2, 3, dims))

    def call(lib, function):
        given = lib.tensor(samples.astype(dtype))
        return lambda x: function(x, kernel, output_size=out, return_indices=True, _random_samples=given)

    compare(call(gg, getattr(F, name)), call(torch, getattr(TF, name)), [x], dtype=dtype)


def test_fractional_max_pool_at_random():
    x = gg.tensor(normal(2, 3, 9, 8))
    out, places = F.fractional_max_pool2d_with_indices(x, 2, output_ratio=(0.5, 0.7))
    assert out.shape == places.shape == (2, 3, 4, 5)
    np.testing.assert_array_equal(
        np.take_along_axis(x.numpy().reshape(2, 3, -1), places.numpy().reshape(2, 3, -1), 2),
        out.numpy().reshape(2, 3, -1),
    )
    assert F.fractional_max_pool3d(gg.ones(1, 5, 5, 5), (2, 1, 3), output_size=(2, 3, 1)).shape == (1, 2, 3, 1)
    for options, words in (
        ({}, "either output_size or output_ratio"), (dict(output_size=9), "cannot place"),
        (dict(output_ratio=1.5), "between 0 and 1"), (dict(output_size=2, _random_samples=gg.ones(2, 2)), "must be"),
    ):  # fmt: skip
        with pytest.raises(ShapeError, match=words):
            F.fractional_max_pool2d(x, 2, **options)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pools_with_indices(dims):
    x = normal(2, 3, *(6, 5, 4)[:dims])
    for name, *args in ((f"max_pool{dims}d_with_indices", 2, 1), (f"adaptive_max_pool{dims}d_with_indices", 3)):
        compare(getattr(F, name), getattr(TF, name), [x, *args])


# Activations


def test_rrelu():
    x = normal(4, 5)
    compare(F.rrelu, TF.rrelu, [x], dict(lower=0.1, upper=0.5))
    y = gg.tensor(x, requires_grad=True)
    out = F.rrelu(y, 0.1, 0.5, training=True)
    slope = out.detach().numpy() / x
    assert (slope[x > 0] == 1).all()
    assert ((slope[x < 0] >= 0.1) & (slope[x < 0] <= 0.5)).all()
    assert len(np.unique(slope[x < 0])) == (x < 0).sum()
    out.sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), slope, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "args"),
    [("relu_", ()), ("elu_", (0.7,)), ("celu_", (2.0,)), ("selu_", ()), ("hardtanh_", (-0.5, 0.4)),
     ("leaky_relu_", (0.2,)), ("threshold_", (0.1, -3.0)), ("rrelu_", (0.2, 0.4))],
)  # fmt: skip
def test_activations_that_change_their_input(name, args):
    x = normal(3, 4)
    compare(lambda x: getattr(F, name)(x * 2, *args), lambda x: getattr(TF, name)(x * 2, *args), [x], rtol=1e-6)
    y = gg.tensor(x)
    assert getattr(F, name)(y, *args) is y
    assert (y.numpy() != x).any()


def test_conv_tbc():
    for pad in (0, 2):
        compare(F.conv_tbc, TF.conv_tbc, [normal(6, 2, 3), normal(3, 3, 4), normal(4), pad])


# Losses of a linear layer


def test_linear_cross_entropy():
    for x, w, bias, target in (
        ((4, 3), (5, 3), (5,), RNG.integers(0, 5, 4)), ((3,), (5, 3), (5,), np.array(2)),
        ((4, 3), (5, 2, 3), (5, 2), RNG.integers(0, 5, (4, 2))), ((4, 3), (5, 3), (5,), RNG.random((4, 5))),
    ):  # fmt: skip
        for options in ({}, {"label_smoothing": 0.1, "reduction": "sum"}):
            compare(
                lambda x, w, t, b, o=options: F.linear_cross_entropy(x, w, t, linear_bias=b, **o),
                lambda x, w, t, b, o=options: TF.linear_cross_entropy(x, w, t, linear_bias=b, **o),
                [normal(*x), normal(*w), target, normal(*bias)],
            )  # fmt: skip
    with pytest.raises(ShapeError, match="expected input"):
        F.linear_cross_entropy(gg.ones(3), gg.ones(2, 2, 3), gg.ones(2))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_with_a_weight_for_each_element(name, reduction):
    def call(function):
        return lambda x, y, w: function(x, y, reduction=reduction, weight=w)

    compare(call(getattr(F, name)), call(getattr(TF, name)), [normal(3, 4), normal(3, 4), RNG.random((3, 4))])
    with pytest.raises(ShapeError, match="weight must have"):
        getattr(F, name)(gg.ones(2), gg.ones(2), weight=gg.ones(3))


# Attention


def test_self_attention_is_one_product_and_refuses():
    weights = [normal(18, 6), normal(18), normal(6, 6), normal(6)]

    def call(function):
        def made(x, w, b, out_w, out_b):
            return function(x, x, x, 6, 2, w, b, None, None, False, 0.0, out_w, out_b)[0]

        return made

    compare(call(F.multi_head_attention_forward), call(TF.multi_head_attention_forward), [normal(5, 2, 6), *weights])
    x, rest = gg.ones(5, 2, 6), [gg.tensor(w) for w in weights]
    args = [rest[0], rest[1], None, None, False, 0.0, rest[2], rest[3]]
    for inputs, heads, options, words in (
        ((x, x, x), 4, {}, "which 4 heads divide"),
        ((x, x, x[:3]), 2, {}, "differ in length"),
        ((x, x, x), 2, {"is_causal": True}, "is not given"),
        ((x, x, x), 2, {"attn_mask": gg.ones(5, 4)}, "attn_mask must be"),
        ((x, x, x), 2, {"key_padding_mask": gg.ones(2, 4)}, "key_padding_mask must be"),
    ):
        with pytest.raises(ShapeError, match=words):
            F.multi_head_attention_forward(*inputs, 6, heads, *args, **options)


@pytest.mark.filterwarnings("ignore:Support for mismatched")
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(
    "case", ["plain", "separate", "bias_kv", "zero", "masks", "causal", "static", "single", "heads"]
)
def test_multi_head_attention_forward(case, need_weights):
    e, heads, rows, columns, n = 6, 2, 3, 4, 2
    shapes = [(rows, n, e), (columns, n, e), (columns, n, e)]
    shapes = [(s[0], e) for s in shapes] if case == "single" else shapes
    if case == "separate":
        shapes = [shapes[0], (columns, n, 5), (columns, n, 7)]
    separate = dict(
        use_separate_proj_weight=True,
        q_proj_weight=normal(e, e),
        k_proj_weight=normal(e, 5),
        v_proj_weight=normal(e, 7),
    )
    options: dict = {
        "separate": separate,
        "masks": dict(key_padding_mask=np.array([[False] * 4, [True] + [False] * 3]), attn_mask=normal(rows, columns)),
        "zero": dict(key_padding_mask=np.array([[False] * 4, [True] + [False] * 3])),
        "causal": dict(attn_mask=np.triu(np.ones((rows, columns), bool), 1), is_causal=True),
        "static": dict(static_k=normal(n * heads, 5, 3), static_v=normal(n * heads, 5, 3)),
        "heads": dict(attn_mask=normal(n * heads, rows, columns), average_attn_weights=False),
    }.get(case, {})  # fmt: skip
    kv = [normal(1, 1, e), normal(1, 1, e)] if case == "bias_kv" else []
    args = [
        *(normal(*s) for s in shapes),
        None if case == "separate" else normal(3 * e, e),
        normal(3 * e),
        normal(e, e),
        normal(e),
    ]

    def call(lib, function):
        def made(q, k, v, w, b, out_w, out_b, *bias):
            given = {name: lib.tensor(x) if isinstance(x, np.ndarray) else x for name, x in options.items()}
            outs = function(
                q, k, v, e, heads, w, b, *(bias or (None, None)), case == "zero", 0.0, out_w, out_b,
                need_weights=need_weights, **given,
            )  # fmt: skip
            return [o for o in outs if o is not None]

        return made

    compare(call(gg, F.multi_head_attention_forward), call(torch, TF.multi_head_attention_forward), [*args, *kv])
