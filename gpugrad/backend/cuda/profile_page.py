"""A profile as a web page: one part for each kernel, with its source and what each line of it did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from .emulator.lines import Place
from .gpus import GPU
from .profile_text import counted, percent, sizes, summary
from .profiles import Access, KernelProfile, Line, file_lines

_AROUND = 8  # lines of source shown before and after those that did something

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c2430; --dim: #5d6b7e; --rule: #d9dfe7; --panel: #f5f7fa;
  --use: #2f7fb8; --waste: #cf4a2c; --heat: 205 70 40; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --text: #dfe5ed; --dim: #93a1b3; --rule: #2c3542;
  --panel: #1a2029; --use: #58a8dd; --waste: #f07a58; --heat: 240 122 88; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 110rem; padding: 1rem 1.5rem 4rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.15rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin-bottom: .4rem; }
a { color: var(--use); }
nav { border: 1px solid var(--rule); border-radius: 6px; background: var(--panel); padding: .5rem 1rem; }
nav ol { margin: 0; padding-left: 1.6rem; } nav a { overflow-wrap: anywhere; }
section { display: none; }
section:target, body:not(:has(section:target)) section:first-of-type { display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: var(--dim); } dd { margin: 0; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: 6px; margin-bottom: 1.2rem; }
table { border-collapse: collapse; font-size: 13px; width: 100%; }
th { text-align: right; color: var(--dim); font-weight: 500; padding: .3rem .6rem; border-bottom: 1px solid var(--rule);
  white-space: nowrap; background: var(--panel); }
td { text-align: right; padding: 0 .6rem; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.code, td.code { text-align: left; width: 100%; }
td.code { white-space: pre; font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
td.number { color: var(--dim); }
.gap td { border-top: 1px dashed var(--rule); }
.bar { display: inline-flex; width: 7rem; height: .6rem; vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--use); } .bar i.waste { background: var(--waste); }
.bad { color: var(--waste); font-weight: 600; }
.times { max-width: 46rem; } .times .bar { width: 100%; } .times td:last-child { width: 65%; }
.times td.code { width: auto; }
footer { color: var(--dim); margin-top: 2rem; }
@media (max-width: 40rem) { body { padding: .5rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""


def page(profiled: Sequence[KernelProfile], gpu: GPU) -> str:
    """Return a complete HTML document, which needs no other file."""
    kernels = list(enumerate(profiled, 1))
    links = "".join(f'<li><a href="#k{i}">{escape(k.name)}</a> {_short(k)}</li>' for i, k in kernels)
    parts = "".join(_section(i, kernel) for i, kernel in kernels) or "<p>No kernel ran.</p>"
    title = f"Profile of {counted(len(kernels), 'kernel')} on the emulated device"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
<nav aria-label="Kernels"><ol>{links}</ol></nav><main>{parts}</main>
<footer>Counts are of the accesses that the emulator saw. Times are a model of the {escape(gpu.name)}
({escape(gpu.source)}), not measured: caches forget nothing, latency costs nothing.</footer></body></html>
"""


def _short(kernel: KernelProfile) -> str:
    conflicts = f", {kernel.conflicts} turns of bank conflicts" if kernel.conflicts else ""
    return f"&mdash; {percent(kernel.efficiency)} of the sectors needed{conflicts}, bound by {kernel.bound.limit}"


def _section(number: int, kernel: KernelProfile) -> str:
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in summary(kernel))
    launch = sizes(kernel)
    files = "".join(_file(kernel, file) for file in _files(kernel))
    return f"""<section id="k{number}"><h2>{escape(kernel.name)}</h2>
<dl><dt>launch</dt><dd>{launch}</dd>{facts}</dl>
<h3>Limits</h3>{_times(kernel)}
<h3>Source</h3><p>What the functions that a line calls did is part of the line's figures. A bar is a line's part of all
sectors and turns of shared memory, <b class="bad">what was not needed</b> at its end.</p>{files}</section>"""


def _times(kernel: KernelProfile) -> str:
    most = max(kernel.bound.seconds.values()) or 1.0
    rows = "".join(
        f'<tr><td class="code">{escape(name)}</td><td>{1e6 * seconds:.3g} us</td><td>'
        f'<span class="bar"><i style="width:{100 * seconds / most:.1f}%"></i></span></td></tr>'
        for name, seconds in sorted(kernel.bound.seconds.items(), key=lambda item: -item[1])
    )
    return f'<div class="scroll times" tabindex="0"><table>{rows}</table></div>'


def _files(kernel: KernelProfile) -> list[str]:
    """Return the files in which something was done: the kernel's own first."""
    own = str(kernel.source.path or kernel.source.name)
    found = dict.fromkeys(place.file for place, line in kernel.by_line().items() if line.accesses or line.runs)
    return sorted(found, key=lambda file: (file != own, Path(file).name))


def _file(kernel: KernelProfile, file: str) -> str:
    lines = {place.line: line for place, line in kernel.by_line().items() if place.file == file}
    most = max((_units(line.accesses) for line in kernel.by_line().values()), default=0) or 1
    heads = ("line", "part", "sectors / request", "needed", "turns / request", "conflicts", "lanes")
    head = "".join(f"<th>{text}</th>" for text in heads) + '<th class="code">source</th>'
    rows = "".join(_rows(file_lines(kernel.source, file), lines, most))
    name = escape(Path(file).name)
    return f'<h3>{name}</h3><div class="scroll" tabindex="0"><table><tr>{head}</tr>{rows}</table></div>'


def _rows(texts: list[str], lines: dict[int, Line], most: int) -> Iterator[str]:
    shown = sorted({n for line in lines for n in range(line - _AROUND, line + _AROUND + 1) if 0 < n <= len(texts)})
    before = 0
    for n in shown:
        line = lines.get(n, Line((Place("", n),), "", (), 0, 0))
        gap = ' class="gap"' if before and n != before + 1 else ""
        heat = (
            f' style="background:rgb(var(--heat) / {0.3 * _units(line.accesses) / most:.2f})"' if line.accesses else ""
        )
        cells = "".join(f"<td>{cell}</td>" for cell in (_bar(line, most), *_figures(line)))
        code = escape(texts[n - 1]) or " "
        yield f'<tr{gap}><td class="number">{n}</td>{cells}<td class="code"{heat}>{code}</td></tr>'
        before = n


def _units(accesses: Iterable[Access]) -> int:
    return sum(access.units for access in accesses)


def _bar(line: Line, most: int) -> str:
    units, least = _units(line.accesses), sum(access.least for access in line.accesses)
    if not units:
        return ""
    return (
        f'<span class="bar"><i style="width:{100 * least / most:.2f}%"></i>'
        f'<i class="waste" style="width:{100 * (units - least) / most:.2f}%"></i></span>'
    )


def _figures(line: Line) -> Iterator[str]:
    for shared in (False, True):
        found = [access for access in line.accesses if access.is_shared is shared]
        requests, units = sum(a.requests for a in found), _units(found)
        least = sum(a.least for a in found)
        yield f"{units / requests:.3g}" if requests else ""
        if shared:
            yield f'<span class="bad">{units - least}</span>' if units > least else ""
        else:
            yield _marked(least / units) if units else ""
    requests = sum(access.requests for access in line.accesses)
    lanes = sum(access.lanes for access in line.accesses) / (32 * requests) if requests else line.active
    yield _marked(lanes) if lanes is not None else ""


def _marked(share: float) -> str:
    return percent(share) if share >= 0.95 else f'<span class="bad">{percent(share)}</span>'
