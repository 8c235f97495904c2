"""Keeps rows in files of JSON lines, one file for each day and class of machine, to compare them later."""

import json
import re
from pathlib import Path

from gpugrad.backend.files import open_regular
from gpugrad.errors import UsageError

RESULTS = Path(__file__).resolve().parents[1] / "results"
INSIDE = (RESULTS.parent.parent / "pyproject.toml").exists()  # a checkout, not an installed copy


def results_file(facts):
    """Returns where the rows of a run go unless told otherwise: a file named by date and class of machine."""
    machine = f"{facts['gpu'] or facts['cpu']} {facts['simd']['widest']} {facts['threads']} threads".lower()
    folder = RESULTS if INSIDE else Path("benchmarks/results")
    return folder / f"{facts['date'][:10]}-{re.sub(r'[^a-z0-9]+', '-', machine).strip('-')}.jsonl"


def save(row, path):
    """Appends one row to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def read(path):
    """Returns the rows of a result file, the last of each id; lines of another shape are left out.

    Raises UsageError, which names the line, for a file of another kind.
    """
    rows = {}
    for number, text in enumerate(_lines(path), 1):
        try:
            row = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {number}: not a result of a benchmark ({error})") from None
        if isinstance(row, dict) and "id" in row:
            if not _is_result(row):
                raise UsageError(f"{path}, line {number}: not a result of a benchmark (other fields than its)")
            rows[row["id"]] = row
    return list(rows.values())


def _lines(path):
    """Returns the lines of a text file. Raises UsageError if it is none."""
    with open_regular(path, UsageError) as file:
        content = file.read()
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a file of results ({error})") from None


def _is_result(row):
    """Tells whether a row has what a result is read for, of its type."""
    peers = row.get("peers", {})
    named = [row["id"], *(row[name] for name in ("name", "kind", "device") if name in row)]
    if not all(isinstance(text, str) for text in named) or not isinstance(peers, dict):
        return False
    summaries = [row[name] for name in ("ours", "ratio") if name in row]
    for peer in peers.values():
        if not isinstance(peer, dict):
            return False
        summaries += [peer["ratio"]] if "ratio" in peer else []
    return all(isinstance(s, dict) and all(_is_time(s.get(n)) for n in ("median", "p20", "p80")) for s in summaries)


def _is_time(value):
    """Tells whether a value is a positive number."""
    return isinstance(value, (int, float)) and value > 0
