"""`gpugrad eval CHECKPOINT`: print the accuracy on the test data of a network that `gpugrad train` saved."""

import argparse
from pathlib import Path

from ..backend.devices import device as find_device
from ..errors import CheckpointError
from ..io import load
from .train import RECIPES, accuracy


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="a file that `gpugrad train` wrote")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")


def run(args: argparse.Namespace) -> int:
    """Load the checkpoint and print the accuracy. Raises CheckpointError for a file that `train` did not write."""
    device = find_device(args.device)
    tensors, metadata = load(args.checkpoint)
    name = metadata.get("recipe") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or name not in RECIPES:
        raise CheckpointError(
            f"{args.checkpoint}: not written by `gpugrad train` (its recipe is not one of {sorted(RECIPES)})"
        )
    recipe = RECIPES[name]
    model = recipe.model().to(device)
    model.load_state_dict(tensors)
    _, test = recipe.data()
    print(f"test accuracy: {accuracy(model, test, device):.2%} of {len(test)} images")
    return 0
