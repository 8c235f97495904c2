"""Denoising diffusion: digits are made of noise, step by step, by a network that has learned to take noise away."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..models import sinusoidal_positions
from ..nn import Linear, Module, SiLU
from ..nn.functional import mse_loss
from ..ops.creation import zeros_like
from ..ops.join import concatenate
from ..ops.random import randint, randn, randn_like
from ..optim import Adam
from ..optim.lr_scheduler import CosineAnnealingLR
from ..train import DigitGeneration, Trainer, with_label
from ..viz import image_grid


class Denoiser(Module):
    """Estimates the noise in images (n, 64), of known label and time (n,): (n, 64)."""

    def __init__(self, steps: int, hidden: int):
        super().__init__()
        self.register_buffer("times", sinusoidal_positions(steps, 32))
        self.inside, self.between = Linear(64 + 10 + 32, hidden), Linear(hidden + 32, hidden)
        self.beyond, self.outside = Linear(hidden + 32, hidden), Linear(hidden, 64)
        self.activation = SiLU()

    def forward(self, images: Tensor, labels: Tensor, times: Tensor) -> Tensor:
        when = self.times[times]
        x = self.activation(self.inside(concatenate([with_label(images, labels), when], 1)))
        for layer in (self.between, self.beyond):
            x = x + self.activation(layer(concatenate([x, when], 1)))
        return self.outside(x)


class Denoising(Trainer):
    """Minimises |e - e(sqrt(a_t) x + sqrt(1 - a_t) e, y, t)|^2 for noise e and a time t drawn for each image."""

    def __init__(self, model: Module, optimizer: Adam, kept: Tensor, **kwargs):
        super().__init__(model, optimizer, **kwargs)
        self.kept = kept

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        clean = 2 * images.reshape(-1, 64) - 1
        times = randint(0, len(self.kept), (len(clean),), device=clean.device)
        kept, noise = self.kept[times].reshape(-1, 1), randn_like(clean)
        return mse_loss(self.model(kept**0.5 * clean + (1 - kept) ** 0.5 * noise, labels, times), noise)


class Diffusion(DigitGeneration):
    """Makes digits by denoising diffusion that is told the class.

    Noise is added to digits in `steps` steps (x_t = sqrt(a_t) x + sqrt(1 - a_t) e, a_t falling like a squared cosine),
    a network learns to see it, and samples go the way back from noise alone (Ho et al. 2020; Nichol and Dhariwal 2021).
    """

    notes = ("1.1.1 Timeline",)
    minutes = 3
    quick = {"epochs": 2, "classifier_epochs": 2, "judged": 50, "steps": 20}
    epochs = 300
    steps = 100
    hidden = 256
    lr = 1e-3

    def networks(self) -> dict[str, Module]:
        return {"denoiser": Denoiser(self.steps, self.hidden)}

    def kept(self) -> np.ndarray:
        """Return a_t of each time, the part of the image that is left in x_t."""
        t = (np.arange(self.steps) + 1) / self.steps
        return np.clip(np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2, 1e-3, 0.9999)

    def train_networks(self) -> None:
        model = self.model["denoiser"]
        optimizer = Adam(model.parameters(), lr=self.lr)
        kept = asarray(self.kept().astype(np.float32), device=self.device)
        schedule = CosineAnnealingLR(optimizer, self.epochs)
        trainer = self.trainer(model, optimizer, kept, kind=Denoising, scheduler=schedule)
        self.fit(trainer, self.loader(), name="denoiser")
        trainer.draw(self.picture("losses"))

    def way_back(self, labels: Tensor) -> list[Tensor]:
        """Return the images (n, 64) in [-1, 1] after each step from noise to digits."""
        kept, model = self.kept(), self.model["denoiser"]
        x, found = randn(len(labels), 64, device=self.device), []
        for t in range(self.steps - 1, -1, -1):
            before = kept[t - 1] if t else 1.0
            part = kept[t] / before  # of what x_(t - 1) is, what x_t has left
            noise = model(x, labels, zeros_like(labels) + t)
            clean = ((x - (1 - kept[t]) ** 0.5 * noise) / kept[t] ** 0.5).clip(-1, 1)
            mean = before**0.5 * (1 - part) / (1 - kept[t]) * clean + part**0.5 * (1 - before) / (1 - kept[t]) * x
            spread = ((1 - part) * (1 - before) / (1 - kept[t])) ** 0.5
            x = mean + spread * randn_like(x)
            found.append(x)
        return found

    def samples(self, labels: Tensor) -> Tensor:
        return (self.way_back(labels)[-1].reshape(-1, 1, 8, 8) + 1) / 2

    def draw(self) -> None:
        super().draw()
        with no_grad():
            steps = self.way_back(asarray(np.arange(10), device=self.device))
        chosen = [steps[round(i)] for i in np.linspace(0, len(steps) - 1, 8)]
        shown = [(image.reshape(1, 8, 8) + 1) / 2 for digit in range(10) for image in (step[digit] for step in chosen)]
        image_grid(shown, self.picture("way"), columns=8, side=0.6)
