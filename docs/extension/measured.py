"""The page of measurements: the newest results of each machine in benchmarks/results, drawn as the benchmarks draw
them."""

import re
from functools import cache
from typing import Any

from benchmarks.reports import charts, readme, table
from benchmarks.reports.page import METHOD, body
from benchmarks.reports.result_files import RESULTS, read

from .folder import Folder

GOAL = 0.9


@cache
def newest() -> list[list[dict[str, Any]]]:
    """Return the rows of the newest file of each class of machine, newest first. Files are named DATE-MACHINE.jsonl."""
    files: dict[str, Any] = {}
    for file in sorted(RESULTS.glob("*.jsonl")):
        files[re.sub(r"^[\d-]{10}-", "", file.stem)] = file
    return [read(file) for file in sorted(files.values(), reverse=True)]


def write(folder: Folder) -> None:
    """Write the page."""
    parts = [
        "# Performance",
        f"{METHOD} Measure your own machine with `gpugrad bench --html speed.html`; "
        "[why is it slow?](/guides/slow.md) tells what to look at.",
    ]
    runs = newest()
    for rows in runs:
        facts = rows[-1]
        parts += [f"## {facts['gpu'] or facts['cpu']}, {facts['threads']} threads", f"{table.describe(facts)}."]
        parts += ["### Against PyTorch", readme.table(rows, GOAL).split("\n\n")[0]]
        html = re.sub(r"<(/?)h3", r"<\1h4", body(rows, facts))
        html = re.sub(r"<(/?)h2", r"<\1h3", html)
        parts.append(f'```{{raw}} html\n<style>{charts.STYLE}</style>\n<div class="measured">{html}</div>\n```')
    if not runs:
        parts.append("No results are kept in `benchmarks/results`.")
    folder.write("performance.md", "\n\n".join(parts) + "\n")
