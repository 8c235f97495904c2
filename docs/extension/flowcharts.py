"""Draws a Mermaid flowchart that goes from left to right as SVG, so that pages need no script from elsewhere."""

import re
from dataclasses import dataclass
from html import escape

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

NODE = re.compile(r'(\w+)(?:\["([^"]*)"\])?')
EDGE = re.compile(
    r'^\s*(?P<a>\w+(?:\["[^"]*"\])?)\s*(?P<dash>-\.->|-->)\s*(?:\|"?(?P<label>[^|"]*)"?\|\s*)?(?P<b>\w+(?:\["[^"]*"\])?)\s*$'
)
LINE, CHAR, GAP = 17, 6.7, 26


@dataclass
class Box:
    """A node: its lines of text, its column, and where it is drawn."""

    lines: list[str]
    column: int = 0
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


class Flowchart(SphinxDirective):
    """The directive, whose content is Mermaid's."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the drawing."""
        return [nodes.raw("", f'<div class="flowchart">{draw(list(self.content))}</div>', format="html")]


def draw(lines: list[str]) -> str:
    """Return the SVG of a flowchart."""
    boxes, edges = _read(lines)
    for _ in boxes:
        for a, b, _, _ in edges:
            if boxes[b].column <= boxes[a].column < len(boxes):
                boxes[b].column = boxes[a].column + 1
    wide = {box.column: 0.0 for box in boxes.values()}
    for a, _, label, _ in edges:
        wide[boxes[a].column] = max(wide[boxes[a].column], 40.0, *(CHAR * len(t) for t in _broken(label)))
    width, height = _place(list(boxes.values()), wide)
    drawn = [_edge(boxes[a], boxes[b], label, dashed) for a, b, label, dashed in edges] + list(
        map(_box, boxes.values())
    )
    said = "; ".join(f"{' '.join(boxes[a].lines)} to {' '.join(boxes[b].lines)}: {label}" for a, b, label, _ in edges)
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" role="img"'
    arrow = (
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    )
    arrow += '<path d="M0 0L8 4L0 8z" class="head"/></marker></defs>'
    return f'{head} aria-label="{escape(said)}">{arrow}{"".join(drawn)}</svg>'


def _read(lines: list[str]) -> tuple[dict[str, Box], list[tuple[str, str, str, bool]]]:
    boxes: dict[str, Box] = {}
    edges = []
    for line in lines:
        found = EDGE.match(line)
        if not found:
            continue
        ends = []
        for end in (found["a"], found["b"]):
            name, words = NODE.match(end).groups()  # type: ignore[union-attr]
            if words is not None or name not in boxes:
                boxes[name] = Box(_broken(words or name))
            ends.append(name)
        edges.append((*ends, found["label"] or "", found["dash"] != "-->"))
    return boxes, edges


def _broken(text: str) -> list[str]:
    return re.split(r"<br/?>", text)


def _place(boxes: list[Box], gaps: dict[int, float]) -> tuple[float, float]:
    """Put the boxes in columns, and return the size of the drawing."""
    for box in boxes:
        box.width, box.height = CHAR * max(map(len, box.lines)) + 26, LINE * len(box.lines) + 16
    columns = {c: [b for b in boxes if b.column == c] for c in sorted({b.column for b in boxes})}
    tall = max(sum(b.height + GAP for b in column) for column in columns.values())
    x = 2.0
    for number, column in columns.items():
        y = (tall - sum(b.height + GAP for b in column)) / 2 + GAP / 2
        wide = max(b.width for b in column)
        for box in column:
            box.x, box.y = x + (wide - box.width) / 2, y
            y += box.height + GAP
        x += wide + gaps[number] + 24
    return max(b.x + b.width for b in boxes) + 2, tall + 40


def _box(box: Box) -> str:
    middle = box.x + box.width / 2
    text = "".join(_text(middle, box.y + 8 + LINE * (i + 0.75), t) for i, t in enumerate(box.lines))
    return f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>{text}'


def _edge(a: Box, b: Box, label: str, dashed: bool) -> str:
    style = ' stroke-dasharray="5 4"' if dashed else ""
    if b.column <= a.column:  # back to an earlier box, below all others
        low = max(a.y + a.height, b.y + b.height) + 26
        x1, x2 = a.x + a.width / 2, b.x + b.width / 2
        path = f"M{x1:.1f} {a.y + a.height:.1f}C{x1:.1f} {low:.1f} {x2:.1f} {low:.1f} {x2:.1f} {b.y + b.height:.1f}"
        middle, level = (x1 + x2) / 2, low
    else:
        x1, y1, x2, y2 = a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2
        bend = (x2 - x1) / 2
        path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        middle, level = (x1 + x2) / 2, (y1 + y2) / 2 - 6
    words = _broken(label) if label else []
    text = "".join(_text(middle, level - 14 * (len(words) - 1 - i), t, "label") for i, t in enumerate(words))
    return f'<path d="{path}" class="edge"{style} marker-end="url(#arrow)"/>{text}'


def _text(x: float, y: float, words: str, kind: str = "words") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(words)}</text>'
