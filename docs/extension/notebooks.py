"""Pages made of the tutorials in docs/notebooks: programs in cells, with the outputs of docs/_build/notebooks if they
were run there (`python docs/notebooks/build.py --out docs/_build/notebooks`)."""

import base64
import json
import re
from typing import Any

from .folder import Folder

CELL = re.compile(r"^# %%(.*)\n", re.MULTILINE)
MAGIC = re.compile(r"^# %\w.*\n", re.MULTILINE)


def write(folder: Folder) -> None:
    """Write the pages and their index."""
    found = {file.stem: file.read_text(encoding="utf-8") for file in sorted((folder.docs / "notebooks").glob("*.py"))}
    tutorials = {name: text for name, text in found.items() if text.startswith("# %%")}
    for name, text in tutorials.items():
        executed = folder.docs / "_build" / "notebooks" / f"{name}.ipynb"
        if executed.is_file():
            cells = _cells_of(json.loads(executed.read_text(encoding="utf-8")), name, folder)
        else:
            cells = list(_cells(text))
        folder.write(f"notebooks/{name}.md", "\n\n".join(cells) + "\n")
    listed = "\n".join(tutorials)
    said = "Notebooks, each about one thing." if tutorials else "There are none in this copy of the sources."
    tree = f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n" if tutorials else ""
    folder.write("notebooks/index.md", f"# Tutorials\n\n{said}\n\n{tree}")


def _cells(text: str) -> list[str]:
    """Return the cells of a program as Markdown."""
    parts = CELL.split(text)[1:]
    return [_cell("markdown" in kind, body) for kind, body in zip(parts[::2], parts[1::2], strict=True)]


def _cell(is_text: bool, body: str) -> str:
    if is_text:
        return re.sub(r"^# ?", "", body.strip(), flags=re.MULTILINE)
    return f"```python\n{MAGIC.sub('', body).strip()}\n```"


def _cells_of(notebook: dict[str, Any], name: str, folder: Folder) -> list[str]:
    """Return the cells of an executed notebook as Markdown, with texts and pictures that they gave."""
    parts = []
    for number, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        code = re.sub(r"^%\w.*\n", "", source, flags=re.MULTILINE).strip()
        parts += [f"```python\n{code}\n```"] if code else []
        parts += [_output(given, f"{name}-{number}-{i}.png", folder) for i, given in enumerate(cell.get("outputs", []))]
    return parts


def _output(given: dict[str, Any], picture: str, folder: Folder) -> str:
    data = given.get("data", {"text/plain": given.get("text", "")})
    if "image/png" in data:
        folder.keep(f"notebooks/{picture}", base64.b64decode("".join(data["image/png"])))
        return f"![what the cell above draws]({picture})"
    text = re.sub(r"\x1b\[[\d;]*m", "", "".join(data.get("text/plain", ""))).rstrip()
    return f"````output\n{text}\n````" if text else ""
