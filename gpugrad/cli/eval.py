"""`gpugrad eval CHECKPOINT`: print the figures of a network that `gpugrad train` saved, computed anew."""

import argparse
from pathlib import Path

from ..backend.devices import device as find_device
from ..errors import CheckpointError
from ..io import load
from ..recipes import find, names
from ..train import Options, Recipe


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("checkpoint", type=Path, help="a file that `gpugrad train` wrote")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")


def run(args: argparse.Namespace) -> int:
    """Load the checkpoint and print its figures. Raises CheckpointError for a file that `train` did not write."""
    options = Options(find_device(args.device))
    tensors, about = load(args.checkpoint)
    name = about["recipe"] if isinstance(about, dict) and Recipe.saved <= about.keys() else None
    if not isinstance(name, str) or name not in names():
        raise CheckpointError(f"{args.checkpoint}: not written by `gpugrad train` (its recipe is not one of {names()})")
    recipe = find(name).restore(tensors, about, options)
    print("\n".join(recipe.described(recipe.evaluate())))
    return 0
