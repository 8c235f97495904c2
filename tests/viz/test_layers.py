"""What a layer holds: filters, responses, receptive fields, patches that excite a neuron."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, OutOfRangeError, ShapeError
from gpugrad.viz import activations, filters, top_patches
from gpugrad.viz.layers import receptive_fields


def test_activations_are_those_of_the_named_layer():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    x = gg.rand(4, 2)
    for layer in ("1", model[1]):
        found = activations(model, layer, x)
        assert np.array_equal(found.detach().numpy(), nn.functional.relu(model[0](x)).detach().numpy())
        assert found.requires_grad
    with pytest.raises(OptionError, match="has no layer '7'; it has 0, 1, 2"):
        activations(model, "7", x)
    model.unused = nn.Linear(1, 1)
    model.forward = lambda input: model[0](input)
    with pytest.raises(OptionError, match="layer 'unused' is not called"):
        activations(model, "unused", x)
    assert not model[1]._hooks or not model[1]._hooks.of("forward")  # none is left behind


def test_filters_are_the_first_convolutions():
    model = nn.Sequential(nn.Conv2d(1, 2, (1, 2)), nn.Conv2d(2, 4, 1))
    model[0].weight.data.copy_(gg.tensor([[[[2.0, -1.0]]], [[[0.0, 4.0]]]]))
    assert filters(model).tolist() == [[[[1, 0.25]]], [[[0.5, 1]]]]
    assert filters(model[1]).shape == (8, 1, 1, 1)
    with pytest.raises(OptionError, match="no convolution"):
        filters(nn.Linear(1, 1))


def test_receptive_fields_are_those_of_the_arithmetic():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(2, 3, (3, 1), stride=2)
    )
    at = np.array([(0, 0), (1, 2)])
    # Backwards along rows: 3 of stride 2, each 2 pixels, each 3 with padding: rows 4 i - 1 to 4 i + 7 for i rows.
    assert receptive_fields(model, "4", (1, 1, 12, 16), at).tolist() == [[0, 0, 3, 7], [7, 3, 11, 11]]
    assert receptive_fields(model, "3", (1, 1, 12, 16), at).tolist() == [[0, 0, 3, 3], [3, 1, 7, 5]]
    values = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    receptive_fields(model, model[4], (1, 1, 12, 16), at)
    assert all(np.array_equal(values[name], value.numpy()) for name, value in model.state_dict().items())


def test_the_patches_are_where_a_neuron_is_excited_most():
    model = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.ReLU())
    model[0].weight.data.copy_(gg.tensor([[[[1.0, 0.0], [0.0, 1.0]]], [[[0.0, 1.0], [1.0, 0.0]]]]))
    images = np.zeros((4, 1, 5, 6), np.float32)
    images[2, 0, 1, 3] = images[2, 0, 2, 4] = 5  # the first neuron's diagonal, whose corner is (row 1, column 3)
    images[0, 0, 3, 1] = images[0, 0, 2, 2] = 4  # the second's
    top = top_patches(model, "1", gg.tensor(images), count=2)
    assert top.images.numpy()[:, 0].tolist() == [2, 0] and top.values.numpy()[:, 0].tolist() == [10, 8]
    assert top.boxes.numpy()[:, 0].tolist() == [[3, 1, 5, 3], [1, 2, 3, 4]]
    assert top.patches.numpy()[:, 0, 0].tolist() == [[[5, 0], [0, 5]], [[0, 4], [4, 0]]]
    assert top.values.numpy()[:, 1].tolist() == [4, 5] and top.images.numpy()[:, 1].tolist() == [0, 2]
    only = top_patches(model, "1", gg.tensor(images), neurons=[1], count=1)
    assert only.patches.shape == (1, 1, 1, 2, 2) and only.values.tolist() == [[8]]


def test_a_patch_at_the_border_is_black_outside():
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False))
    model[0].weight.data.fill_(1)
    images = np.full((1, 1, 4, 4), 0.1, np.float32)
    images[0, 0, 0, 3] = 9
    images[0, 0, 1, 2] = -9  # so that the corner's own place is not the most active
    images[0, 0, 1, 3] = -9
    top = top_patches(model, "0", gg.tensor(images), count=1)
    x1, y1, x2, y2 = top.boxes.numpy()[0, 0]
    patch = top.patches.numpy()[0, 0, 0]
    assert patch.shape == (max(y2 - y1, x2 - x1),) * 2
    assert np.abs(patch).sum() == pytest.approx(np.abs(images[0, 0, y1:y2, x1:x2]).sum())


def test_what_there_is_not_is_refused():
    model, images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), gg.zeros(3, 1, 4, 4)
    with pytest.raises(OptionError, match="4 patches of different images were asked for, there are 3"):
        top_patches(model, "0", images, count=4)
    with pytest.raises(OutOfRangeError, match="neurons are numbered from 0 to 1"):
        top_patches(model, "0", images, neurons=[2], count=1)
    with pytest.raises(ShapeError, match=r"'1' gives \(3, 8\)"):
        top_patches(model, "1", images, count=1)
