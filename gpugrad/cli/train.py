"""`gpugrad train RECIPE`: train a network of the course notes on real data, draw the loss, save a checkpoint."""

import argparse
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..autograd import no_grad
from ..autograd.tensor import Tensor
from ..backend.random import manual_seed
from ..data import DataLoader, RandomAffine, TensorDataset, load_digits
from ..errors import MissingPackageError
from ..io import save
from ..models import LeNet
from ..nn import Module
from ..nn.functional import cross_entropy
from ..optim import SGD


@dataclass(frozen=True)
class Recipe:
    """What `train` and `eval` need to know about a classifier."""

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
        "--seed", type=int, default=0, help="of the start values and the order of the samples (default 0)"
    )
    parser.add_argument("--epochs", type=int, help="passes over the training data (default: the recipe's)")
    parser.add_argument("--batch-size", type=int, help="samples per step (default: the recipe's)")
    parser.add_argument("--lr", type=float, help="largest learning rate (default: the recipe's)")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where files go (default: runs)")


def run(args: argparse.Namespace) -> int:
    """Train, then write DIR/RECIPE-loss.png and DIR/RECIPE.safetensors and print the accuracy on the test data."""
    start, recipe = time.perf_counter(), RECIPES[args.recipe]
    manual_seed(args.seed)
    training, test = recipe.data()
    model = recipe.model().to(args.device)
    epochs = recipe.epochs if args.epochs is None else args.epochs
    loader = DataLoader(training, args.batch_size or recipe.batch_size, shuffle=True)
    losses = fit(model, loader, recipe.augment, args.device, epochs, recipe.lr if args.lr is None else args.lr)
    correct = accuracy(model, test, args.device)
    args.out.mkdir(parents=True, exist_ok=True)
    picture, checkpoint = args.out / f"{args.recipe}-loss.png", args.out / f"{args.recipe}.safetensors"
    draw(losses, len(loader), picture)
    save(checkpoint, model.state_dict(), {"recipe": args.recipe, "accuracy": correct})
    print(f"test accuracy: {correct:.2%} of {len(test)} images, after {time.perf_counter() - start:.1f} s")
    print(f"wrote {checkpoint} and {picture}")
    return 0


def fit(
    model: Module, loader: DataLoader, augment: Callable[[Tensor], Tensor], device: str, epochs: int, lr: float
) -> list[float]:
    """Train with momentum, the learning rate falling linearly to zero; returns the loss of every step."""
    optimizer = SGD(model.parameters(), lr=lr, momentum=0.9)
    steps = epochs * len(loader)
    losses: list[float] = []
    model.train()
    with demo("tqdm").tqdm(total=steps, unit="step") as bar:
        for _ in range(epochs):
            for images, labels in loader:
                optimizer.param_groups[0]["lr"] = lr * (1 - len(losses) / steps)
                optimizer.zero_grad()
                loss = cross_entropy(model(augment(images).to(device)), labels.to(device))
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                bar.update()
                bar.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
    return losses


def accuracy(model: Module, test: TensorDataset, device: str) -> float:
    """The fraction of the test samples whose largest score is that of their class."""
    model.eval()
    correct = 0
    with no_grad():
        for images, labels in DataLoader(test, 256):
            scores = model(images.to(device)).cpu().numpy()
            correct += int((scores.argmax(1) == labels.numpy()).sum())
    return correct / len(test)


def draw(losses: list[float], steps_per_epoch: int, path: Path) -> None:
    """Write the curve of the loss as a picture."""
    figure = demo("matplotlib.figure").Figure(figsize=(7, 4), layout="constrained")
    axes: Any = figure.subplots()
    axes.plot([(i + 1) / steps_per_epoch for i in range(len(losses))], losses, linewidth=1)
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def demo(package: str) -> Any:
    """A package that only the commands need."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingPackageError(
            f"this command needs {package.partition('.')[0]}: pip install 'gpugrad[demo]'"
        ) from None
