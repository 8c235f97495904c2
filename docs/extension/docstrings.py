"""Docstrings as reStructuredText. They are plain sentences: code in `backticks`, names with what they mean after a
colon, examples as in a Python session, and indented formulas."""

import inspect
import re
from typing import Any

from .folder import block

NAMED = re.compile(r"^(\*{0,2}[a-z]\w*(?:, \*{0,2}[a-z]\w*)*): (?=\S)")
ITEM = re.compile(r"^[-*] ")


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring that autodoc has read."""
    lines[:] = rst("\n".join(lines)).splitlines()


def summary(text: str) -> str:
    """Return the first sentence of a docstring, as reStructuredText."""
    first = " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())
    return inline(re.split(r"(?<=[^. ]{2}\.) (?=[A-Z`])", first)[0])


def rst(text: str) -> str:
    """Return a docstring as reStructuredText."""
    parts = []
    for kind, lines in blocks(inspect.cleandoc(text or "")):
        if kind == "session":
            parts.append(block("\n".join(lines), "pycon"))
        elif kind == "indented":
            code = inspect.cleandoc("\n" + "\n".join(lines))
            parts.append(block(code, "python" if _is_python(code) else "text"))
        elif kind == "list":
            parts.append("\n".join(f"- {inline(item)}" for item in lines) + "\n")
        else:
            paragraph = inline(" ".join(lines))
            parts.append(("\\" if re.match(r"^(\(?\w{1,4}[.)]|[-+=:.#]) ", paragraph) else "") + paragraph + "\n")
    return "\n".join(parts)


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Return the blocks of a docstring: ("session" | "indented" | "list" | "text", its lines or items)."""
    found: list[tuple[str, list[str]]] = []
    for chunk in re.split(r"\n[ \t]*\n", text.strip("\n")):
        lines = chunk.splitlines()
        while lines:
            kind, taken = _first(lines)
            if kind == "indented" and found and found[-1][0] == "indented":
                found[-1][1].extend(["", *taken])
            elif taken:
                found.append((kind, taken if kind != "list" else _items(taken)))
            lines = lines[len(taken) :]
    return found


def _first(lines: list[str]) -> tuple[str, list[str]]:
    """Return the kind of the block that begins a chunk without empty lines, and its lines."""
    begins = next((i for i, line in enumerate(lines) if line.lstrip().startswith(">>>")), len(lines))
    if not begins:
        indent = len(lines[0]) - len(lines[0].lstrip())
        return "session", [line[indent:] for line in lines]
    if lines[0].startswith("    "):
        return "indented", lines[:begins]
    indented = next((i for i, line in enumerate(lines) if i and line.startswith("    ")), len(lines))
    if NAMED.match(lines[0]) or ITEM.match(lines[0]):
        return "list", lines[:begins]
    starts = next((i for i, line in enumerate(lines) if i and ITEM.match(line)), len(lines))
    return "text", lines[: min(begins, indented, starts)]


def _items(lines: list[str]) -> list[str]:
    items: list[str] = []
    for line in lines:
        named = NAMED.match(line)
        if named:
            items.append(f"`{named[1]}`: {line[named.end() :]}")
        elif ITEM.match(line):
            items.append(line[2:])
        else:
            items[-1] += f" {line.strip()}"
    return items


def inline(text: str) -> str:
    """Return a line of text with what reStructuredText would read as markup escaped, and code in backticks as such."""
    parts = re.split(r"(`[^`]+`)", text)
    out = ""
    for part in parts:
        if part.startswith("`") and part.endswith("`") and len(part) > 2 and part.strip("` "):
            out += ("\\ " if re.search(r"[^\s(\[{<'\"/:-]$", out) else "") + f"``{part[1:-1].strip()}``"
        else:
            glued = out.endswith("``") and re.match(r"[^\s.,:;!?)\]}>'\"/\\-]", part)
            out += ("\\ " if glued else "") + re.sub(r"([\\*`|])|(?<=\w)_(?!\w)", lambda m: f"\\{m[0]}", part)
    return out


def _is_python(code: str) -> bool:
    try:
        compile(code, "block", "exec")
    except SyntaxError:
        return False
    return True
