"""What comes out: a table for the terminal, the same in Markdown, and JSON lines to compare later."""

import datetime
import json
import math
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"
WIDTHS = {"workload": 13, "gpugrad": 23, "torch": 23, "ratio": 17, "goal": 4, "verdict": 7, "peak memory (MB)": 21}
UNITS = [("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)]


def cpu_model():
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def version_of(package):
    """The version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "source" if find_spec(package) else None


def commit():
    """The commit of this checkout, marked when files differ from it."""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"]
    done = subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def environment(threads, device):
    """What a number depends on and a reader must know."""
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "load": os.getloadavg()[0],
        "device": device,
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in ("gpugrad", "numpy", "torch")},
    }


def results_file(facts):
    """Where the rows of a run go unless told otherwise: named by date and class of machine."""
    machine = re.sub(r"[^a-z0-9]+", "-", f"{facts['cpu']} {facts['threads']} threads".lower()).strip("-")
    return RESULTS / f"{facts['date'][:10]}-{machine}.jsonl"


def save(row, path):
    """Append one row to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def seconds(times):
    """A summary of times as `median unit [p20-p80]`, to three digits."""
    unit, size = next((u for u in UNITS if times["median"] >= u[1]), UNITS[-1])
    scaled = [times[key] / size for key in ("median", "p20", "p80")]
    median, p20, p80 = (f"{time:.0f}" if time >= 100 else f"{time:.3g}" for time in scaled)
    return f"{median} {unit} [{p20}-{p80}]"


def megabytes(memory):
    """The peak increases of both libraries and their ratio."""
    both = " / ".join(f"{memory[side]['increase'] / 1e6:.0f}" for side in ("ours", "peer") if side in memory)
    return f"{both} = {memory['ratio']:.2f}" if "ratio" in memory else both


def cells(row):
    """The columns of a row as text, in the order of `WIDTHS`."""
    if "error" in row:
        return [row["workload"], f"failed: {row['error']}"]
    ratio = row.get("ratio")
    peer = "" if row["peer_name"] == "torch" else row["peer_name"] + " "
    return [
        row["workload"],
        seconds(row["ours"]),
        peer + seconds(row["peer"]) if ratio else "-",
        "{median:.2f} [{p20:.2f}-{p80:.2f}]".format(**ratio) if ratio else "-",
        f"{row['goal']:g}",
        row.get("verdict", "-"),
        megabytes(row["memory"]) if "memory" in row else "-",
    ]


def line(texts):
    """One aligned line of the table in the terminal."""
    return "  ".join(text.ljust(width) for text, width in zip(texts, WIDTHS.values(), strict=False)).rstrip()


def describe(facts):
    """The run in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    machine = f"{facts['cpu']}, {facts['threads']} of {facts['cores']} cores, {facts['device']}"
    return f"{versions}, Python {facts['python']}; {machine}; {facts['date'][:10]}, commit {facts['commit']}"


def geometric_mean(rows, peer):
    """The geometric mean of the ratios to `peer`, and how many there are; (None, 0) without any."""
    logs = [math.log(row["ratio"]["median"]) for row in rows if "ratio" in row and row["peer_name"] == peer]
    return (math.exp(sum(logs) / len(logs)), len(logs)) if logs else (None, 0)


def markdown(rows, facts, mean_line):
    """The table in the form of a README."""
    heads = ["workload", "gpugrad", "PyTorch", "ratio", "goal", "verdict", "peak memory, MB"]
    table = [heads, ["---"] + ["---:"] * 4 + [":---:", "---:"]]
    table += [[row["title"], *cells(row)[1:]] for row in rows if "error" not in row]
    lines = ["| " + " | ".join(texts) + " |" for texts in table]
    note = "Medians, with 20th and 80th percentiles in brackets; peak memory above that of the imported library."
    return "\n".join([*lines, "", mean_line, "", f"{note} {describe(facts)}."])
