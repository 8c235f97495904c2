"""Writes rows as text: the table for the terminal, and what a run was."""

import math

WIDTHS = {"row": 58, "gpugrad": 23, "peer": 29, "ratio": 17, "remarks": 40}
UNITS = [("s", 1), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)]


def seconds(times):
    """Formats a summary of times as `median unit [p20-p80]`, to three digits."""
    unit, size = next((u for u in UNITS if times["median"] >= u[1]), UNITS[-1])
    scaled = [times[key] / size for key in ("median", "p20", "p80")]
    median, p20, p80 = (f"{time:.0f}" if time >= 100 else f"{time:.3g}" for time in scaled)
    return f"{median} {unit} [{p20}-{p80}]"


def megabytes(memory):
    """Formats the peak increases of both libraries and their ratio."""
    both = " / ".join(f"{memory[side]['increase'] / 1e6:.0f}" for side in ("ours", "peer") if side in memory)
    return f"{both} = {memory['ratio']:.2f}" if "ratio" in memory else both


def peer_of(row):
    """Returns the name of the first peer with a time, PyTorch before all."""
    names = [name for name, numbers in row.get("peers", {}).items() if "ratio" in numbers]
    return next((name for name in ("torch", "numpy", *names) if name in names), None)


def remarks(row):
    """Returns the text of the last column: limits, goals, doubts."""
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
    """Returns the columns of a row as text, in the order of `WIDTHS`."""
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
    """Returns one aligned line of the table in the terminal."""
    return "  ".join(text.ljust(width) for text, width in zip(texts, WIDTHS.values(), strict=False)).rstrip()


def kind_of_cpu(facts):
    """Names what times depend on most: the instruction set, the processor, the number of threads, the GPU."""
    widest = facts["simd"]["widest"] if "simd" in facts else "instruction set unknown"
    gpu = f", {facts['gpu']}" if facts["gpu"] else ""
    return f"{widest} ({facts['cpu']}, {facts['threads']} threads{gpu})"


def describe(facts):
    """Describes the run in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    machine = f"{kind_of_cpu(facts)}, every library on {facts['threads']} of {facts['cores']} cores"
    if "simd" in facts:
        machine += f", NumPy's loops for {' '.join(facts['simd']['numpy'])}, BLAS for {' '.join(facts['simd']['blas'])}"
    return f"{versions}, Python {facts['python']}; {machine}; {facts['date'][:10]}, commit {facts['commit']}"


def geometric_mean(rows, peer="torch"):
    """Returns the geometric mean of the ratios to `peer` of rows with a goal, and how many; (None, 0) without any."""
    ratios = [row["peers"].get(peer, {}).get("ratio") for row in rows if "goal" in row]
    logs = [math.log(ratio["median"]) for ratio in ratios if ratio]
    return (math.exp(sum(logs) / len(logs)), len(logs)) if logs else (None, 0)
