"""Multi-head attention and the Transformer's layers against PyTorch's with the same weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import ShapeError

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:Support for mismatched")
RNG = np.random.default_rng(3)
SMALL = {"dim_feedforward": 12, "dropout": 0.0}


def values(*shape):
    return RNG.standard_normal(shape)


def copied(ours, theirs):
    """Both in float64, ours with their weights."""
    ours, theirs = ours.double(), theirs.double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    with torch.no_grad():
        for parameter in theirs.parameters():  # biases and norms too
            parameter.add_(torch.tensor(0.1 * values(*parameter.shape)))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def agree(ours, theirs, *arrays, **masks):
    """Outputs, gradients of the inputs and of the parameters are the same."""
    grads = []
    for lib, layer in ((gg, ours), (torch, theirs)):
        inputs = [lib.tensor(a, requires_grad=True) for a in arrays]
        given = {name: lib.tensor(m) if isinstance(m, np.ndarray) else m for name, m in masks.items()}
        found = layer(*inputs, **given)
        out, weights = found if isinstance(found, tuple) else (found, None)
        upstream = np.random.default_rng(0).standard_normal(tuple(out.shape))
        loss = (out * lib.tensor(upstream)).sum()
        if weights is not None:
            loss = loss + (weights**2).sum()
        loss.backward()
        grads.append([out, *([] if weights is None else [weights]), *(x.grad for x in inputs)])
        grads[-1] += [p.grad for p in layer.parameters()]
    for k, (a, b) in enumerate(zip(*grads, strict=True)):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-8, 1e-9, err_msg=f"number {k}")


def causal(n):
    return np.triu(np.ones((n, n), bool), 1)


# Attention


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    options=st.fixed_dictionaries(
        {"bias": st.booleans(), "add_bias_kv": st.booleans(), "add_zero_attn": st.booleans()},
        optional={"kdim": st.just(5), "vdim": st.just(3), "batch_first": st.booleans()},
    ),
    mask=st.sampled_from([None, "bool", "float", "heads"]),
    padding=st.booleans(), need_weights=st.booleans(), average=st.booleans(), batched=st.booleans(),
)  # fmt: skip
def test_attention_with_any_options_is_torchs(sizes, options, mask, padding, need_weights, average, batched):
    count, length, keys = sizes
    ours, theirs = copied(nn.MultiheadAttention(4, 2, **options), torch.nn.MultiheadAttention(4, 2, **options))
    lead = [(length, count), (keys, count), (keys, count)] if batched else [(length,), (keys,), (keys,)]
    if options.get("batch_first") and batched:
        lead = [pair[::-1] for pair in lead]
    arrays = [values(*at, width) for at, width in zip(lead, (4, ours.kdim, ours.vdim), strict=True)]
    masks = {"need_weights": need_weights, "average_attn_weights": average}
    if mask is not None:
        shape = ((count if batched else 1) * 2, length, keys) if mask == "heads" else (length, keys)
        masks["attn_mask"] = values(*shape) if mask != "bool" else values(*shape) > 0.5
        if mask == "bool":
            masks["attn_mask"][:, 0] = False
    if padding:
        masks["key_padding_mask"] = np.arange(keys) > np.arange(count)[:, None] if batched else np.arange(keys) > 1
    agree(ours, theirs, *arrays, **masks)


def test_self_attention_takes_one_product_and_gives_torchs_result():
    ours, theirs = copied(nn.MultiheadAttention(6, 3), torch.nn.MultiheadAttention(6, 3))

    def same(layer):
        def call(x, **options):
            return layer(x, x, x, **options)

        call.parameters = layer.parameters
        return call

    agree(same(ours), same(theirs), values(4, 2, 6), attn_mask=causal(4), is_causal=True, need_weights=False)
    ours.zero_grad(), theirs.zero_grad()
    agree(same(ours), same(theirs), values(4, 2, 6), attn_mask=causal(4), is_causal=True)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("added", [True, False])
def test_is_causal_stands_for_the_mask(need_weights, added):
    layer = nn.MultiheadAttention(4, 2, add_zero_attn=added)
    x = gg.tensor(values(5, 2, 4), dtype="float32")
    alone = layer(x, x, x, need_weights=need_weights, is_causal=True)[0]
    masked = layer(x, x, x, need_weights=need_weights, attn_mask=gg.tensor(causal(5)))[0]
    np.testing.assert_allclose(alone.detach().numpy(), masked.detach().numpy(), 1e-5, 1e-6)


def test_added_key_and_value_start_like_torchs():
    ours, theirs = (lib.MultiheadAttention(64, 4, add_bias_kv=True) for lib in (nn, torch.nn))
    for name in ("bias_k", "bias_v"):
        spread = [float(getattr(layer, name).detach().std()) for layer in (ours, theirs)]
        assert spread[0] == pytest.approx(spread[1], rel=0.4)


# Layers


@pytest.mark.parametrize("name", ["TransformerEncoderLayer", "TransformerDecoderLayer"])
@pytest.mark.parametrize(
    "options",
    [
        {}, {"norm_first": True}, {"batch_first": True, "activation": "gelu"}, {"bias": False, "layer_norm_eps": 0.1},
    ],
)  # fmt: skip
def test_layers_agree_with_torch(name, options):
    options = {**SMALL, **options}
    ours, theirs = copied(getattr(nn, name)(8, 2, **options), getattr(torch.nn, name)(8, 2, **options))
    shape = (3, 5, 8) if options.get("batch_first") else (5, 3, 8)
    padding = np.arange(5) > np.array([2, 4, 3])[:, None]
    if name.endswith("EncoderLayer"):
        agree(ours, theirs, values(*shape))
        for masks in ({"src_mask": causal(5), "is_causal": True}, {"src_key_padding_mask": padding}):
            ours.zero_grad(), theirs.zero_grad()
            agree(ours, theirs, values(*shape), **masks)
        agree(*(layer.eval() for layer in (ours, theirs)), values(5, 8), src_mask=values(5, 5))
    else:
        memory = values(*((3, 4, 8) if options.get("batch_first") else (4, 3, 8)))
        masks = {"tgt_mask": causal(5), "tgt_is_causal": True, "memory_mask": values(5, 4)}
        agree(ours, theirs, values(*shape), memory, **masks)
        masks = {"tgt_key_padding_mask": padding, "memory_key_padding_mask": padding[:, :4]}
        agree(ours, theirs, values(*shape), memory, **masks)


def test_activation_may_be_a_module():
    ours, theirs = (lib.TransformerEncoderLayer(8, 2, activation=lib.SiLU(), **SMALL) for lib in (nn, torch.nn))
    agree(*copied(ours, theirs), values(5, 3, 8))
    with pytest.raises(ValueError, match="activation"):
        nn.TransformerEncoderLayer(8, 2, activation="swish")


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_whole_transformer_agrees_with_torch(norm_first):
    options = {"num_encoder_layers": 2, "num_decoder_layers": 1, "norm_first": norm_first, **SMALL}
    ours, theirs = copied(*(lib.Transformer(8, 2, **options) for lib in (nn, torch.nn)))
    masks = {"tgt_mask": causal(4), "src_key_padding_mask": np.arange(5) > np.array([2, 4, 3])[:, None]}
    masks["memory_key_padding_mask"] = masks["src_key_padding_mask"]
    agree(ours, theirs, values(5, 3, 8), values(4, 3, 8), **masks)
    ours.zero_grad(), theirs.zero_grad()
    agree(ours, theirs, values(5, 8), values(4, 8))


def test_dropout_acts_in_training_only():
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.5)
    x = gg.tensor(values(5, 3, 8), dtype="float32")
    first, second = layer(x), layer(x)
    assert not np.array_equal(first.detach().numpy(), second.detach().numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x).detach().numpy(), layer(x).detach().numpy())


def test_base_model_has_the_papers_parameters():
    base = nn.Transformer()
    count = sum(p.numel() for p in base.parameters())
    # Per layer: attention 4 (d^2 + d), feed-forward 2 d f + d + f, norms 2 d; a norm at the end of each stack.
    d, f = 512, 2048
    attention, feed_forward = 4 * (d * d + d), 2 * d * f + d + f
    assert count == 6 * (attention + feed_forward + 4 * d) + 6 * (2 * attention + feed_forward + 6 * d) + 4 * d
    # The paper's table gives 65 million, with one table of 37000 tokens for both embeddings and the output layer.
    assert round((count + 37000 * d) / 1e6) in (63, 64, 65)
    assert max(abs(p.detach().numpy()).max() for n, p in base.named_parameters() if "linear1.weight" in n) <= (
        (6 / (d + f)) ** 0.5
    )


def test_copies_in_a_stack_start_equal_but_are_their_own():
    layer = nn.TransformerEncoderLayer(8, 2, 12)
    stack = nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))
    first, second = (list(each.parameters()) for each in stack.layers)
    for a, b in zip(first, second, strict=True):
        assert a is not b
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


def test_square_subsequent_mask():
    ours, theirs = (lib.Transformer.generate_square_subsequent_mask(4) for lib in (nn, torch.nn))
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    x = values(4, 2, 8)
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0).double()
    given = [{"src_mask": gg.tensor(causal(4))}, {"src_mask": ours.double()}, {"is_causal": True}]
    outs = [layer(gg.tensor(x), **masks).detach().numpy() for masks in given]
    np.testing.assert_allclose(outs[0], outs[1], 1e-12)
    np.testing.assert_allclose(outs[0], outs[2], 1e-12)


def test_custom_stacks_and_errors():
    model = nn.Transformer(8, 2, 1, 1, custom_encoder=nn.Identity(), **SMALL)
    assert isinstance(model.encoder, nn.Identity)
    for src, tgt in (((5, 3, 8), (4, 2, 8)), ((5, 3, 8), (4, 3, 6)), ((5, 3, 8), (4, 8))):
        with pytest.raises(ShapeError, match="Transformer"):
            nn.Transformer(8, 2, 1, 1, **SMALL)(gg.ones(src), gg.ones(tgt))
