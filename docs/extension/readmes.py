"""Pages made of the READMEs that stand beside the code: their text as it is, with links that lead to pages here."""

import os
import re
from pathlib import Path

from .folder import ROOT, SOURCE, Folder

PAGES = {
    "gpugrad/autograd/README.md": "inside/autograd",
    "gpugrad/cuda/README.md": "inside/kernels",
    "gpugrad/cuda/MACHINE_CODE.md": "inside/machine_code",
    "gpugrad/cuda/ACCESSES.md": "inside/accesses",
    "gpugrad/distributed/README.md": "inside/distributed",
    "gpugrad/distributed/SCALING.md": "inside/scaling",
    "gpugrad/torch/README.md": "inside/torch",
    "gpugrad/nn/API.md": "inside/nn_names",
    "tests/real_cupy/README.md": "inside/real_cupy",
    "tests/reliability/README.md": "inside/reliability",
    "CONTRIBUTING.md": "inside/contributing",
    "CHANGELOG.md": "inside/changelog",
}
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)


def write(folder: Folder) -> None:
    """Write all of them."""
    for file, name in PAGES.items():
        if (ROOT / file).is_file():
            folder.write(f"{name}.md", page((ROOT / file).read_text(encoding="utf-8"), Path(file).parent))


def page(text: str, folder: Path) -> str:
    """Return the text of a README in `folder` as a page: links to files lead to pages, diagrams are drawn."""
    if "\n## " not in text:
        text = re.sub(r"^### ", "## ", text, flags=re.MULTILINE)  # a page has no gaps in its levels
    parts, at = [], 0
    for fence in FENCE.finditer(text):
        parts += [_prose(text[at : fence.start()], folder), _fence(fence[2], fence[3], fence[0])]
        at = fence.end()
    return "".join([*parts, _prose(text[at:], folder)])


def _fence(language: str, code: str, whole: str) -> str:
    if language == "mermaid":
        return f"```{{flowchart}}\n{code}```"
    return f"```python\n{code}```" if language == "py" else whole


def _prose(text: str, folder: Path) -> str:
    parts, at = [], 0
    for code in INLINE.finditer(text):
        before = text[at : code.start()]
        if before.endswith("[") or "](" in text[code.end() : code.end() + 2]:  # code as the text of a link
            continue
        parts += [LINK.sub(lambda m: _link(m, folder), before), code[0]]
        at = code.end()
    return "".join([*parts, LINK.sub(lambda m: _link(m, folder), text[at:])])


def _link(found: re.Match, folder: Path) -> str:
    """Return a link that leads to the page of a README, to that of a source file, or nowhere for anything else."""
    text, target, anchor = found[1], found[2], found[3] or ""
    if "://" in target or not target and anchor:
        return found[0]
    file = Path(os.path.normpath(folder / target)).as_posix()
    if file in PAGES:
        return f"[{text}](/generated/{PAGES[file]}.md{anchor})"
    if (ROOT / file).is_dir():
        file = next((f"{file}/{name}" for name in ("README.md", "__init__.py") if (ROOT / file / name).is_file()), file)
        if file in PAGES:
            return f"[{text}](/generated/{PAGES[file]}.md{anchor})"
    if (ROOT / file).is_file():
        return f"[{text}](/{SOURCE}/{file}.rst)"
    return text
