"""Draws charts as inline SVG, with their style. Its colours are variables, which follow a light or dark scheme."""

import math
from html import escape

WIDTH, ROW, LABEL, CUT = 860, 22, 330, 48
THEME = """
:root{--font:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color-scheme:light dark;
--bg:#fbfaf8;--panel:#fff;--ink:#1d2430;--soft:#5d6675;--line:#e3e1dc;--one:#8a92a0;
--ahead:#12806a;--behind:#c8641b;--a:#2b62d9;--b:#c8641b;--cpu:#8d98aa;--gpu:#4f8f1f}
@media(prefers-color-scheme:dark){:root{--bg:#14171c;--panel:#1c2027;--ink:#e8eaee;--soft:#a0a8b5;--line:#323843;
--one:#7d8695;--ahead:#3fc3a5;--behind:#f0964f;--a:#7aa5ff;--b:#f0964f;--cpu:#78849a;--gpu:#93cf5a}}
"""
STYLE = """
svg text{fill:var(--ink);font-size:12px}svg .tick{fill:var(--soft);font-size:11px}.mark{font-size:11px}
.grid{stroke:var(--line)}.one{stroke:var(--one);stroke-width:1.5}
.error{stroke:var(--ink);stroke-width:1.5;opacity:.75}rect.ahead{fill:var(--ahead)}
rect.behind{fill:var(--behind)}svg .ahead-text{fill:var(--ahead)}svg .behind-text{fill:var(--behind)}
.roof{fill:none;stroke:var(--one);stroke-width:2}.dot,.dot0{fill:var(--a)}.dot1{fill:var(--b)}
.curve{fill:none;stroke-width:2}.line0{stroke:var(--a)}.line1{stroke:var(--b)}svg .text0{fill:var(--a)}
svg .text1{fill:var(--b)}rect.cpu{fill:var(--cpu)}rect.cuda{fill:var(--gpu)}
"""


def tag(name, text=None, **attributes):
    """Writes an element; `_` in a name of an attribute is `-`, `class_` is `class`."""
    parts = [f'{key.rstrip("_").replace("_", "-")}="{escape(_shown(value))}"' for key, value in attributes.items()]
    head = " ".join([name, *parts])
    return f"<{head}/>" if text is None else f"<{head}>{text}</{name}>"


def _shown(value):
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def text(x, y, words, **attributes):
    """Writes a line of text; a long one is cut."""
    words = words if len(words) <= CUT else words[: CUT - 1] + "…"
    return tag("text", escape(words), x=x, y=y, **attributes)


def drawing(width, height, parts, label):
    """Writes the SVG around the parts."""
    return tag("svg", "".join(parts), viewBox=f"0 0 {width} {height}", role="img", aria_label=label)


def number(value):
    """Formats a number shortly: 0.25, 3, 120, 4.1k, 12M."""
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


class LogAxis:
    """Maps a logarithmic axis from `low` to `high` to the pixels from `start` to `end`."""

    def __init__(self, low, high, start, end):
        self.low, self.high = math.log10(low), math.log10(high)
        self.start, self.end = start, end

    def __call__(self, value):
        share = (math.log10(max(value, 1e-300)) - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self):
        """Returns the powers of ten inside, or 1-2-5 steps where there are few of them."""
        steps = (1,) if self.high - self.low > 2.5 else (1, 2, 5)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [step * 10.0**power for power in powers for step in steps]
        return [v for v in values if self.low - 1e-9 <= math.log10(v) <= self.high + 1e-9]


def bars_height(entries):
    """Returns the height of `ratio_bars`."""
    return ROW * len(entries) + 44


def ratio_bars(entries, label):
    """Draws bars from 1: [(name, summary)], to the left where we are faster; thin lines are the 20-80 % spread."""
    values = [value for _, ratio in entries for value in (ratio["p20"], ratio["p80"])]
    reach = min(32.0, max(4.0, *values, *(1 / v for v in values)) * 1.1)
    axis = LogAxis(1 / reach, reach, LABEL, WIDTH - 60)
    height = bars_height(entries)
    parts = []
    for value in (v for v in (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0, 16.0) if 1 / reach <= v <= reach):
        parts.append(
            tag("line", x1=axis(value), x2=axis(value), y1=24, y2=height - 12, class_="one" if value == 1 else "grid")
        )
        words = "equal" if value == 1 else f"{max(value, 1 / value):g}x"
        parts.append(text(axis(value), 14, words, class_="tick", text_anchor="middle"))
    parts.append(text(LABEL - 10, 14, "faster", class_="tick ahead-text", text_anchor="end"))
    parts.append(text(WIDTH - 50, 14, "slower", class_="tick behind-text"))
    for i, (name, ratio) in enumerate(entries):
        y, x = 30 + i * ROW, axis(ratio["median"])
        side = "ahead" if ratio["median"] < 1 else "behind"
        parts.append(text(LABEL - 10, y + 12, name, class_="label", text_anchor="end"))
        bar = tag("title", escape(f"{name}: {ratio['median']:.2f} [{ratio['p20']:.2f}-{ratio['p80']:.2f}]"))
        left, right = sorted((x, axis(1)))
        parts.append(tag("rect", bar, x=left, y=y, width=max(1.0, right - left), height=ROW - 7, rx=2, class_=side))
        parts.append(tag("line", x1=axis(ratio["p20"]), x2=axis(ratio["p80"]), y1=y + 7.5, y2=y + 7.5, class_="error"))
        parts.append(text(WIDTH - 50, y + 12, f"{ratio['median']:.2f}", class_=f"value {side}-text"))
    return drawing(WIDTH, height, parts, label)


