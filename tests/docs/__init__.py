"""The pages of docs/: what their blocks of code are, and how they are run.

`python` blocks of a page run from top to bottom in one namespace; what one prints stands in an `output` block right
below it, or in comments beside its prints. A block with a caption is a file, written where the page runs, and run too
if it is Python. `sh` blocks hold commands, whose options must exist. `py` blocks are only compiled: they need several
processes, another library or more time.
"""

import contextlib
import doctest
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^(?P<fence>```+)(?P<head>[^\n]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\) *# (.*)$", re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
LANGUAGES = {"python", "py", "output", "sh", "cuda", "text", "toctree", "raw", "include", "grid", ""}


@dataclass
class Block:
    """A fenced block: its language, its text, the line where this begins, the file that it is, and its place."""

    language: str
    text: str
    line: int
    caption: str
    start: int
    end: int


def pages():
    """The pages that are written by hand."""
    made = {"generated", "_build", "notebooks"}
    return [page for page in sorted(DOCS.rglob("*.md")) if not made & set(page.relative_to(DOCS).parts)]


def blocks(page):
    """The blocks of a page's text."""
    found = []
    for match in FENCE.finditer(page):
        head = re.match(r"\{?([\w-]*)\}? *(.*)", match["head"])
        language, text, start = head[1], match["text"], match.start("text")
        options = re.match(r"(?:^:[\w-]+:.*\n)*", text, re.MULTILINE)[0]
        if language == "code-block":
            language, text, start = head[2], text[len(options) :], start + len(options)
            stripped = text.lstrip("\n")
            start, text = start + len(text) - len(stripped), stripped
        caption = re.search(r"^:caption: (.*)$", options, re.MULTILINE)
        line = page[:start].count("\n") + 1
        found.append(Block(language, text, line, caption[1] if caption else "", start, match.end("text")))
    return found


def run(page, name, folder):
    """Yield (block, what it printed, the output that the page shows, or None) of each `python` block, run in order."""
    namespace = {"__name__": "page", "__file__": str(folder / "page.py")}
    found = blocks(page)
    (folder / "train.py").write_text(page)  # where messages find the lines that they show
    for block, after in zip(found, [*found[1:], None], strict=False):
        if block.caption:
            (folder / block.caption).write_text(block.text)
        if block.language == "py":
            compile(block.text, name, "exec")
        if block.language != "python":
            continue
        out, file = io.StringIO(), str(folder / (block.caption or "train.py"))
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * (block.line - 1) * (not block.caption) + block.text, file, "exec"), namespace)
        between = page[block.end : after.start] if after is not None else "\n" * 9
        follows = after is not None and after.language == "output" and between.count("\n") < 5
        yield block, out.getvalue(), after if follows else None


def differs(block, printed, after):
    """What is wrong with the output of a block; "" if the page shows it."""
    if after is not None:
        wanted = after.text
    else:
        wanted = "".join(f"{line}\n" for line in PRINTED.findall(block.text))
    if doctest.OutputChecker().check_output(wanted, printed, FLAGS):
        return ""
    return f"line {block.line}: it prints\n{printed}but the page shows\n{wanted}"


def commands(page):
    """The `gpugrad` commands of a page, those of its `sh` blocks and those in its text, as lists of words."""
    text = [line for block in blocks(page) if block.language == "sh" for line in block.text.splitlines()]
    text += re.findall(r"(?<!`)`((?:[A-Z_]+=\w+ )*gpugrad [a-z][^`]*)`", FENCE.sub("", page))
    for line in text:
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        if words[:1] == ["gpugrad"]:
            yield words[1:]
