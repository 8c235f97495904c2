"""Ensembles: several networks, several heads, several moments of one training, dropout."""

import numpy as np

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..data import DataLoader, TensorDataset, load_digits
from ..nn import BatchNorm1d, Dropout, Flatten, Linear, Module, ModuleDict, ModuleList, ReLU, Sequential
from ..nn.functional import cross_entropy
from ..ops.join import stack
from ..optim import SGD
from ..optim.lr_scheduler import CosineAnnealingWarmRestarts
from ..optim.swa_utils import AveragedModel, get_ema_avg_fn
from ..train import Goal, Recipe, Trainer
from ..viz import bars


def network(dropout: float = 0.0, norm: bool = False) -> Sequential:
    """Return a multilayer perceptron for digits of 8 x 8 pixels."""
    parts = [BatchNorm1d(64)] if norm else []
    return Sequential(Flatten(), Linear(64, 64), *parts, ReLU(), Dropout(dropout), Linear(64, 10))


class Heads(Module):
    """A shared trunk with several heads, whose scores come side by side: (n, heads, 10)."""

    def __init__(self, heads: int):
        super().__init__()
        self.trunk = Sequential(Flatten(), Linear(64, 64), ReLU())
        self.heads = ModuleList([Sequential(Linear(64, 32), ReLU(), Linear(32, 10)) for _ in range(heads)])

    def forward(self, input: Tensor) -> Tensor:
        shared = self.trunk(input)
        return stack([head(shared) for head in self.heads], 1)


