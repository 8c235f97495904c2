"""`gpugrad train RECIPE`: train a network of the course notes on real data, draw the loss, save a checkpoint."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..autograd import no_grad
from ..autograd.tensor import Tensor
from ..backend.devices import Device
from ..backend.devices import device as find_device
from ..backend.random import manual_seed
from ..data import DataLoader, RandomAffine, TensorDataset, load_digits
from ..io import save
from ..models import LeNet
from ..nn import Module
from ..nn.functional import cross_entropy
from ..optim import SGD
from ..optim.lr_scheduler import LambdaLR
from ..train import Trainer
from .usage import number


@dataclass(frozen=True)
class Recipe:
    """Describes a classifier to `train` and `eval`."""

    data: Callable[[], tuple[TensorDataset, TensorDataset]]  # to train on, to test on
    augment: Callable[[Tensor], Tensor]  # random changes of a training batch
    model: Callable[[], Module]
    epochs: int
    batch_size: int
    lr: float


RECIPES = {
    "digits": Recipe(
        data=load_digits,
        augment=RandomAffine(degrees=15, translate=0.09, scale=0.2, shear=0.25),
        model=lambda: LeNet(size=20),
        epochs=30,
        batch_size=64,
        lr=0.05,
    ),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    parser.add_argument(
        "--seed", type=number(int, 0), default=0, help="of the start values and the order of the samples (default 0)"
    )
    parser.add_argument("--epochs", type=number(int, 0), help="passes over the training data (default: the recipe's)")
    parser.add_argument("--batch-size", type=number(int, 1), help="samples per step (default: the recipe's)")
    parser.add_argument("--lr", type=number(float, 0), help="largest learning rate (default: the recipe's)")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where files go (default: runs)")


def run(args: argparse.Namespace) -> int:
    """Train, then write DIR/RECIPE-loss.png and DIR/RECIPE.safetensors and print the accuracy on the test data."""
    start, recipe, device = time.perf_counter(), RECIPES[args.recipe], find_device(args.device)
    args.out.mkdir(parents=True, exist_ok=True)  # before the work that it is for
    manual_seed(args.seed)
    training, test = recipe.data()
    model = recipe.model().to(device)
    epochs, batch_size, lr = (
        getattr(recipe, name) if given is None else given
        for name, given in (("epochs", args.epochs), ("batch_size", args.batch_size), ("lr", args.lr))
    )
    trainer = fit(model, DataLoader(training, batch_size, shuffle=True), recipe.augment, device, epochs, lr)
    correct = accuracy(model, test, device)
    picture, checkpoint = args.out / f"{args.recipe}-loss.png", args.out / f"{args.recipe}.safetensors"
    save(checkpoint, model.state_dict(), {"recipe": args.recipe, "accuracy": correct})
    trainer.draw(picture)
    print(f"test accuracy: {correct:.2%} of {len(test)} images, after {time.perf_counter() - start:.1f} s")
    print(f"wrote {checkpoint} and {picture}")
    return 0


class Augmented(Trainer):
    """Trains a classifier on random changes of the images."""

    def __init__(self, augment: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.augment = augment

    def loss_of(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        return cross_entropy(self.model(self.augment(images)), labels)


def fit(
    model: Module, loader: DataLoader, augment: Callable[[Tensor], Tensor], device: Device, epochs: int, lr: float
) -> Trainer:
    """Train with momentum, while the learning rate falls linearly to zero."""
    optimizer, steps = SGD(model.parameters(), lr=lr, momentum=0.9), epochs * len(loader)
    schedule = LambdaLR(optimizer, lambda step: 1 - step / max(1, steps))
    trainer = Augmented(augment, model, optimizer, scheduler=schedule, scheduled="step", device=device)
    trainer.fit(loader, epochs)
    return trainer


def accuracy(model: Module, test: TensorDataset, device: Device) -> float:
    """Return the fraction of the test samples whose largest score is that of their class."""
    model.eval()
    correct = 0
    with no_grad():
        for images, labels in DataLoader(test, 256):
            scores = model(images.to(device=device)).cpu().numpy()
            correct += int((scores.argmax(1) == labels.numpy()).sum())
    return correct / len(test)
