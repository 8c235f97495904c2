"""Gradients by the image against PyTorch, guided backpropagation, Grad-CAM."""

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OutOfRangeError, ShapeError
from gpugrad.viz import grad_cam, guided_backprop, input_gradient, saliency


class Net(nn.Module):
    """Calls one ReLU as a layer and one as a function."""

    def __init__(self):
        super().__init__()
        self.conv1, self.act, self.conv2 = nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3)
        self.fc = nn.Linear(3 * 16, 5)

    def forward(self, x):
        return self.fc(nn.functional.relu(self.conv2(self.act(self.conv1(x)))).flatten(1))


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g.clamp(min=0) * (x > 0)


@pytest.fixture
def case():
    model = Net()
    return model, gg.tensor(np.random.default_rng(0).standard_normal((3, 2, 8, 8)).astype(np.float32))


def expected(model, images, targets, relu, layer=None):
    """The gradient with PyTorch: of scores, or of the largest response of channels of the first convolution."""
    p = {name: torch.tensor(value.numpy()) for name, value in model.state_dict().items()}
    x = torch.tensor(images.numpy(), requires_grad=True)
    first = torch.nn.functional.conv2d(x, p["conv1.weight"], p["conv1.bias"])
    if layer is None:
        second = relu(torch.nn.functional.conv2d(relu(first), p["conv2.weight"], p["conv2.bias"]))
        values = second.flatten(1) @ p["fc.weight"].T + p["fc.bias"]
    else:
        values = first.flatten(2).amax(2)
    picked = values.argmax(1) if targets is None else torch.tensor(targets).expand(len(x))
    values[torch.arange(len(x)), picked].sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("targets", [None, 2, [4, 0, 1]])
def test_gradients_are_pytorchs(case, targets):
    model, images = case
    given = gg.tensor(targets) if isinstance(targets, list) else targets
    want = expected(model, images, targets, torch.relu)
    np.testing.assert_allclose(input_gradient(model, images, given).numpy(), want, rtol=1e-4, atol=1e-6)
    found = saliency(model, images, given).numpy()
    np.testing.assert_allclose(found, np.abs(want).max(1, keepdims=True), rtol=1e-4, atol=1e-6)
    want = expected(model, images, targets, GuidedReLU.apply)
    np.testing.assert_allclose(guided_backprop(model, images, given).numpy(), want, rtol=1e-4, atol=1e-6)
    assert all(p.grad is None for p in model.parameters())
    with gg.no_grad():
        assert input_gradient(model, images, given).shape == images.shape


def test_the_gradient_of_a_neuron(case):
    model, images = case
    want = expected(model, images, 3, torch.relu, layer="conv1")
    np.testing.assert_allclose(input_gradient(model, images, 3, "conv1").numpy(), want, rtol=1e-4, atol=1e-6)
    assert np.count_nonzero(want) == 3 * 2 * 9  # one receptive field in each image


def test_targets_that_there_are_not(case):
    with pytest.raises(OutOfRangeError, match=r"from 0 to 4, got \[5, 5, 5\]"):
        saliency(*case, target=5)


def test_grad_cam_by_hand():
    model = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2, bias=False))
    model[3].weight.data.copy_(gg.tensor([[1.0, -1.0], [-1.0, -1.0]]))
    images = gg.tensor([[[[4.0, 0.0], [1.0, 3.0]], [[0.0, 5.0], [1.0, 1.0]]]])
    # The weights are w / 4 each; of 4 - 0, 0 - 5, 1 - 1, 3 - 1 the positive part, over its maximum 4.
    assert grad_cam(model, images, "0", target=0).numpy().ravel() == pytest.approx([1, 0, 0, 0.5])
    assert not grad_cam(model, images, "0", target=1).numpy().any()  # nothing speaks for it
    with pytest.raises(ShapeError, match=r"must give \(N, K, h, w\), it gives \(1, 2\)"):
        grad_cam(model, images, "2")
