"""`gpugrad train NAME`: run a recipe. Without a name it lists them; `all` runs every one, `--report` writes it up."""

import argparse
import dataclasses
import json
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..recipes import find, names
from ..train import Options, Recipe
from .report import save_outcome, write_report
from .usage import number


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipe", nargs="?", metavar="NAME", help="a recipe, or all; without it they are listed")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or cuda:1")
    parser.add_argument(
        "--seed", type=number(int, 0), default=0, help="of the start values and the order of the samples (default 0)"
    )
    parser.add_argument("--epochs", type=number(int, 0), help="passes over the training data (default: the recipe's)")
    parser.add_argument("--batch-size", type=number(int, 1), help="samples per step (default: the recipe's)")
    parser.add_argument("--lr", type=number(float, 0), help="largest learning rate (default: the recipe's)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another setting of the recipe"
    )
    parser.add_argument("--quick", action="store_true", help="a run of seconds, which reaches no goal")
    parser.add_argument("--resume", action="store_true", help="go on with a run, or with all, that was broken off")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="start values, where the recipe can use some")
    parser.add_argument("--text", type=Path, metavar="FILE", help="a text to learn from, where the recipe reads one")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where files go (default: runs)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write figures, times and pictures as Markdown")


def run(args: argparse.Namespace) -> int:
    """Run; returns 1 where a full run misses a goal."""
    if args.recipe is None:
        asked = sorted(name for name, value in vars(args).items() if name != "command" and value)
        if asked := [name for name in asked if name not in ("device", "out")]:
            raise UsageError(f"--{asked[0].replace('_', '-')} is for a recipe: give its name, or all")
        print("\n".join(listed()))
        return 0
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler ends a run as Ctrl-C does: it is saved
    chosen = names() if args.recipe == "all" else [args.recipe]
    given = {"epochs": args.epochs, "batch_size": args.batch_size, "lr": args.lr, **_settings(args.set)}
    given = {name: value for name, value in given.items() if value is not None}
    options = Options(args.device, args.seed, args.quick, args.out, args.resume, args.weights, args.text)
    recipes = [kind(dataclasses.replace(options, settings=_of_their_types(kind, given))) for kind in map(find, chosen)]
    if args.report is not None:
        args.report.with_suffix("").mkdir(parents=True, exist_ok=True)  # before the work that it is for
    reached = [_run(recipe, args) for recipe in recipes]
    if args.report is not None:
        write_report(args.report, args.out, chosen)
    return 0 if all(reached) else 1


def _run(recipe: Recipe, args: argparse.Namespace) -> bool:
    """Run a recipe, one of all unless its outcome is there already; returns whether its goals are reached."""
    path = args.out / f"{recipe.name}.json"
    if args.recipe == "all":
        print(f"== {recipe.name}")
        if args.resume and path.exists():
            print("done before")
            return all(figure["met"] in (True, None) for figure in json.loads(path.read_text())["figures"].values())
    outcome = recipe.run()
    save_outcome(recipe, outcome, path)
    return not recipe.is_full or all(outcome.met.values())


def listed() -> list[str]:
    """Return a line for each recipe: its name, the minutes that it takes, what it is."""
    lines = [f"{'recipe':<16} {'minutes':>7}  what it shows (gpugrad train NAME)"]
    for name in names():
        kind = find(name)
        lines.append(f"{name:<16} {kind.minutes:>7g}  {kind.description()}")
    return lines


def _settings(assignments: list[str]) -> dict[str, str]:
    for text in assignments:
        if "=" not in text:
            raise UsageError(f"--set: expected NAME=VALUE, got {text!r}")
    return {name: value for name, _, value in (text.partition("=") for text in assignments)}


def _read(kind: type, text: str) -> Any:
    return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)


def _of_their_types(kind: type[Recipe], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are texts as what the recipe's own values are."""
    known, found = kind.settings(), {}
    for name, value in given.items():
        try:
            found[name] = _read(type(known[name]), value) if isinstance(value, str) and name in known else value
        except (KeyError, ValueError):
            raise UsageError(f"--set {name}: expected a value like {known[name]!r}, got {value!r}") from None
    return found
