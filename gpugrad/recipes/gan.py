"""A generative adversarial network: one network makes digits, another says which are real."""

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..nn import BatchNorm1d, Dropout, LeakyReLU, Linear, Module, ModuleDict, ReLU, Sequential, Sigmoid
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.creation import ones_like, zeros_like
from ..ops.random import randn
from ..optim import Adam
from ..optim.swa_utils import AveragedModel, get_ema_avg_fn
from ..train import DigitGeneration, Trainer, with_label
from ..viz import curves


class Adversaries(Trainer):
    """Steps of the discriminator D and the generator G in turn.

    D descends -log D(x) - log(1 - D(G(z))), then G descends -log D(G(z)), both given the label (Goodfellow et al. 2014;
    Mirza and Osindero 2014). `averaged` follows G slowly: G itself goes in circles round the equilibrium (Yazici et al.
    2019, "The unusual effectiveness of averaging in GAN training").
    """

    def __init__(self, networks: ModuleDict, optimizers: tuple[Adam, Adam], noise: int, **kwargs):
        super().__init__(networks, optimizers[0], **kwargs)
        self.descent, self.noise = optimizers[1], noise
        self.generator, self.discriminator = networks["generator"], networks["discriminator"]
        self.averaged = networks["averaged"]
        self.of_generator: list[float] = []

    def made(self, labels: Tensor) -> Tensor:
        """Return an image (n, 64) of each label, from noise."""
        return self.generator(with_label(randn(len(labels), self.noise, device=labels.device), labels))

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        with no_grad():
            made = self.made(labels)
        real, false = (self.discriminator(with_label(x, labels)) for x in (images.reshape(-1, 64), made))
        return binary_cross_entropy_with_logits(real, 0.9 * ones_like(real)) + binary_cross_entropy_with_logits(
            false, zeros_like(false)
        )

    def train_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        loss = super().train_step(batch)
        labels = batch[1].to(device=self.device)
        self.descent.zero_grad()
        answers = self.discriminator(with_label(self.made(labels), labels))
        descended = binary_cross_entropy_with_logits(answers, ones_like(answers))
        descended.backward()
        self.descent.step()
        self.averaged.update_parameters(self.generator)
        self.of_generator.append(descended.item())
        return loss

    def state_dict(self) -> dict:
        return {**super().state_dict(), "descent": self.descent.state_dict(), "of_generator": list(self.of_generator)}

    def load_state_dict(self, state_dict) -> None:
        super().load_state_dict(state_dict)
        self.descent.load_state_dict(state_dict["descent"])
        self.of_generator = list(state_dict["of_generator"])


class GAN(DigitGeneration):
    """Makes digits by a generative adversarial network that is told the class."""

    notes = ("1.1.1 Timeline",)
    minutes = 2
    quick = {"epochs": 3, "classifier_epochs": 2, "judged": 100}
    epochs = 150
    noise = 24
    lr = 5e-4

    def networks(self) -> dict[str, Module]:
        generator = Sequential(
            Linear(self.noise + 10, 128), BatchNorm1d(128), ReLU(), Linear(128, 128), BatchNorm1d(128), ReLU(),
            Linear(128, 64), Sigmoid(),
        )  # fmt: skip
        discriminator = Sequential(
            Linear(74, 128),
            LeakyReLU(0.2),
            Dropout(0.3),
            Linear(128, 128),
            LeakyReLU(0.2),
            Dropout(0.3),
            Linear(128, 1),
        )
        averaged = AveragedModel(generator, avg_fn=get_ema_avg_fn(0.995), use_buffers=True)
        return {"generator": generator, "averaged": averaged, "discriminator": discriminator}

    def train_networks(self) -> None:
        networks = ModuleDict({name: self.model[name] for name in ("generator", "averaged", "discriminator")})
        optimizers = tuple(
            Adam(networks[name].parameters(), lr=self.lr, betas=(0.5, 0.999)) for name in ("discriminator", "generator")
        )
        trainer = self.trainer(networks, optimizers, self.noise, kind=Adversaries)
        self.fit(trainer, self.loader(), name="adversaries")
        curves({"discriminator": trainer.losses, "generator": trainer.of_generator}, self.picture("losses"), log=False)

    def samples(self, labels: Tensor) -> Tensor:
        noise = randn(len(labels), self.noise, device=self.device)
        return self.model["averaged"](with_label(noise, labels)).reshape(-1, 1, 8, 8)
