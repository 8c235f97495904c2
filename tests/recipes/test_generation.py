"""Digits that are made: quick runs, and the losses and the way back from noise by hand."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.optim.swa_utils import AveragedModel
from gpugrad.recipes.diffusion import Denoiser, Diffusion
from gpugrad.recipes.gan import Adversaries
from gpugrad.recipes.vae import Autoencoding
from gpugrad.train import Options


@pytest.mark.parametrize("name, part", [("gan", None), ("vae", "autoencoder"), ("diffusion", "denoiser")])
def test_quick(tmp_path, name, part):
    run = quick_run(name, tmp_path)
    assert run.figures["classifier's accuracy on digits"] > 0.6
    if part is not None:
        losses = run.losses[part]
        assert np.mean(losses[-len(losses) // 4 :]) < np.mean(losses[: len(losses) // 4])


class Constant(gg.nn.Module):
    """Gives the same row for every input."""

    def __init__(self, row):
        super().__init__()
        self.row = gg.nn.Parameter(gg.tensor(np.array(row, np.float32)))

    def forward(self, input):
        return gg.broadcast_to(self.row, (len(input), len(self.row)))


def batch(count=6):
    random = np.random.default_rng(0)
    return gg.tensor(random.random((count, 1, 8, 8), np.float32)), gg.tensor(np.arange(count))


def test_the_loss_of_the_autoencoder():
    mean, log_variance, logits = [0.5, -1.0], [0.2, -0.3], np.linspace(-2, 2, 64)
    networks = gg.nn.ModuleDict({"encoder": Constant([*mean, *log_variance]), "decoder": Constant(logits)})
    images, labels = batch()
    x, p = images.numpy().reshape(-1, 64), 1 / (1 + np.exp(-logits))
    of_images = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(1).mean()
    divergence = sum((m * m + np.exp(v) - v - 1) / 2 for m, v in zip(mean, log_variance, strict=True))
    loss = Autoencoding(networks, None, 2, 0.7).loss_of((images, labels)).item()
    assert loss == pytest.approx(of_images + 0.7 * divergence, rel=1e-5)


def test_the_losses_of_the_adversaries():
    generator = Constant(np.zeros(64))
    networks = {"generator": generator, "averaged": AveragedModel(generator), "discriminator": Constant([0.4])}
    networks = gg.nn.ModuleDict(networks)
    p = 1 / (1 + np.exp(-0.4))
    optimizers = [gg.optim.SGD(networks[name].parameters(), lr=0.0) for name in ("discriminator", "generator")]
    trainer = Adversaries(networks, optimizers, 4, progress=False, watch=False, device="cpu")
    loss = trainer.loss_of(batch()).item()
    assert loss == pytest.approx(-(0.9 * np.log(p) + 0.1 * np.log(1 - p)) - np.log(1 - p), rel=1e-5)
    trainer.train_step(batch())
    assert trainer.of_generator == [pytest.approx(-np.log(p), rel=1e-5)]
    assert networks["averaged"].n_averaged.item() == 1


class Knows(gg.nn.Module):
    """Sees the noise exactly, because it knows the image."""

    def __init__(self, image, kept):
        super().__init__()
        self.image, self.kept = image, kept

    def forward(self, images, labels, times):
        a = float(self.kept[times.numpy()[0]])
        return (images - a**0.5 * self.image) / (1 - a) ** 0.5


def test_the_way_back_with_a_perfect_denoiser():
    recipe = Diffusion(Options(settings={"steps": 25}))
    kept = recipe.kept()
    assert np.all(np.diff(kept) < 0) and 0 < kept[-1] < kept[0] < 1
    image = gg.tensor(np.random.default_rng(0).uniform(-1, 1, 64).astype(np.float32))
    recipe.model = {"denoiser": Knows(image, kept)}
    steps = recipe.way_back(gg.tensor([3, 4]))
    assert len(steps) == 25
    np.testing.assert_allclose(steps[-1].numpy(), np.stack([image.numpy()] * 2), atol=1e-4)
    assert abs(steps[0].numpy() - image.numpy()).mean() > 0.3


def test_the_denoiser_sees_label_and_time():
    model = Denoiser(10, 16)
    x = gg.randn(1, 64)
    outputs = [
        model(x, gg.tensor([label]), gg.tensor([time])).detach().numpy() for label, time in ((1, 2), (3, 2), (1, 7))
    ]
    assert not np.allclose(outputs[0], outputs[1]) and not np.allclose(outputs[0], outputs[2])
