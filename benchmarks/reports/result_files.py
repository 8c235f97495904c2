"""Keeps rows in files of JSON lines, one file for each day and class of machine, to compare them later."""

import json
import re
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results"
INSIDE = (RESULTS.parent.parent / "pyproject.toml").exists()  # a checkout, not an installed copy


def results_file(facts):
    """Returns where the rows of a run go unless told otherwise: a file named by date and class of machine."""
    machine = f"{facts['gpu'] or facts['cpu']} {facts['threads']} threads".lower()
    folder = RESULTS if INSIDE else Path("benchmarks/results")
    return folder / f"{facts['date'][:10]}-{re.sub(r'[^a-z0-9]+', '-', machine).strip('-')}.jsonl"


def save(row, path):
    """Appends one row to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def read(path):
    """Returns the rows of a result file, the last of each id; lines of another shape are left out."""
    rows = {}
    for text in Path(path).read_text().splitlines():
        row = json.loads(text) if text.strip() else {}
        if "id" in row:
            rows[row["id"]] = row
    return list(rows.values())
