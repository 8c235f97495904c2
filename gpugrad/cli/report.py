"""What recipes gave, as a page: figures beside their goals, times, pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..train import Outcome, Recipe
from .suite import suite


def save_outcome(recipe: Recipe, outcome: Outcome, path: Path) -> None:
    """Write what a run gave, and on which machine, as JSON."""
    threads = len(suite("measuring.cores").CORES)
    about = suite("measuring.environment").environment(threads, [str(recipe.device)], "recipe")
    figures = {
        name: {
            "text": recipe.formatted(name, value),
            "value": value,
            "goal": str(recipe.goals[name]) if name in recipe.goals else None,
            "met": outcome.met.get(name),
        }
        for name, value in outcome.figures.items()
    }
    row = {
        "recipe": recipe.name,
        "description": recipe.description(),
        "full": recipe.is_full,
        "seed": recipe.options.seed,
        "figures": figures,
        "seconds": outcome.seconds,
        "step_seconds": outcome.step_seconds,
        "losses": {name: _thinned(losses) for name, losses in outcome.losses.items()},
        "pictures": [picture.name for picture in outcome.pictures],
        "environment": about,
    }
    path.write_text(json.dumps(row, indent=1) + "\n")


def _thinned(losses: list[float], most: int = 200) -> list[float]:
    """Return at most so many means of equally many losses in a row."""
    parts = np.array_split(np.array(losses, np.float64), min(most, len(losses)) or 1)
    return [float(part.mean()) for part in parts if len(part)]


def write_report(page: Path, runs: Path, recipes: Iterable[str]) -> None:
    """Write the Markdown `page` of the recipes whose outcomes are in the folder `runs`.

    The pictures and the outcomes are copied to a folder beside the page, named like it. If the folder has what
    `gpugrad bench train --json DIR/steps.jsonl` measured, a column says what PyTorch's twin takes for the same step.
    Raises CheckpointError for a recipe without an outcome.
    """
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in recipes:
        source = runs / f"{name}.json"
        if not source.exists():
            raise CheckpointError(f"{source} is missing: run `gpugrad train {name}` first")
        rows.append(json.loads(source.read_text()))
        for file in [source.name, *rows[-1]["pictures"]]:
            shutil.copy(runs / file, folder / file)
    twins, where = _twins(runs / "steps.jsonl")
    if twins:
        shutil.copy(runs / "steps.jsonl", folder / "steps.jsonl")
    head = [
        "| recipe | shows | figures | goal | time | a step | network's step / PyTorch's |",
        "| --- | --- | --- | --- | ---: | ---: | ---: |",
    ]
    table = "\n".join([*head, *(f"{_line(row)} {twins.get(row['recipe'], '')} |" for row in rows)])
    parts = ["# What the systems of the course notes reach", *_machines(rows), *where, table]
    page.write_text("\n\n".join([*parts, *(_section(row, folder.name) for row in rows)]) + "\n")


def _twins(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return what a step of a recipe's network took, beside PyTorch's, by recipe; and a sentence about the machine."""
    measured = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    found = {}
    for row in measured:
        kind, _, name = row.get("workload", "").partition(" ")
        if kind == "train" and row["pass"] == "step" and "torch" in row.get("peers", {}):
            ours, theirs = row["ours"]["median"], row["peers"]["torch"]["time"]["median"]
            ratio = row["peers"]["torch"]["ratio"]["median"]
            found[name] = f"{1e3 * ours:.3g} ms / {1e3 * theirs:.3g} ms = {ratio:.2f}"
    return found, [
        f"Steps beside PyTorch's: `gpugrad bench train` on {_machine(measured[-1], 'torch')}."
    ] if found else []


def _machines(rows: list[dict[str, Any]]) -> list[str]:
    """Return a sentence for each machine, with the recipes that ran there if there are several."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(_machine(row["environment"]), []).append(row["recipe"])
    if len(found) == 1:
        return [f"Runs of `gpugrad train all` on {next(iter(found))}."]
    return [f"{', '.join(names)}: on {where}." for where, names in found.items()]


def _machine(about: Mapping[str, Any], *more: str) -> str:
    named = "gpugrad", "numpy", "cupy", *more
    versions = [f"{name} {number}" for name, number in about["versions"].items() if name in named]
    hardware = about["gpu"] or f"{about['cpu']} ({about['simd']['widest']}), {about['threads']} threads"
    return f"{hardware}; {', '.join(versions)}, Python {about['python']}; {about['date'][:10]}"


def _line(row: Mapping[str, Any]) -> str:
    figures = row["figures"].items()
    first = "<br>".join(f"{name} {figure['text']}" for name, figure in figures)
    goals = "<br>".join(f"{figure['goal']}: {_verdict(figure, row)}" for _, figure in figures if figure["goal"])
    steps = "<br>".join(f"{1e3 * seconds:.3g} ms" for seconds in list(row["step_seconds"].values())[:3])
    return (
        f"| [{row['recipe']}](#{row['recipe']}) | {row['description']} | {first} | {goals} | "
        f"{row['seconds']:.0f} s | {steps} |"
    )


def _verdict(figure: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return "of a full run" if not row["full"] else "reached" if figure["met"] else "**missed**"


def _section(row: Mapping[str, Any], folder: str) -> str:
    shown = [
        f"[{name}]({folder}/{name})" if name.endswith(".txt") else f"![{name}]({folder}/{name})"
        for name in row["pictures"]
    ]
    return "\n\n".join([f"## {row['recipe']}", row["description"], f"`gpugrad train {row['recipe']}`", *shown])
