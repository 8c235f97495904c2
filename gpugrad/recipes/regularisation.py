"""Regularisation: ways to learn less by heart, each on the same few samples, over several seeds."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..data import DataLoader, RandomAffine, TensorDataset, load_digits
from ..nn import BatchNorm1d, Dropout, Flatten, Linear, Module, ModuleDict, ReLU, Sequential
from ..nn.functional import cross_entropy
from ..optim import Adam
from ..train import Goal, Recipe, Trainer, accuracy, penalty
from ..viz import bars, panels

L1, L2 = {"l1": 3e-4}, {"l2": 1e-2}
KINDS = {"none": {}, "L2": L2, "L1": L1, "elastic net": {"l1": 1.5e-4, "l2": 5e-3}, "dropout": {}, "batch norm": {},
         "early stopping": {}, "augmentation": {}}  # fmt: skip


class Penalized(Trainer):
    """Minimises L(W) = 1/N sum_i L_i(f(x_i, W), y_i) + l1 sum |W| + l2 sum W^2, and may keep the best network.

    early: go back to the weights of the epoch whose validation loss was least. augment: changes images at random.
    """

    def __init__(self, model: Module, optimizer: Adam, *, l1: float = 0.0, l2: float = 0.0, **kwargs):
        self.augment = kwargs.pop("augment", lambda images: images)
        super().__init__(model, optimizer, cross_entropy, **kwargs)
        self.strengths = {"l1": l1, "l2": l2}

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        if not self.model.training:
            return super().loss_of(batch)
        weights = [w for w in self.model.parameters() if w.ndim > 1]
        return super().loss_of((self.augment(batch[0]), batch[1])) + penalty(weights, **self.strengths)


class EarlyStopping(Penalized):
    """Keeps the weights of the epoch with the least validation loss, in `kept`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.best, self.kept = np.inf, self.model.state_dict()

    def evaluate(self, loader) -> float:
        loss = super().evaluate(loader)
        if loss < self.best:
            self.best, self.kept = loss, {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return loss

    def state_dict(self) -> dict:
        return {**super().state_dict(), "best": self.best, "kept": self.kept}

    def load_state_dict(self, state_dict) -> None:
        super().load_state_dict(state_dict)
        self.best, self.kept = state_dict["best"], state_dict["kept"]


class Regularisation(Recipe):
    """Compares none, L2, L1, elastic net, dropout, batch norm, early stopping and augmentation on few digits.

    A multilayer perceptron learns 150 digits of 8 x 8 pixels, a fifth of which have wrong labels, so that learning them
    by heart does harm; each figure is the mean of several seeds (samples and
    start values), with the standard deviation beside it. Early stopping keeps the weights of the least loss on 100
    samples to validate on, which no training sees. L1 gains little here, with any strength that was tried: three times
    this one does harm.
    """

    notes = ("2.3 Regularization", "2.3.1 Bayesian Interpretation", "Regularization: L2, L1, elastic net")
    minutes = 2
    goals = {"gain of L2": Goal(0.01), "gain of dropout": Goal(0.02), "gain of early stopping": Goal(0.02)}
    quick = {"epochs": 3, "seeds": 1}
    epochs = 50
    seeds = 4
    samples = 150
    wrong = 0.2  # of the labels to learn from
    lr = 2e-3

    def network(self, kind: str) -> Module:
        """Return the network for a way to regularise, new."""
        sizes, extra = (64, 256, 256), {"dropout": lambda n: [Dropout(0.5)], "batch norm": lambda n: [BatchNorm1d(n)]}
        layers: list[Module] = [Flatten()]
        for inside, outside in zip(sizes, sizes[1:], strict=False):
            norm = extra[kind](outside) if kind == "batch norm" else []
            layers += [Linear(inside, outside), *norm, ReLU(), *(extra[kind](outside) if kind == "dropout" else [])]
        return Sequential(*layers, Linear(sizes[-1], 10))

    def build(self) -> Module:
        made = {}
        for seed in range(self.seeds):
            manual_seed(self.options.seed + seed)
            start = self.network("none").state_dict()
            for kind in KINDS:
                made[f"{kind}-{seed}"] = model = self.network(kind)
                if kind not in ("dropout", "batch norm"):  # all others start from the same weights
                    model.load_state_dict(start)
        return ModuleDict(made)

    def data(self, seed: int) -> tuple[TensorDataset, TensorDataset, TensorDataset]:
        """Return samples to train on, to validate on, and to test on; the last are the same for all seeds."""
        train, test = load_digits(8)
        order = np.random.default_rng(self.options.seed + seed).permutation(len(train))
        cuts = order[: self.samples], order[self.samples : self.samples + 100]
        one, two = (TensorDataset(*(tensor[cut] for tensor in train.tensors)) for cut in cuts)
        labels = one.tensors[1].numpy().copy()
        labels[: round(self.wrong * len(labels))] = (labels[: round(self.wrong * len(labels))] + 1 + seed % 9) % 10
        return TensorDataset(one.tensors[0], asarray(labels)), two, test

    def train(self) -> None:
        self.record = {"validation": {}, "training accuracy": {}}
        for seed in range(self.seeds):
            train, validation, _ = self.data(seed)
            for kind, strengths in KINDS.items():
                manual_seed(self.options.seed + seed)
                model = self.model[f"{kind}-{seed}"]
                augment = {"augment": RandomAffine(degrees=15, translate=0.1)} if kind == "augmentation" else {}
                sort = EarlyStopping if kind == "early stopping" else Penalized
                optimizer = Adam(model.parameters(), lr=self.lr)
                trainer = self.trainer(model, optimizer, kind=sort, **strengths, **augment)
                loader, tests = DataLoader(train, 16, shuffle=True), [tuple(validation.tensors)]
                self.fit(trainer, loader, validation=tests, name=f"{kind.replace(' ', '-')}-{seed}")
                if isinstance(trainer, EarlyStopping):
                    model.load_state_dict(trainer.kept)
                self.record["validation"].setdefault(kind, []).append(trainer.validation)
                self.record["training accuracy"].setdefault(kind, []).append(accuracy(model, train, self.device))

    def evaluate(self) -> dict[str, float]:
        test = self.data(0)[2]
        found = {
            kind: np.array([accuracy(self.model[f"{kind}-{seed}"], test, self.device) for seed in range(self.seeds)])
            for kind in KINDS
        }
        self.record["test"] = {kind: reached.tolist() for kind, reached in found.items()}
        figures = {f"gain of {kind}": float((found[kind] - found["none"]).mean()) for kind in KINDS if kind != "none"}
        for kind, reached in found.items():
            figures |= {f"test accuracy, {kind}": reached.mean(), f"standard deviation, {kind}": reached.std()}
        return figures

    def draw(self) -> None:
        shown = {
            kind: {"training": 100 * np.mean(self.record["training accuracy"][kind]), "test": 100 * np.mean(reached)}
            for kind, reached in self.record["test"].items()
        }
        bars(shown, self.picture("accuracy"), ylabel="accuracy (%), mean over seeds")
        curves = {
            kind: (np.arange(1, 1 + len(losses[0])), losses[0]) for kind, losses in self.record["validation"].items()
        }
        panels({"validation loss": curves}, self.picture("validation"), xlabel="epoch", log="y")
