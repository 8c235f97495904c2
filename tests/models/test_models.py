"""The networks of gpugrad.models: sizes, names, and numbers of parameters that are known from elsewhere."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import models
from gpugrad.errors import ShapeError


def count(model):
    """The number of parameters, each counted once."""
    return sum(parameter.detach().numpy().size for parameter in model.parameters())


@pytest.mark.parametrize(
    ("make", "parameters"),
    [  # torchvision's numbers; the paper's, rounded there, for CIFAR; OpenAI's released weights
        (models.AlexNet, 61_100_840),
        (models.resnet18, 11_689_512),
        (models.resnet50, 25_557_032),
        (models.CIFARResNet, 269_722 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64),  # and the projections
        (models.GPT, 124_439_808),
    ],
)
def test_numbers_of_parameters(make, parameters):
    assert count(make()) == parameters


def test_lenet():
    assert models.LeNet(7, in_channels=3, size=32)(gg.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert sum(p.numpy().size for p in models.LeNet().requires_grad_(False).parameters()) == 520 + 25050 + 400500 + 5010
    with pytest.raises(ValueError, match="at least 16 x 16"):
        models.LeNet(size=15)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_depths_count_layers_with_weights(depth):
    model = models.CIFARResNet(depth, num_classes=7)
    names = [name for name, value in model.named_parameters() if value.ndim > 1 and "downsample" not in name]
    assert len(names) == depth
    assert model.fc.weight.shape == (7, 64)


def test_names_are_torchvisions():
    names = list(models.CIFARResNet(20).state_dict())
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    block = ["conv1.weight", *(f"bn1.{n}" for n in norm), "conv2.weight", *(f"bn2.{n}" for n in norm)]
    shortcut = ["downsample.0.weight", *(f"downsample.1.{n}" for n in norm)]
    expected = ["conv1.weight", *(f"bn1.{n}" for n in norm)]
    for stage in (1, 2, 3):
        for number in range(3):
            own = block + (shortcut if stage > 1 and number == 0 else [])
            expected += [f"layer{stage}.{number}.{name}" for name in own]
    assert names == [*expected, "fc.weight", "fc.bias"]
    features = {f"features.{i}.{kind}" for i in (0, 3, 6, 8, 10) for kind in ("weight", "bias")}
    classifier = {f"classifier.{i}.{kind}" for i in (1, 4, 6) for kind in ("weight", "bias")}
    assert set(models.AlexNet(num_classes=2).state_dict()) == features | classifier


SIZES = {"vocab_size": 13, "n_positions": 8, "n_embd": 12, "n_layer": 2, "n_head": 3}


def test_names_are_gpt2s():
    block = ["ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight"]
    block += ["attn.c_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias"]
    block += ["mlp.c_proj.weight", "mlp.c_proj.bias"]
    expected = ["transformer.wte.weight", "transformer.wpe.weight"]
    expected += [f"transformer.h.{i}.{name}" for i in range(2) for name in block]
    expected += ["transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.weight"]
    assert list(models.GPT(**SIZES).state_dict()) == expected


def test_start_values_are_gpt2s():
    model = models.GPT(vocab_size=500, n_positions=64, n_embd=96, n_layer=8, n_head=4)
    deviations = {name: float(value.detach().numpy().std()) for name, value in model.named_parameters()}
    for name, deviation in deviations.items():
        if name.endswith("bias") or ".ln_" in name:
            assert deviation == 0, name
        else:
            expected = 0.02 / 4 if name.endswith("c_proj.weight") else 0.02
            assert deviation == pytest.approx(expected, rel=0.05), name


def test_a_causal_network_sees_only_what_is_before():
    tokens = np.random.default_rng(0).integers(0, 13, (2, 8))
    changed = tokens.copy()
    changed[:, 5] = (tokens[:, 5] + 1) % 13
    for causal in (True, False):
        model = models.GPT(**SIZES, causal=causal).double()
        before, after = (model(gg.tensor(given)).detach().numpy() for given in (tokens, changed))
        change = np.abs(after - before)
        assert (change[:, :5].max() < 1e-14) == causal
        assert change[:, 5:].max(axis=(0, 2)).min() > 1e-6


def test_a_short_sequence_has_the_first_positions():
    model, tokens = models.GPT(**SIZES), np.random.default_rng(0).integers(0, 13, (2, 8))
    whole, part = (model(gg.tensor(tokens[:, :length])).detach().numpy() for length in (8, 3))
    np.testing.assert_allclose(part, whole[:, :3], atol=1e-6)


def test_tied_weights_are_one_parameter_with_the_gradients_of_both():
    tied, free = models.GPT(**SIZES), models.GPT(**SIZES, tie_weights=False)
    free.load_state_dict(tied.state_dict())
    tokens = gg.tensor(np.random.default_rng(0).integers(0, 13, (2, 8)))
    for model in (tied, free):
        model(tokens).sum().backward()
    total = free.transformer.wte.weight.grad + free.lm_head.weight.grad
    np.testing.assert_allclose(tied.lm_head.weight.grad.numpy(), total.numpy(), rtol=1e-4, atol=1e-5)
    assert "lm_head.weight" not in dict(tied.named_parameters())


def test_a_state_continues_a_text():
    model = models.LSTMLanguageModel(11, embedding_dim=4, hidden_size=5, num_layers=2)
    tokens = gg.tensor(np.random.default_rng(0).integers(0, 11, (3, 9)))
    whole, _ = model(tokens)
    first, state = model(tokens[:, :4])
    second, _ = model(tokens[:, 4:], state)
    np.testing.assert_allclose(gg.concatenate([first, second], 1).detach().numpy(), whole.detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: models.MLP(3), r"MLP: sizes must be at least two.*got \(3,\)"),
        (lambda: models.LeNet(size=15), "LeNet: images must be at least 16 x 16, got size 15"),
        (lambda: models.CIFARResNet(depth=21), r"CIFARResNet: depth must be 6 n \+ 2.*got 21"),
        (lambda: models.GPT(n_head=0), "GPT: n_head must be at least 1, got 0"),
        (lambda: models.GPT(n_layer=0), "GPT: n_layer must be at least 1, got 0"),
        (lambda: models.BertModel(num_attention_heads=0), "BertModel: num_attention_heads must be at least 1, got 0"),
        (lambda: models.GPT(n_embd=10, n_head=3), "GPT: n_embd must be a multiple of n_head, got 10 and 3"),
        (
            lambda: models.GPT(**SIZES)(gg.zeros(1, 9, dtype="int64")),
            "GPT: a sequence may have at most 8 tokens, got 9",
        ),
    ],
)
def test_sizes_that_do_not_fit(make, words):
    with pytest.raises(ShapeError, match=words):
        make()
