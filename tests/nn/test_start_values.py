"""The values that layers start with: PyTorch's distributions, and exact numbers where no chance is involved."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn


def test_seeds_give_the_same_network():
    def build(seed):
        gg.manual_seed(seed)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 6), nn.Embedding(7, 8), nn.MultiheadAttention(4, 2))
        return np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])

    np.testing.assert_array_equal(build(3), build(3))
    assert (build(3) != build(4)).any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform_", {"a": -2, "b": 3}), ("normal_", {"mean": 1, "std": 2}), ("xavier_uniform_", {"gain": 2}),
        ("trunc_normal_", {"mean": 0.5, "std": 2, "a": -1, "b": 3}), ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 1}),
        ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("orthogonal_", {"gain": 2}),
        ("sparse_", {"sparsity": 0.3, "std": 2}),
    ],
)  # fmt: skip
def test_start_values_have_torchs_distribution(name, options):
    shape = (300, 200) if name in ("sparse_", "orthogonal_") else (300, 40, 5)
    torch.manual_seed(0)
    ours = getattr(nn.init, name)(gg.empty(*shape), **options).numpy()
    theirs = getattr(torch.nn.init, name)(torch.empty(*shape), **options).numpy()
    quantiles = np.linspace(0.01, 0.99, 15)
    expected = np.quantile(theirs, quantiles)
    np.testing.assert_allclose(np.quantile(ours, quantiles), expected, atol=0.05 * theirs.std())
    if name in ("uniform_", "kaiming_uniform_", "xavier_uniform_", "trunc_normal_"):
        np.testing.assert_allclose([ours.min(), ours.max()], [theirs.min(), theirs.max()], atol=0.01 * theirs.std())


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("Linear", (100, 300)), ("Conv2d", (20, 30, 5)), ("ConvTranspose2d", (30, 20, 5)), ("Embedding", (300, 100)),
        ("MultiheadAttention", (100, 2)), ("Bilinear", (30, 40, 20)), ("BatchNorm2d", (3,)), ("PReLU", (3,)),
    ],
)  # fmt: skip
def test_layers_start_like_torchs(name, args):
    torch.manual_seed(0)
    ours, theirs = getattr(nn, name)(*args), getattr(torch.nn, name)(*args)
    for (key, p), q in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        a, b = p.numpy().astype(float), q.numpy().astype(float)
        assert a.mean() == pytest.approx(b.mean(), abs=max(0.5 * b.std(), 1e-7)), key
        assert a.std() == pytest.approx(b.std(), rel=0.3, abs=1e-7), key
        if name != "Embedding":
            assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.15), key


def test_exact_start_values():
    assert nn.init.eye_(gg.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert nn.init.constant_(gg.empty(2), 3).tolist() == [3, 3]
    for groups in (1, 2):
        ours = nn.init.dirac_(gg.empty(4, 2, 3, 3), groups).numpy()
        np.testing.assert_array_equal(ours, torch.nn.init.dirac_(torch.empty(4, 2, 3, 3), groups).numpy())
    q = nn.init.orthogonal_(gg.empty(5, 2, 4, dtype="float64")).numpy().reshape(5, 8)
    np.testing.assert_allclose(q @ q.T, np.eye(5), atol=1e-12)
    for name in ("linear", "conv2d", "relu", "tanh", "selu", "leaky_relu", "sigmoid"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    with pytest.raises(ValueError, match="unknown nonlinearity 'swish'"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ValueError, match="two axes"):
        nn.init.kaiming_normal_(gg.empty(3))
    p = nn.Parameter(gg.zeros(2))
    assert nn.init.ones_(p) is p
    assert p.requires_grad
    assert p.grad_fn is None


# Products of groups
