"""Writes `--html FILE`: one page that stands alone, with charts, where we are ahead and behind, and every number."""

from html import escape

from . import charts, table
from .charts import tag

STYLE = """
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 var(--font)}
main{max-width:960px;margin:0 auto;padding:40px 24px 80px}h1{font-size:30px;line-height:1.2;margin:0 0 4px}
h2{font-size:20px;margin:44px 0 4px}h3{font-size:15px;margin:0 0 4px}p{margin:4px 0 12px}.soft{color:var(--soft)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:22px 0}
.card,figure{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:16px;margin:0}
.card>b{display:block;font-size:27px;line-height:1.25}figure{overflow-x:auto;margin-bottom:14px}
.grid3{display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:12px}
.two{display:grid;grid-template-columns:1fr 1fr;gap:12px}@media(max-width:640px){.two{grid-template-columns:1fr}}
ul{margin:6px 0;padding-left:18px}.warn{border-left:4px solid var(--behind);padding:8px 14px;background:var(--panel)}
svg{display:block;width:100%;height:auto;font-family:inherit}
.ahead{color:var(--ahead)}
.behind{color:var(--behind)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;width:100%}
td,th{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
td:nth-child(n+2){font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:600}
"""

METHOD = (
    "Results are verified before they are timed; contenders take turns, on equal threads, with random inputs that "
    "rotate through more memory than the last cache holds. Bars are medians, thin lines the 20th to 80th percentiles."
)


def _ratios(rows, peer="torch"):
    """Returns [(row, ratio summary)] of the rows that have one to the peer."""
    return [(row, row["peers"][peer]["ratio"]) for row in rows if "ratio" in row.get("peers", {}).get(peer, {})]


def _figure(svg, note=""):
    return tag("figure", svg + (tag("p", escape(note), class_="soft") if note else ""))


def _summary(rows):
    """Writes cards with the totals, and the rows where we are furthest ahead and behind."""
    pairs = sorted(_ratios(rows), key=lambda pair: pair[1]["median"])
    sure = [(row, ratio) for row, ratio in pairs if not row.get("noisy")]
    ahead = [(row, ratio) for row, ratio in sure if ratio["p80"] < 1]
    behind = [(row, ratio) for row, ratio in sure if ratio["p20"] > 1][::-1]
    mean, count = table.geometric_mean(rows)
    cards = [
        (str(len(ahead)), "rows faster than PyTorch, beyond noise"),
        (str(len(behind)), "rows slower, beyond noise"),
    ]
    cards.append((str(len(pairs) - len(ahead) - len(behind)), "rows equal, or too noisy to tell"))
    if mean:
        cards.append((f"{mean:.2f}", f"geometric mean of {count} ratios with a goal; below 1 is faster"))
    html = "".join(tag("div", tag("b", value) + escape(words), class_="card") for value, words in cards)
    lists = ""
    for title, found, side in (("Furthest ahead", ahead, "ahead"), ("Furthest behind", behind, "behind")):
        items = [f"{escape(row['id'])}: <b class='{side}'>{_times(ratio['median'])}</b>" for row, ratio in found[:6]]
        lists += tag("div", tag("h3", title) + tag("ul", "".join(map(_item, items or ["nothing"]))), class_="card")
    return tag("div", html, class_="cards") + tag("div", lists, class_="two")


def _item(text):
    return tag("li", text)


def _times(ratio):
    return f"{1 / ratio:.1f}x faster" if ratio < 1 else f"{ratio:.1f}x slower"


def _short(row):
    """Returns the name of a row on its device, short enough for a chart."""
    name = row["id"].removesuffix(f" {row['device']}")
    return name.replace(" float32", "").replace("forward + backward", "fwd+bwd").replace(" forward", " fwd")


def _bars(rows, kind, title, note):
    """Draws the ratio bars of one kind of rows, each device by itself."""
    html = ""
    for device in ("cpu", "cuda"):
        pairs = _ratios([row for row in rows if row["kind"] == kind and row.get("device") == device])
        if pairs:
            entries = sorted(((_short(row), r) for row, r in pairs), key=lambda e: e[1]["median"])
            html += _figure(charts.ratio_bars(entries, f"{title} on {device}: time relative to PyTorch"))
    return tag("h2", title) + tag("p", escape(note), class_="soft") + html if html else ""