def heads_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of the heads."""
    count = scores.shape[1]
    return (
        sum((cross_entropy(scores[:, i], labels) for i in range(1, count)), cross_entropy(scores[:, 0], labels)) / count
    )


class Following(Trainer):
    """Keeps averages of the weights: SWA over the last half of the epochs, EMA over all steps."""

    def __init__(self, *args, averages: ModuleDict, first: int, **kwargs):
        super().__init__(*args, **kwargs)
        self.averages, self.first = averages, first

    def train_step(self, batch) -> Tensor:
        loss = super().train_step(batch)
        self.averages["EMA"].update_parameters(self.model)
        if self.epoch >= self.first:
            self.averages["SWA"].update_parameters(self.model)
        return loss

    def state_dict(self) -> dict:
        return {**super().state_dict(), **{name: self.averages[name].state_dict() for name in ("SWA", "EMA")}}

    def load_state_dict(self, state_dict) -> None:
        super().load_state_dict(state_dict)
        for name in ("SWA", "EMA"):
            self.averages[name].load_state_dict(state_dict[name])


class Ensembles(Recipe):
    """Compares ensembles with their members on digits: averaged probabilities, heads, snapshots, weights, dropout.

    An ensemble answers with the mean of its members' probabilities (the notes' 4.6); each member learns from a sample
    of its own, drawn with replacement (bagging, Breiman 1996). Heads share a trunk; snapshots are
    taken at the end of each cosine cycle of one training (Huang et al. 2017); SWA and EMA average weights (Izmailov et
    al. 2018); dropout left on is an ensemble of thinned networks (Gal and Ghahramani 2016). Batch norm with the
    statistics of test batches of 8 stands beside evaluation mode.
    """

    notes = ("4.6 Ensemble Learning", "4.6.4 Dropout (aka Fastererer Ensemble Learning)", "4.3 Batch Normalization")
    minutes = 0.5
    goals = {"gain of the ensemble over its members": Goal(0.005)}
    quick = {"epochs": 4, "members": 2, "samples": 100}
    epochs = 40
    members = 5
    samples = 150
    lr = 0.05

    def data(self, member: int = -1) -> TensorDataset:
        """Return the samples to learn from; of a member, drawn with replacement."""
        images, labels = load_digits(8).train.tensors
        order = np.random.default_rng(self.options.seed).permutation(len(labels))[: self.samples]
        if member >= 0:
            order = np.random.default_rng(member).choice(order, self.samples)
        return TensorDataset(images[order], labels[order])

    def build(self) -> Module:
        made: dict[str, Module] = {f"member {i}": network() for i in range(self.members)}
        made |= {"heads": Heads(self.members), "dropout": network(dropout=0.3), "batch norm": network(norm=True)}
        made |= {"averaged": network()}
        made |= {
            "SWA": AveragedModel(made["averaged"]),
            "EMA": AveragedModel(made["averaged"], avg_fn=get_ema_avg_fn(0.98)),
        }
        return ModuleDict(made | {f"snapshot {i}": network() for i in range(self.members)})

    def train(self) -> None:
        loader = DataLoader(self.data(), 32, shuffle=True)
        for i in range(self.members):
            manual_seed(self.options.seed + i)
            self.one(f"member {i}", DataLoader(self.data(i), 32, shuffle=True))
        for name, loss in (("heads", heads_loss), ("dropout", cross_entropy), ("batch norm", cross_entropy)):
            self.one(name, loader, loss)
        self.snapshots(loader)
        model = self.model["averaged"]
        trainer = self.trainer(
            model, SGD(model.parameters(), lr=self.lr, momentum=0.9), cross_entropy, kind=Following,
            averages=self.model, first=self.epochs // 2,
        )  # fmt: skip
        self.fit(trainer, loader, name="averaged")

    def one(self, name: str, loader: DataLoader, loss=cross_entropy) -> None:
        """Train a network by itself."""
        model = self.model[name]
        trainer = self.trainer(model, SGD(model.parameters(), lr=self.lr, momentum=0.9), loss)
        self.fit(trainer, loader, name=name.replace(" ", "-"))

    def snapshots(self, loader: DataLoader) -> None:
        """Train one network, whose learning rate falls and begins again, and keep it at the end of each cycle."""
        model, each = network().to(self.device), max(1, 2 * self.epochs // self.members)
        optimizer = SGD(model.parameters(), lr=2 * self.lr, momentum=0.9)
        trainer = self.trainer(
            model, optimizer, cross_entropy, scheduler=CosineAnnealingWarmRestarts(optimizer, each), scheduled="epoch"
        )
        for i in range(self.members):
            self.fit(trainer, loader, each * (i + 1), name="snapshots")
            self.model[f"snapshot {i}"].load_state_dict(model.state_dict())

    def probabilities(self, name: str, images: Tensor) -> np.ndarray:
        """Return the network's probabilities (n, ..., 10) for images."""
        with no_grad():
            return self.model[name](images.to(device=self.device)).softmax(-1).cpu().numpy()

    def evaluate(self) -> dict[str, float]:
        images, labels = load_digits(8).test.tensors
        right = labels.numpy()

        def reached(probabilities: np.ndarray) -> float:
            return float((probabilities.argmax(-1) == right).mean())

        kinds = {kind: [f"{kind} {i}" for i in range(self.members)] for kind in ("member", "snapshot")}
        found = {kind: np.stack([self.probabilities(n, images) for n in named]) for kind, named in kinds.items()}
        found["heads"] = self.probabilities("heads", images).swapaxes(0, 1)
        manual_seed(self.options.seed)
        self.model["dropout"].train()
        found["dropout"] = np.stack([self.probabilities("dropout", images) for _ in range(30)])
        self.model["dropout"].eval()
        figures, shown = {}, {}
        for kind, each in found.items():
            alone, together = float(np.mean([reached(one) for one in each])), reached(each.mean(axis=0))
            figures |= {f"test accuracy, {kind}, alone": alone, f"test accuracy, {kind}, ensemble": together}
            shown[kind] = {"alone": 100 * alone, "ensemble": 100 * together}
        single = {name: reached(self.probabilities(name, images)) for name in ("averaged", "SWA", "EMA")}
        figures |= {f"test accuracy, {'last weights' if n == 'averaged' else n}": value for n, value in single.items()}
        for name in ("SWA", "EMA"):
            shown[name] = {"alone": 100 * single["averaged"], "ensemble": 100 * single[name]}
        self.record["shown"] = shown
        gain = figures["test accuracy, member, ensemble"] - figures["test accuracy, member, alone"]
        evaluated = reached(self.probabilities("batch norm", images))
        return {
            "gain of the ensemble over its members": gain, **figures,
            "test accuracy, dropout off": reached(self.probabilities("dropout", images)),
            "test accuracy, batch norm, evaluation mode": evaluated,
            "test accuracy, batch norm, statistics of batches of 8": self.stochastic(images, right),
        }  # fmt: skip

    def stochastic(self, images: Tensor, right: np.ndarray) -> float:
        """Return the accuracy with the statistics of each test batch of 8 in place of those of the training."""
        model = self.model["batch norm"]
        kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.train()
        parts = [self.probabilities("batch norm", images[i : i + 8]) for i in range(0, len(right) - 7, 8)]
        model.eval()
        model.load_state_dict(kept)  # the statistics have moved
        answers = np.concatenate(parts).argmax(-1)
        return float((answers == right[: len(answers)]).mean())

    def draw(self) -> None:
        bars(self.record["shown"], self.picture("accuracy"), ylabel="test accuracy (%)")
