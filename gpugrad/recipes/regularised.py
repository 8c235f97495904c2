"""Regularised: what keeps a network from learning few samples by heart, each with and without."""

from ..autograd.tensor import Tensor
from ..data import MixUp
from ..data.transforms import Cutout
from ..models import CIFARResNet
from ..nn import (
    BatchNorm2d,
    Conv2d,
    Dropout2d,
    Flatten,
    FractionalMaxPool2d,
    Linear,
    MaxPool2d,
    Module,
    ModuleDict,
    ReLU,
    Sequential,
)
from ..train import DigitClassification, accuracy
from ..viz import bars


def _network(dropout: float = 0.0, fractional: bool = False) -> Sequential:
    """Return three convolutions, pooled from 16 x 16 to 5 x 5 by max-pools, or in more places by fractional ones."""

    def layers(inside: int, outside: int) -> list[Module]:
        return [Conv2d(inside, outside, 3, padding=1, bias=False), BatchNorm2d(outside), ReLU(), Dropout2d(dropout)]

    def pool(size: int) -> Module:
        return FractionalMaxPool2d(2, output_size=size) if fractional else MaxPool2d(2)

    first, second = (11, 7) if fractional else (8, 4)
    head = Linear(32 * second * second, 10)
    return Sequential(*layers(1, 16), pool(first), *layers(16, 32), pool(second), *layers(32, 32), Flatten(), head)


class Regularised(DigitClassification):
    """Trains on 150 digits with and without fractional pooling, stochastic depth, spatial dropout, mixup and cutout.

    Each figure is the accuracy on test digits, the mean of several trainings from other start values. Images are not
    changed at random, other than by mixup and cutout, so that there is something to gain.
    """

    notes = ("Regularization: Stochastic depth, fractional pooling, etc",)
    minutes = 3
    quick = {"epochs": 3, "train_samples": 96, "repeats": 1}
    size = 16
    epochs = 30
    train_samples = 150
    repeats = 2
    batch_size = 32

    def augment(self, images: Tensor) -> Tensor:
        return images

    def build(self) -> Module:
        made = {}
        for number in range(self.repeats):
            made |= {
                f"plain-{number}": _network(),
                f"fractional max-pooling-{number}": _network(fractional=True),
                f"spatial dropout-{number}": _network(dropout=0.2),
                f"mixup-{number}": _network(),
                f"cutout-{number}": _network(),
                f"residual-{number}": CIFARResNet(20, width=8, in_channels=1),
                f"stochastic depth-{number}": CIFARResNet(20, width=8, in_channels=1, drop=0.5),
            }
        return ModuleDict(made)

    def train(self) -> None:
        for name, model in self.model.items():
            kind = name.rpartition("-")[0]
            changes = {"mixup": {"mix": MixUp(num_classes=10)}, "cutout": {"augment": Cutout(6)}}
            self.fit_classifier(model, name, drawn=False, **changes.get(kind, {}))

    def evaluate(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, model in self.model.items():
            kind = name.rpartition("-")[0]
            found[kind] = found.get(kind, 0.0) + accuracy(model, self.split.test, self.device) / self.repeats
        without = {"stochastic depth": found.pop("residual")}
        plain = found.pop("plain")
        self.record["figures"] = {
            kind: {"without": without.get(kind, plain), "with": reached} for kind, reached in found.items()
        }
        return {
            f"{kind}: {what}": value
            for kind, group in self.record["figures"].items()
            for what, value in [*group.items(), ("gain", group["with"] - group["without"])]
        }

    def draw(self) -> None:
        shown = {kind: {n: 100 * v for n, v in group.items()} for kind, group in self.record["figures"].items()}
        bars(shown, self.picture("accuracy"), ylabel="test accuracy (%)")
