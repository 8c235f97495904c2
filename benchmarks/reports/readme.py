"""Writes `--markdown` and `table FILE ...`: the table of a README, with a column for each kind of CPU."""

from .table import UNITS, describe, geometric_mean, kind_of_cpu, megabytes, peer_of

NOTE = (
    "A cell is gpugrad's time / PyTorch's = ratio [20th to 80th percentile], and what that says of the goal; times are "
    "medians. Peak memory is that above the imported library's, both libraries' and their ratio."
)


def _times(row):
    """Formats a row as `ours / peer's = ratio [p20-p80], verdict`."""
    peer = peer_of(row)
    if peer is None:
        return "-"
    ours, numbers = row["ours"]["median"], row["peers"][peer]
    unit, size = next((u for u in UNITS if ours >= u[1]), UNITS[-1])
    both = " / ".join(
        f"{t / size:.0f}" if t >= 100 * size else f"{t / size:.3g}" for t in (ours, numbers["time"]["median"])
    )
    ratio = "{median:.2f} [{p20:.2f}-{p80:.2f}]".format(**numbers["ratio"])
    return f"{both} {unit} = {ratio}, {row.get('verdict', '-')}"


def table(rows, mean_goal):
    """Returns the table of the rows that have a goal. Each carries the facts of its run, as in result files."""
    columns = {}
    for row in rows:
        if "goal" in row:
            columns.setdefault(kind_of_cpu(row), {})[row["id"]] = row
    any_row = {name: row for column in columns.values() for name, row in column.items()}
    lines = [["workload", "goal", *columns, "peak memory, MB"], ["---", "---:", *["---:"] * len(columns), "---:"]]
    for name, row in any_row.items():
        cells = [_times(column[name]) if name in column else "-" for column in columns.values()]
        memory = next((megabytes(c[name]["memory"]) for c in columns.values() if "memory" in c.get(name, {})), "-")
        lines.append([row["title"], f"{row['goal']:g}", *cells, memory])
    means = [geometric_mean(column.values()) for column in columns.values()]
    if any(count for _, count in means):
        cells = [f"**{mean:.2f}** of {count}" if count else "-" for mean, count in means]
        lines.append(["**geometric mean of the ratios to PyTorch**", f"{mean_goal:g}", *cells, ""])
    runs = [f"{describe(list(column.values())[-1])}." for column in columns.values()]
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in lines] + ["", NOTE, "", *runs])
