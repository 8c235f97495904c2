"""Worked examples of the course notes, with the numbers that stand there (more stand beside the ops they are of)."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn


@pytest.fixture
def one_thread():
    """Small matrix products are faster on one thread, by far where other processes want the cores."""
    before = gg.get_num_threads()
    gg.set_num_threads(1)
    yield
    gg.set_num_threads(before)


def test_two_layer_network_descends_like_the_hand_written_one(one_thread):
    rng = np.random.default_rng(0)
    n, d_in, h, d_out = 64, 1000, 100, 10
    x, y = rng.standard_normal((n, d_in)), rng.standard_normal((n, d_out))
    w1, w2 = rng.standard_normal((d_in, h)), rng.standard_normal((h, d_out))
    a, b = gg.tensor(w1, requires_grad=True), gg.tensor(w2, requires_grad=True)
    for step in range(2000):
        hidden = 1 / (1 + np.exp(-x.dot(w1)))
        error = hidden.dot(w2) - y
        grad_w2 = hidden.T.dot(2.0 * error)
        grad_w1 = x.T.dot((2.0 * error).dot(w2.T) * hidden * (1 - hidden))

        loss = (((1 / (1 + gg.exp(-x @ a))) @ b - y) ** 2).sum()
        loss.backward()
        with gg.no_grad():
            a -= 1e-4 * a.grad
            b -= 1e-4 * b.grad
        a.grad = b.grad = None

        assert loss.item() == pytest.approx(np.square(error).sum(), rel=1e-8), f"step {step}"
        w1 -= 1e-4 * grad_w1
        w2 -= 1e-4 * grad_w2
    np.testing.assert_allclose(a.detach().numpy(), w1, rtol=1e-7, atol=1e-9)


def shapes(layers, x):
    """The maps (height, width, channels) after each convolution and each pool."""
    table = []
    for layer in layers:
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            table.append((*x.shape[2:], x.shape[1]))
    return table, x


def test_alexnet_table():
    # The notes' 55 x 55 maps need 227 pixels; with their 224 the last columns would not fill a step.
    table, out = shapes(gg.models.AlexNet2012(hidden=1).features, gg.zeros(1, 3, 227, 227))
    assert table == [
        (55, 55, 48), (27, 27, 48), (27, 27, 256), (13, 13, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256),
        (6, 6, 256),
    ]  # fmt: skip
    assert nn.Flatten()(out).shape == (1, 9216)


def test_vgg16_table_and_parameters():
    layers, expected, channels, size = [], [], 3, 224
    for width, convolutions in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            expected.append((size, size, width))
            channels = width
        layers.append(nn.MaxPool2d(2))
        size //= 2
        expected.append((size, size, width))
    with gg.no_grad():
        table, out = shapes(layers, gg.zeros(1, 3, 224, 224))
    assert table == expected and expected[-1] == (7, 7, 512)
    assert nn.Flatten()(out).shape == (1, 25_088)
    first = nn.Linear(25_088, 4096)
    count = sum(p.numel() for layer in [*layers, first] for p in layer.parameters())
    assert count + (4096 * 4096 + 4096) + (4096 * 1000 + 1000) == 138_357_544
    assert first.weight.shape == (4096, 25_088) and first.weight.numel() > 0.7 * count  # "almost all"


def wide_linear(n):
    """A Linear layer of n x n weights that share one number, for counting."""
    layer = nn.Linear(1, 1)
    layer.weight = nn.Parameter(gg.broadcast_to(gg.zeros(1), (n, n)))
    layer.bias = nn.Parameter(gg.broadcast_to(gg.zeros(1), (n,)))
    return layer


@pytest.mark.parametrize(("inputs", "expected"), [(256 * 256 * 3, 77_309_804_544), (256 * 256, 8_590_065_664)])
def test_parameters_of_an_mlp_on_images(inputs, expected):
    model = nn.Sequential(wide_linear(inputs), wide_linear(inputs))
    assert sum(p.numel() for p in model.parameters()) == expected
