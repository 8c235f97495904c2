"""What comes out: a table for the terminal, the same in Markdown, and JSON lines to compare later."""

import datetime
import json
import math
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from gpugrad.backend.files import open_regular
from gpugrad.cli.usage import UsageError

from .cores import CORES

RESULTS = Path(__file__).resolve().parent / "results"
INSIDE = (RESULTS.parent.parent / "pyproject.toml").exists()  # a checkout, not an installed copy
WIDTHS = {"row": 58, "gpugrad": 23, "peer": 29, "ratio": 17, "remarks": 40}
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


def gpu():
    """The name and driver of the GPU, or None."""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else None


def environment(threads, devices, level):
    """What a number depends on and a reader must know."""
    packages = ("gpugrad", "numpy", "cupy", "torch", "jax", "mygrad", "autograd", "tinygrad", "triton")
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": len(CORES),
        "threads": threads,
        "gpu": gpu() if "cuda" in devices else None,
        "devices": list(devices),
        "level": level,
        "python": platform.python_version(),
        "versions": {name: number for name in packages if (number := version_of(name))},
    }


def results_file(facts):
    """Where the rows of a run go unless told otherwise: named by date and class of machine."""
    machine = f"{facts['gpu'] or facts['cpu']} {facts['threads']} threads".lower()
    folder = RESULTS if INSIDE else Path("benchmarks/results")
    return folder / f"{facts['date'][:10]}-{re.sub(r'[^a-z0-9]+', '-', machine).strip('-')}.jsonl"


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


def read(path):
    """The rows of a result file, the last of each id; lines of another shape are left out.

    Raises UsageError, that names the line, for a file of another kind.
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
    with open_regular(path, UsageError) as file:
        content = file.read()
    try:
        return content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a file of results ({error})") from None


def _is_result(row):
    """Whether a row has what a result is read for, of its type."""
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
    return isinstance(value, (int, float)) and value > 0


def peer_of(row):
    """The name of the first peer with a time, PyTorch before all."""
    names = [name for name, numbers in row.get("peers", {}).items() if "ratio" in numbers]
    return next((name for name in ("torch", "numpy", *names) if name in names), None)


def remarks(row):
    """The last column: limits, goals, doubts."""
    said = []
    if "GB/s" in row:
        rate = f"{row['TFLOP/s']:.3f} TFLOP/s, " if row["TFLOP/s"] else ""
        said.append(f"{row['GB/s']:.1f} GB/s, {rate}{row['limit']:.0%} of limit, error {row['error']:.0e}")
    if "rate" in row:
        said.append(f"{row['rate']['value']:.0f} {row['rate']['unit']}")
    if "exponents" in row:
        slopes = ", ".join(f"{lib} n^{slope:.2f}" for lib, slope in row["exponents"].items())
        said.append(f"{slopes}, expected n^{row['expected']}" + (" TOO STEEP" if row.get("steep") else ""))
    if "later" in row:
        said.append(f"then {row['later'] * 1e6:.0f} us")
    if "verdict" in row:
        said.append(f"goal {row['goal']:g} {row['verdict']}")
    if "memory" in row:
        said.append(f"{megabytes(row['memory'])} MB")
    return ", ".join([*said, *(["noisy"] if row.get("noisy") else [])])


def cells(row):
    """The columns of a row as text, in the order of `WIDTHS`."""
    if "failed" in row or "skipped" in row:
        return [row["id"], f"failed: {row['failed']}" if "failed" in row else f"skipped: {row['skipped']}"]
    peer = peer_of(row)
    numbers = row["peers"].get(peer, {})
    others = [f"{name} {n['ratio']['median']:.2f}" for name, n in row["peers"].items() if "ratio" in n and name != peer]
    return [
        row["id"],
        seconds(row["ours"]),
        f"{peer} {seconds(numbers['time'])}" if numbers else "-",
        "{median:.2f} [{p20:.2f}-{p80:.2f}]".format(**numbers["ratio"]) if numbers else "-",
        "; ".join(filter(None, [remarks(row), ", ".join(others)])),
    ]


def line(texts):
    """One aligned line of the table in the terminal."""
    return "  ".join(text.ljust(width) for text, width in zip(texts, WIDTHS.values(), strict=False)).rstrip()


def describe(facts):
    """The run in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    machine = f"{facts['cpu']}, {facts['threads']} of {facts['cores']} cores for every library"
    machine += f", {facts['gpu']}" if facts["gpu"] else ""
    return f"{versions}, Python {facts['python']}; {machine}; {facts['date'][:10]}, commit {facts['commit']}"


def geometric_mean(rows, peer="torch"):
    """The geometric mean of the ratios to `peer` of rows with a goal, and how many; (None, 0) without any."""
    ratios = [row["peers"].get(peer, {}).get("ratio") for row in rows if "goal" in row]
    logs = [math.log(ratio["median"]) for ratio in ratios if ratio]
    return (math.exp(sum(logs) / len(logs)), len(logs)) if logs else (None, 0)


def markdown(rows, facts, mean_line):
    """The table in the form of a README: the rows that have a goal."""
    heads = ["workload", "gpugrad", "PyTorch", "ratio", "goal", "verdict", "peak memory, MB"]
    table = [heads, ["---"] + ["---:"] * 4 + [":---:", "---:"]]
    for row in rows:
        if "goal" in row:
            _, ours, peer, ratio, _ = cells(row)
            memory = megabytes(row["memory"]) if "memory" in row else "-"
            verdict = row.get("verdict", "-")
            table.append([row["title"], ours, peer.removeprefix("torch "), ratio, f"{row['goal']:g}", verdict, memory])
    lines = ["| " + " | ".join(texts) + " |" for texts in table]
    note = "Medians, with 20th and 80th percentiles in brackets; peak memory above that of the imported library."
    return "\n".join([*lines, "", mean_line, "", f"{note} {describe(facts)}."])
