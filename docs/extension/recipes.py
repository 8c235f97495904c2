"""The course notes: the map of their sections, and the gallery of what the recipes reached, by the committed report."""

import argparse
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

from gpugrad.cli import notes

from .folder import ROOT, Folder

REPORT = ROOT / "benchmarks" / "results" / "recipes"
IMAGES = (".png", ".svg")


def write(folder: Folder) -> None:
    """Write the map, the gallery and a page for each recipe."""
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(REPORT.glob("*.json"))]
    names = {row["recipe"] for row in rows}
    for row in rows:
        for picture in row["pictures"]:
            if (REPORT / picture).suffix in IMAGES:
                folder.keep(f"gallery/{picture}", (REPORT / picture).read_bytes())
        folder.write(f"gallery/{row['recipe']}.md", page(row))
    folder.write("gallery/index.md", gallery(rows))
    folder.write("notes.md", section_map(names))


def section_map(recipes: set[str]) -> str:
    """Return `gpugrad notes --markdown` with links from names to the reference, and from commands to the gallery."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        notes.run(argparse.Namespace(word="", markdown=True))
    lines = []
    for line in shown.getvalue().splitlines():
        if line.startswith("| ") and line.count(" | ") == 2:
            section, code, command = line.strip("| ").split(" | ")
            code = re.sub(r"`([\w.]+)`", r"{py:obj}`\1 <gpugrad.\1>`", code)
            found = re.match(r"`gpugrad train (\w+)[^`]*`$", command.strip())
            if found and found[1] in recipes:
                command = f"[{command.strip()}](gallery/{found[1]}.md)"
            line = f"| {section} | {code} | {command} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def gallery(rows: list[dict[str, Any]]) -> str:
    """Return the page with a card for each recipe."""
    cards = []
    for row in rows:
        picture = next((p for p in row["pictures"] if Path(p).suffix in IMAGES and "loss" not in p), None)
        picture = picture or next((p for p in row["pictures"] if Path(p).suffix in IMAGES), None)
        top = f":img-top: {picture}\n:img-alt: {_described(picture)}\n" if picture else ""
        cards.append(
            f":::{{grid-item-card}} {row['recipe']}\n:link: {row['recipe']}\n:link-type: doc\n{top}\n"
            f"{row['description']}\n\n+++\n{_best(row)}\n:::"
        )
    text = (
        "# Gallery\n\nEvery system of the course notes is a short program. `gpugrad train NAME` runs one; these are "
        "figures and pictures of full runs, with the goals that they had to reach. Nothing is left out that was missed."
    )
    grid = "::::{grid} 1 2 3 3\n:gutter: 3\n\n" + "\n\n".join(cards) + "\n::::"
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(row["recipe"] for row in rows) + "\n```"
    return f"{text}\n\n{grid}\n\n{tree}\n"


def _best(row: dict[str, Any]) -> str:
    """Return the figures that have a goal, in one line."""
    said = [f"{name} **{f['text']}** ({verdict(row, f)})" for name, f in row["figures"].items() if f["goal"]]
    return "; ".join(said[:2]) or "no goals"


def verdict(row: dict[str, Any], figure: dict[str, Any]) -> str:
    """Return what a figure says of its goal."""
    return "reached" if figure["met"] else "missed" if row["full"] else "of a quick run"


def _described(picture: str) -> str:
    return Path(picture).stem.replace("-", ": ", 1).replace("-", " ").replace("_", " ")


def page(row: dict[str, Any]) -> str:
    """Return the page of a recipe."""
    name, about = row["recipe"], row["environment"]
    module = next((e for e in notes.entries() if e.command.startswith(f"gpugrad train {name}")), None)
    parts = [f"# {name}", row["description"], f"```sh\ngpugrad train {name}\n```"]
    lines = ["| figure | value | goal | |", "| --- | ---: | --- | --- |"]
    for figure, found in row["figures"].items():
        said = verdict(row, found) if found["goal"] else ""
        lines.append(f"| {figure} | {found['text']} | {found['goal'] or ''} | {said} |")
    parts.append("\n".join(lines))
    for picture in row["pictures"]:
        if Path(picture).suffix in IMAGES:
            parts.append(f"![{_described(picture)}]({picture})")
        else:
            text = (REPORT / picture).read_text(encoding="utf-8").rstrip()
            parts.append(f"`{picture}`\n\n````text\n{text}\n````")
    steps = ", ".join(f"{1e3 * s:.3g} ms" for s in row["step_seconds"].values())
    where = about["gpu"] or f"{about['cpu']}, {about['threads']} threads"
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items() if k in ("gpugrad", "numpy", "cupy"))
    parts.append(
        f"{row['seconds']:.0f} s{f'; steps of {steps}' if steps else ''}, on {where}; {versions}; {about['date'][:10]}."
    )
    if module:
        parts.append(f"In the notes: {module.note}, {module.section}. [The map of all sections](/generated/notes.md).")
    return "\n\n".join(parts) + "\n"