def roofline(points, bandwidth, rate, label):
    """Draws kernels under the machine's limits: [(name, FLOPs per byte, FLOP/s)]."""
    height, bottom, top = 420, 370, 20
    x = LogAxis(min(0.05, *(p[1] for p in points)), max(200.0, *(2 * p[1] for p in points)), 70, WIDTH - 20)
    highest = 2 * max(rate, *(p[2] for p in points))
    y = LogAxis(min(*(p[2] for p in points), highest / 1e4) / 1.5, highest, bottom, top)
    parts = []
    for value in x.ticks():
        parts.append(tag("line", x1=x(value), x2=x(value), y1=top, y2=bottom, class_="grid"))
        parts.append(text(x(value), bottom + 18, number(value), class_="tick", text_anchor="middle"))
    for value in y.ticks():
        parts.append(tag("line", x1=70, x2=WIDTH - 20, y1=y(value), y2=y(value), class_="grid"))
        parts.append(text(62, y(value) + 4, number(value), class_="tick", text_anchor="end"))
    first = max(10**x.low, 10**y.low / bandwidth)
    ridge, last = rate / bandwidth, 10**x.high
    path = f"M{x(first):.1f} {y(first * bandwidth):.1f} L{x(ridge):.1f} {y(rate):.1f} L{x(last):.1f} {y(rate):.1f}"
    parts.append(tag("path", d=path, class_="roof"))
    parts.append(text(x(ridge), y(rate) - 8, f"matrix products {number(rate)}FLOP/s", class_="tick"))
    parts.append(text(x(first) + 6, y(first * bandwidth) - 26, f"copying {number(bandwidth)}B/s", class_="tick"))
    taken = []
    for name, intensity, speed in sorted(points, key=lambda p: -p[2]):
        dot = tag("title", escape(f"{name}: {number(speed)}FLOP/s at {intensity:.2g} FLOP per byte"))
        parts.append(tag("circle", dot, cx=x(intensity), cy=y(speed), r=4.5, class_="dot"))
        place = (x(intensity) + 8, y(speed) + 4)
        if all(abs(place[1] - b) > 11 or abs(place[0] - a) > 90 for a, b in taken):
            taken.append(place)
            side = "end" if place[0] > WIDTH - 130 else "start"
            parts.append(text(place[0] - 16 * (side == "end"), place[1], name, class_="mark", text_anchor=side))
    parts.append(text((70 + WIDTH) / 2, height - 12, "FLOP per byte", class_="tick", text_anchor="middle"))
    parts.append(text(70, 12, "FLOP/s", class_="tick"))
    return drawing(WIDTH, height, parts, label)


def device_bars(entries, label):
    """Draws two bars for each: [(name, CPU's items per second, GPU's, unit)], on a logarithmic axis."""
    values = [value for _, cpu, cuda, _ in entries for value in (cpu, cuda)]
    axis = LogAxis(min(values) / 2, max(values) * 1.2, LABEL, WIDTH - 130)
    parts = []
    for i, (name, cpu, cuda, unit) in enumerate(entries):
        y = 10 + 34 * i
        parts.append(text(LABEL - 10, y + 17, name, class_="label", text_anchor="end"))
        for kind, value, top in (("cpu", cpu, y), ("cuda", cuda, y + 13)):
            parts.append(tag("rect", x=LABEL, y=top, width=axis(value) - LABEL, height=11, rx=2, class_=kind))
        parts.append(
            text(axis(max(cpu, cuda)) + 8, y + 17, f"{number(cuda)} {unit}, {cuda / cpu:.1f}x", class_="value")
        )
    return drawing(WIDTH, 20 + 34 * len(entries), parts, label)


def growth(row, label):
    """Draws one growth curve, gpugrad's and the peers', both axes logarithmic."""
    width, height, bottom = 280, 230, 180
    curves = row["curves"]
    times = [t for curve in curves.values() for t in curve]
    x = LogAxis(min(row["sizes"]), max(row["sizes"]), 52, width - 14)
    y = LogAxis(min(times) / 1.3, max(times) * 1.3, bottom, 16)
    parts = []
    for value in y.ticks():
        parts.append(tag("line", x1=52, x2=width - 14, y1=y(value), y2=y(value), class_="grid"))
        unit = f"{value:g} s" if value >= 1 else f"{value * 1e3:g} ms" if value >= 1e-3 else f"{value * 1e6:g} us"
        parts.append(text(46, y(value) + 4, unit, class_="tick", text_anchor="end"))
    for size in (row["sizes"][0], row["sizes"][len(row["sizes"]) // 2], row["sizes"][-1]):
        parts.append(text(x(size), bottom + 16, str(size), class_="tick", text_anchor="middle"))
    for i, (name, curve) in enumerate(curves.items()):
        points = [(x(n), y(t)) for n, t in zip(row["sizes"], curve, strict=True)]
        parts.append(tag("path", d="M" + " L".join(f"{a:.1f} {b:.1f}" for a, b in points), class_=f"curve line{i}"))
        parts += [tag("circle", cx=a, cy=b, r=2.8, class_=f"dot{i}") for a, b in points]
        words = f"{name} n^{row['exponents'][name]:.2f}"
        parts.append(text(52 + 118 * i, height - 12, words, class_=f"mark text{i}"))
    return drawing(width, height, parts, label)
