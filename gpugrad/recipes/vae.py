"""A variational autoencoder: a code for each digit, close to noise, and back."""

from ..autograd.tensor import Tensor
from ..nn import Linear, Module, ModuleDict, ReLU, Sequential
from ..nn.functional import binary_cross_entropy_with_logits
from ..ops.elementwise import exp
from ..ops.random import randn, randn_like
from ..optim import Adam
from ..train import DigitGeneration, Trainer, with_label
from ..viz import image_grid


class Autoencoding(Trainer):
    """Minimises -log p(x | z, y) + beta KL(q(z | x, y) || N(0, 1)), z drawn from q = N(mean, exp(log variance)).

    The evidence lower bound of Kingma and Welling 2014, given the label y. z = mean + deviation * noise, so that the
    gradient passes; KL = -1/2 sum (1 + log variance - mean^2 - variance).
    """

    def __init__(self, networks: ModuleDict, optimizer: Adam, codes: int, beta: float, **kwargs):
        super().__init__(networks, optimizer, **kwargs)
        self.encoder, self.decoder = networks["encoder"], networks["decoder"]
        self.codes, self.beta = codes, beta

    def coded(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of the codes."""
        both = self.encoder(with_label(images.reshape(-1, 64), labels))
        return both[:, : self.codes], both[:, self.codes :]

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        mean, log_variance = self.coded(images, labels)
        z = mean + exp(0.5 * log_variance) * randn_like(mean)
        logits = self.decoder(with_label(z, labels))
        of_images = binary_cross_entropy_with_logits(logits, images.reshape(-1, 64), reduction="sum") / len(images)
        divergence = -0.5 * (1 + log_variance - mean**2 - exp(log_variance)).sum() / len(images)
        return of_images + self.beta * divergence


class VAE(DigitGeneration):
    """Makes digits by a variational autoencoder that is told the class."""

    notes = ("1.1.1 Timeline",)
    minutes = 1
    quick = {"epochs": 3, "classifier_epochs": 2, "judged": 100}
    epochs = 100
    codes = 8
    beta = 1.0
    lr = 2e-3

    def networks(self) -> dict[str, Module]:
        encoder = Sequential(Linear(74, 128), ReLU(), Linear(128, 128), ReLU(), Linear(128, 2 * self.codes))
        decoder = Sequential(Linear(self.codes + 10, 128), ReLU(), Linear(128, 128), ReLU(), Linear(128, 64))
        return {"encoder": encoder, "decoder": decoder}

    def autoencoding(self) -> Autoencoding:
        """Return what trains the two networks."""
        pair = ModuleDict({name: self.model[name] for name in ("encoder", "decoder")})
        return self.trainer(pair, Adam(pair.parameters(), lr=self.lr), self.codes, self.beta, kind=Autoencoding)

    def train_networks(self) -> None:
        trainer = self.autoencoding()
        self.fit(trainer, self.loader(), name="autoencoder")
        trainer.draw(self.picture("losses"))

    def samples(self, labels: Tensor) -> Tensor:
        z = randn(len(labels), self.codes, device=self.device)
        return self.model["decoder"](with_label(z, labels)).sigmoid().reshape(-1, 1, 8, 8)

    def draw(self) -> None:
        super().draw()
        images, labels = (tensor[:20].to(device=self.device) for tensor in self.split.test.tensors)
        mean, _ = self.autoencoding().coded(images, labels)
        again = self.model["decoder"](with_label(mean, labels)).sigmoid().reshape(-1, 1, 8, 8)
        image_grid([*images, *again], self.picture("again"), columns=20, side=0.5)