def _rooflines(rows, facts):
    """Draws the kernels under the limits of each device, float32."""
    html = ""
    for device, limits in facts["limits"].items():
        points = [
            (row["name"] + (" fwd+bwd" if "backward" in row["pass"] else ""), row["flops"] / row["bytes"],
             row["flops"] / row["ours"]["median"])
            for row in rows
            if row["kind"] == "kernel" and row.get("flops") and row["dtype"] == "float32" and row["device"] == device
        ]  # fmt: skip
        if points:
            svg = charts.roofline(points, limits["bandwidth"], limits["rates"]["float32"], f"roofline of {device}")
            html += _figure(
                svg, f"{device}: the line is what copying memory and multiplying matrices reach in this run."
            )
    note = "A kernel cannot be above the line unless its data stay in a cache, or its algorithm needs fewer operations."
    return tag("h2", "Distance to the machine's limit") + tag("p", note, class_="soft") + html if html else ""


def _devices(rows):
    """Draws CPU against GPU, where both were measured."""
    found = {(row["workload"], row["pass"], row["device"]): row for row in rows if "rate" in row}
    entries = []
    for (name, step, device), row in found.items():
        other = found.get((name, step, "cuda"))
        if device == "cpu" and other:
            entries.append(
                (f"{row['title']}, {step}", row["rate"]["value"], other["rate"]["value"], row["rate"]["unit"])
            )
    if not entries:
        return ""
    note = "Images or tokens per second, grey on the CPU, green on the GPU; the axis is logarithmic."
    return tag("h2", "CPU against GPU") + tag("p", note, class_="soft") + _figure(charts.device_bars(entries, note))


def _growth(rows):
    """Draws the growth curves."""
    figures = ""
    for row in (row for row in rows if "curves" in row):
        said = f"{row['title']}, {row['device']}; expected n^{row['expected']}"
        said += ": steeper than it should be" if row.get("steep") else ""
        figures += tag(
            "figure", tag("h3", escape(row["name"])) + charts.growth(row, said) + tag("p", escape(said), class_="soft")
        )
    note = "An exponent well above the expected one means that something is slower than it should be at large sizes."
    head = tag("h2", "How cost grows") + tag("p", note, class_="soft")
    return head + tag("div", figures, class_="grid3") if figures else ""


def _table(rows):
    """Writes every row in text, and what is missing in it."""
    lines = [tag("tr", "".join(tag("th", head) for head in table.WIDTHS))]
    for row in rows:
        cells = table.cells(row)
        absent = [f"{name}: {n['note']}" for name, n in row.get("peers", {}).items() if "note" in n]
        cells[-1] = "; ".join([cells[-1], *absent])
        cells += [""] * (len(table.WIDTHS) - len(cells))
        lines.append(tag("tr", "".join(tag("td", escape(cell)) for cell in cells)))
    return tag("h2", "Every row") + tag("div", tag("table", "".join(lines)), class_="scroll")


def body(rows, facts):
    """Writes what the page says of a run, from the summary to the last row, without its head and style."""
    done = [row for row in rows if "ours" in row]
    noise = facts["noise"]
    doubt = ""
    if noise["spread"] > 0.15 or noise["load"] > 0.5:
        said = f"Other programs ran (load {noise['load']:.1f}, spread {noise['spread']:.0%}): draw no conclusions. "
        said += "Libraries whose threads wait for each other lose most then, which no spread shows."
        doubt = tag("p", escape(said), class_="warn")
    parts = [
        doubt, _summary(done),
        _bars(done, "model", "Workloads against PyTorch", "Networks and single layers, as users run them."),
        _devices(done),
        _bars(done, "kernel", "Ops against PyTorch", "One op at a time; the longer a bar, the larger the difference."),
        _rooflines(done, facts), _growth(done),
        _bars(done, "overhead", "Overheads against PyTorch", "What a call costs besides arithmetic."),
        _table(rows),
    ]  # fmt: skip
    return "".join(parts)


def page(rows, facts):
    """Writes the whole page. `facts` are those of `measuring.environment`, with the limits and the noise."""
    parts = [
        tag("h1", "gpugrad: measured"), tag("p", escape(table.describe(facts)), class_="soft"), tag("p", METHOD),
        body(rows, facts),
    ]  # fmt: skip
    head = '<meta charset="utf-8"/><meta name="viewport" content="width=device-width,initial-scale=1"/>'
    head += tag("title", "gpugrad benchmarks") + tag("style", charts.THEME + STYLE + charts.STYLE)
    return (
        "<!DOCTYPE html>\n"
        + tag("html", tag("head", head) + tag("body", tag("main", "".join(parts))), lang="en")
        + "\n"
    )
