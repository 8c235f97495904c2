"""What the pictures of attention show."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import ShapeError


def test_heads_are_a_grid():
    figure = gg.viz.attention(np.random.default_rng(0).random((5, 2, 3)), queries="ab", keys="xyz", columns=3)
    assert len(figure.axes) == 6 and not figure.axes[5].axison
    assert [axes.get_title() for axes in figure.axes[:2]] == ["head 0", "head 1"]
    assert [label.get_text() for label in figure.axes[4].get_xticklabels()] == ["x", "y", "z"]
    with pytest.raises(ShapeError, match=r"got shape \(3,\)"):
        gg.viz.attention(np.ones(3))


def test_weights_in_a_network_are_torchs():
    gg.manual_seed(0)
    layer = gg.nn.TransformerDecoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
    x, memory = (np.random.default_rng(i).standard_normal((2, n, 8)).astype(np.float32) for i, n in ((0, 3), (1, 5)))
    found = gg.viz.attention_of(layer, gg.tensor(x), gg.tensor(memory))
    assert {name: weights.shape for name, weights in found.items()} == {
        "self_attn": (2, 2, 3, 3), "multihead_attn": (2, 2, 3, 5),
    }  # fmt: skip
    assert layer.training
    twin = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    twin.load_state_dict({n: torch.tensor(v.numpy()) for n, v in layer.self_attn.state_dict().items()})
    given = torch.tensor(x)
    _, expected = twin(given, given, given, average_attn_weights=False)
    np.testing.assert_allclose(found["self_attn"].numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_words_on_an_image():
    weights = np.zeros((2, 2, 2))
    weights[1, 0, 1] = 0.25
    figure = gg.viz.words_on_image(gg.zeros(1, 8, 8), weights, ["a", "seven"])
    dark, bright = (axes.images[0].get_array().sum(axis=2) for axes in figure.axes[1:])
    assert np.ptp(dark) < 1e-6
    assert bright[0, 7] == bright.max() > bright[7, 0]
    with pytest.raises(ShapeError, match=r"expected weights \(1, h, w\), got shape \(2, 2, 2\)"):
        gg.viz.words_on_image(gg.zeros(1, 8, 8), weights, ["a"])
