"""Worked examples of the course notes, with the numbers that stand there (more stand beside the ops they are of)."""

import pytest

import gpugrad as gg
from gpugrad import nn


def test_softmax_of_the_scores():
    p = gg.softmax(gg.tensor([3.2, 5.1, -1.7]))
    assert [f"{value:.2f}" for value in p.tolist()] == ["0.13", "0.87", "0.00"]
    assert f"{-gg.log(p[0]).item():.2f}" == "2.04"
    assert f"{nn.functional.cross_entropy(gg.tensor([[3.2, 5.1, -1.7]]), gg.tensor([0])).item():.2f}" == "2.04"


def test_self_attention_scores():
    q = gg.zeros(1, 64)
    k = gg.zeros(2, 64)
    with gg.no_grad():
        q[0, 0] = 1.0
        k[0, 0], k[1, 0] = 112.0, 96.0
    scaled = (q @ k.T) / 64**0.5
    assert scaled.tolist() == [[14.0, 12.0]]
    assert [f"{weight:.2f}" for weight in gg.softmax(scaled)[0].tolist()] == ["0.88", "0.12"]
    attended = nn.functional.scaled_dot_product_attention(q, k, gg.eye(2))
    assert [f"{weight:.2f}" for weight in attended[0].tolist()] == ["0.88", "0.12"]


def test_parameters_of_a_filter_bank():
    """F F C K weights and K biases: six filters 5 x 5 over three channels."""
    layer = nn.Conv2d(3, 6, 5)
    assert (layer.weight.numel(), layer.bias.numel()) == (5 * 5 * 3 * 6, 6)
    assert layer(gg.zeros(1, 3, 32, 32)).shape[1:] == (6, 28, 28)


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
