"""Draws `--svg FILE`: the workloads that have a goal, as one picture that stands alone, for a README."""

from html import escape

from . import charts, table
from .charts import tag

MARGIN, HEAD = 20, 66
STYLE = "svg{font-family:var(--font)}.title{font-size:17px;font-weight:600}.panel{fill:var(--panel);stroke:var(--line)}"


def _name(row):
    name = row["title"].replace("forward + backward", "fwd+bwd").replace("`", "")
    return name if row["device"] == "cpu" else f"{name}, {row['device']}"


def picture(rows, facts):
    """Writes the SVG file: a panel in its own colours, light or dark as the reader's system, readable on both."""
    shown = [row for row in rows if "goal" in row and "ratio" in row["peers"].get("torch", {})]
    entries = sorted(((_name(row), row["peers"]["torch"]["ratio"]) for row in shown), key=lambda e: e[1]["median"])
    mean, count = table.geometric_mean(rows)
    title = "Time of gpugrad relative to PyTorch"
    title += f": {mean:.2f} in the geometric mean of {count} workloads" if mean else ": no row has a goal"
    said = f"{table.kind_of_cpu(facts)} for both; PyTorch {facts['versions'].get('torch', '-')}; {facts['date'][:10]}"
    width, height = charts.WIDTH + 2 * MARGIN, HEAD + charts.bars_height(entries) + MARGIN
    parts = [
        tag("style", charts.THEME + charts.STYLE + STYLE),
        tag("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=10, class_="panel"),
        tag("text", escape(title), x=MARGIN, y=30, class_="title"),
        tag("text", escape(said), x=MARGIN, y=49, class_="tick"),
    ]
    if entries:
        place = {"x": MARGIN, "y": HEAD, "width": charts.WIDTH, "height": charts.bars_height(entries)}
        parts.append(tag("svg", charts.ratio_bars(entries, title), **place))
    size = {"width": width, "height": height, "viewBox": f"0 0 {width} {height}"}
    return tag("svg", "".join(parts), xmlns="http://www.w3.org/2000/svg", **size) + "\n"
