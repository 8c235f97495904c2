"""Images that excite a neuron or a class, DeepDream, style transfer."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import OptionError, ShapeError
from gpugrad.viz import StyleTransfer, activations, deep_dream, gram_matrix, maximize, total_variation, with_colors_of


def linear(*rows):
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(rows[0]), len(rows), bias=False))
    model[1].weight.data.copy_(gg.tensor(rows))
    return model


def test_each_image_maximises_its_own_target():
    model = linear([1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0])
    first, second = maximize(model, [0, 1], (1, 2, 2), start=gg.full((2, 1, 2, 2), 0.5), steps=400, l2=0, blur=0)
    assert first.numpy().ravel() == pytest.approx([1, 0, 0.5, 0.5])
    assert second.numpy().ravel() == pytest.approx([0.5, 0.5, 0.5, 1])


def test_l2_blur_and_clipping_hold_the_image_back():
    model, start = linear([3.0, 0.5, 0.0, 0.0]), gg.full((1, 1, 2, 2), 0.5)
    options = {"start": start, "steps": 300, "blur": 0, "limits": None}
    free, held = (maximize(model, 0, (1, 2, 2), l2=l2, **options).numpy().ravel() for l2 in (0, 0.05))
    # The step lr / 100 along the gradient, whose root mean square is 1, ends where 2 l2 |x - x0| is as large.
    slope = np.array([3, 0.5, 0, 0])
    assert held - 0.5 == pytest.approx(0.01 * slope / np.sqrt((slope**2).mean()) / (2 * 0.05), rel=1e-3)
    assert free[0] > 2 > held[0]
    clipped = maximize(model, 0, (1, 2, 2), l2=0, clip_below=0.5, **options).numpy().ravel()
    assert clipped[0] > 2 and clipped[1:].tolist() == [0.5] * 3
    blurred = maximize(model, 0, (1, 2, 2), l2=0, start=start, steps=4, blur=1.0, blur_every=4, limits=None)
    assert blurred.numpy().ravel()[3] > 0.5
    flat = maximize(linear([0.0] * 4), 0, (1, 2, 2), start=start, steps=4, blur=1.0, blur_every=1)
    np.testing.assert_allclose(flat.numpy(), start.numpy(), rtol=1e-6)  # a blur keeps what is the same everywhere


def test_a_neuron_of_a_layer_is_maximised():
    gg.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    start = gg.rand(1, 3, 8, 8)
    image = maximize(model, 3, (3, 8, 8), layer="2", start=start, steps=20, jitter=1)
    before, after = (activations(model, "2", x).detach().numpy()[0, 3].max() for x in (start, image))
    assert after > before
    assert 0 <= image.numpy().min() and image.numpy().max() <= 1


@pytest.fixture
def net():
    gg.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU())


def test_a_dream_makes_the_layer_more_active(net):
    image = gg.rand(3, 20, 28)

    def strength(x, channels=slice(None)):
        return float((activations(net, "4", x[None]).detach().numpy()[:, channels] ** 2).mean())

    dream = deep_dream(net, image, "4", octaves=2, steps=3)
    assert dream.shape == image.shape and strength(dream) > 1.1 * strength(image)
    one = deep_dream(net, image, "4", channels=[2], octaves=1, steps=3, jitter=0)
    assert strength(one, [2]) > strength(image, [2])
    assert np.array_equal(deep_dream(net, image, "4", steps=0, octaves=1).numpy(), image.numpy())
    with pytest.raises(OptionError, match="at least 1, got 0 and 1.4"):
        deep_dream(net, image, "4", octaves=0)


def test_the_first_step_of_a_dream_is_its_formula(net):
    image = gg.rand(3, 12, 12)
    x = image[None].detach().requires_grad_()
    a = activations(net, "4", x)
    a.backward(a.detach())  # delta is the activations
    g = x.grad.numpy()[0]
    found = deep_dream(net, image, "4", octaves=1, steps=1, lr=2.0, jitter=0, limits=None)
    np.testing.assert_allclose(found.numpy(), image.numpy() + 0.02 * g / np.abs(g).mean(), rtol=1e-4, atol=1e-5)


def test_gram_matrices_are_mean_products():
    features = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    expected = np.einsum("nkhw,nmhw->nkm", features, features) / 20
    np.testing.assert_allclose(gram_matrix(gg.tensor(features)).numpy(), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match=r"expected features \(N, K, h, w\), got \(2, 3\)"):
        gram_matrix(gg.zeros(2, 3))
    assert total_variation(gg.ones(1, 3, 4, 4)).item() == 0


def test_colors_take_the_others_mean_and_covariance():
    image, other = gg.rand(3, 9, 8), gg.rand(3, 5, 4) * 0.2 + 0.4
    other[1] = other[0] * 0.5 + other[1] * 0.5
    found, wanted = (x.numpy().reshape(3, -1) for x in (with_colors_of(image, other), other))
    np.testing.assert_allclose(found.mean(axis=1), wanted.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(np.cov(found, bias=True), np.cov(wanted, bias=True), atol=1e-5)
    with pytest.raises(ShapeError, match=r"expected images \(3, H, W\), got \(4,\)"):
        with_colors_of(image, gg.zeros(4))


def test_style_losses_are_their_formulas(net):
    content, style, x = gg.rand(3, 12, 12), gg.rand(3, 10, 14), gg.rand(3, 12, 12)
    transfer = StyleTransfer(net, content, style, "4", {"1": 0.5, "4": 2.0})
    at = {name: [activations(net, name, i[None]).detach().numpy() for i in (content, style, x)] for name in ("1", "4")}
    found = transfer.losses(x)
    f, _, fx = at["4"]
    assert found.content.item() == pytest.approx(((f - fx) ** 2).mean() / (f**2).mean(), rel=1e-4)
    style_loss = 0
    for name, weight in (("1", 0.5), ("4", 2.0)):
        g, a = (np.einsum("nkhw,nmhw->nkm", v, v) / v[0, 0].size for v in at[name][1:])
        style_loss += weight * ((g - a) ** 2).mean() / (g**2).mean()
    assert found.style.item() == pytest.approx(style_loss, rel=1e-4)
    assert transfer.losses(content).content.item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_both_optimizers_lower_the_losses(net, optimizer):
    transfer = StyleTransfer(net, gg.rand(3, 12, 12), gg.rand(3, 12, 12), "4", {"1": 1.0}, weights=(1.0, 1.0, 0.0))
    start = gg.rand(3, 12, 12)
    image, history = transfer.run(start, 15, optimizer)
    totals = np.add(history["content"], history["style"])
    assert totals[-1] < 0.7 * totals[0] and len(totals) >= 15
    assert image.shape == start.shape and 0 <= image.numpy().min() <= image.numpy().max() <= 1
    coarse, after = transfer.run(start, 15, optimizer, scales=2)
    assert coarse.shape == start.shape and after["style"][0] != history["style"][0] and len(after["style"]) < 31
    assert all(p.grad is None for p in net.parameters())


def test_an_unknown_optimizer_and_no_scale_are_refused(net):
    with pytest.raises(OptionError, match='must be "lbfgs" or "adam", got \'sgd\''):
        StyleTransfer(net, gg.rand(3, 8, 8), gg.rand(3, 8, 8), "4", {}).run(gg.rand(3, 8, 8), 1, "sgd")
    with pytest.raises(OptionError, match="scales must be at least 1, got 0"):
        StyleTransfer(net, gg.rand(3, 8, 8), gg.rand(3, 8, 8), "4", {}).run(gg.rand(3, 8, 8), 1, scales=0)
