"""Residual learning: deep plain networks train worse than shallow ones, and residual ones do not."""

from ..backend.random import Generator
from ..data import RandomAffine, TensorDataset
from ..models import CIFARResNet
from ..nn import Module, ModuleDict
from ..ops.join import concatenate
from ..train import DigitClassification, Goal, accuracy
from ..viz import curves, lines

_KINDS = ("plain", "residual")


class Residual(DigitClassification):
    """Compares plain networks of 20, 32 and 44 layers with residual twins: the error on what they are trained on.

    A residual block computes H(x) = F(x) + x, so that dH/dx = dF/dx + I: where the weights are small, the gradient
    passes as it is. A plain block computes F(x). Both have the same layers and training, and start values from the same
    distribution, but that F begins at 0 in residual blocks. Figures are errors on the training images, changed at
    random as in training.
    """

    notes = ("2.2 Residual Networks", "5.1.3.4 ResNet")
    minutes = 4
    goals = {
        "plain: error of the deepest less that of the shallowest": Goal(0.01),
        "residual: error of the deepest less that of the shallowest": Goal(0.005, lower=True),
    }
    quick = {"epochs": 3, "train_samples": 256, "batch_size": 32, "depths": "8,14", "width": 4}
    depths = "20,32,44"
    size = 8  # pixels that the digits really have
    width = 8
    epochs = 12
    lr = 0.1
    weight_decay = 1e-4

    def build(self) -> Module:
        return ModuleDict({
            f"{kind}{depth}": self.network(depth, kind == "plain")
            for depth in self._depths() for kind in _KINDS
        })  # fmt: skip

    def network(self, depth: int, plain: bool) -> CIFARResNet:
        """Return a network of that depth."""
        return CIFARResNet(depth, width=self.width, in_channels=1, plain=plain, zero_init_residual=not plain)

    def _depths(self) -> list[int]:
        return [int(depth) for depth in self.depths.split(",")]

    def train(self) -> None:
        for name, model in self.model.items():
            self.fit_classifier(model, name, drawn=False)

    def evaluate(self) -> dict[str, float]:
        images, labels = self.split.train.tensors
        change = RandomAffine(degrees=15, translate=0.09, scale=0.2, shear=0.25, generator=Generator().manual_seed(0))
        changed = TensorDataset(concatenate([change(images) for _ in range(2)]), concatenate([labels] * 2))
        errors = {name: 1 - accuracy(model, changed, self.device) for name, model in self.model.items()}
        self.record["errors"] = errors
        named = {f"{kind} {depth}": errors[f"{kind}{depth}"] for kind in _KINDS for depth in self._depths()}
        first, last = self._depths()[0], self._depths()[-1]
        for kind, goal in zip(_KINDS, self.goals, strict=True):
            named[goal] = errors[f"{kind}{last}"] - errors[f"{kind}{first}"]
        return named

    def draw(self) -> None:
        depths, errors = self._depths(), self.record["errors"]
        by_kind = {kind: [100 * errors[f"{kind}{depth}"] for depth in depths] for kind in _KINDS}
        lines(depths, by_kind, self.picture("depth"), xlabel="layers", ylabel="training error (%)")
        for kind in _KINDS:
            found = {f"{kind} {depth}": self._by_epoch(self.losses[f"{kind}{depth}"]) for depth in depths}
            curves(found, self.picture(f"loss-{kind}"), per_epoch=1)

    def _by_epoch(self, losses: list[float]) -> list[float]:
        """Return the mean loss of each epoch."""
        steps = max(1, len(losses) // max(1, self.epochs))
        return [sum(losses[i : i + steps]) / steps for i in range(0, len(losses) - steps + 1, steps)]
