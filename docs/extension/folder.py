"""The folder of made pages: what is written there, and the pages of source files that pages link to."""

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "generated/source"
LANGUAGES = {".py": "python", ".cu": "cuda", ".cuh": "cuda", ".h": "cpp", ".cpp": "cpp", ".toml": "toml"}


class Folder:
    """Writes pages to docs/generated/. A page whose text is as before keeps its time, and so is not built again."""

    def __init__(self, docs: Path):
        self.docs, self.path = Path(docs), Path(docs) / "generated"
        self.written: set[Path] = set()

    def write(self, name: str, text: str) -> None:
        """Write the page `name`, a path below generated/ with its ending."""
        path = self.path / name
        self.written.add(path)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def keep(self, name: str, content: bytes) -> None:
        """Put a file that is no page, such as a picture, below generated/."""
        path = self.path / name
        self.written.add(path)
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def finish(self) -> None:
        """Write the pages of the source files that are linked to, and remove what was not written this time."""
        for file in sorted(self._linked()):
            self.write(f"source/{file}.rst", source_page(file))
        for folder, _, names in os.walk(self.path, topdown=False):
            for name in names:
                if Path(folder, name) not in self.written:
                    Path(folder, name).unlink()
            if not os.listdir(folder):
                os.rmdir(folder)

    def _linked(self) -> set[str]:
        found: set[str] = set()
        for page in [*self.docs.rglob("*.md"), *self.docs.rglob("*.rst")]:
            found.update(re.findall(rf"/{SOURCE}/([\w/.-]+\.\w+)", page.read_text(encoding="utf-8")))
        return {name for name in (file.removesuffix(".rst") for file in found) if (ROOT / name).is_file()}


def source_page(file: str) -> str:
    """Return the page that shows a source file."""
    path = ROOT / file
    up = "../" * (len(Path(file).parts) + 1)
    language = LANGUAGES.get(path.suffix, "text")
    return (
        f":orphan:\n:nosearch:\n:html_theme.sidebar_secondary.remove: true\n\n{heading(file)}\n"
        f".. literalinclude:: {up}../{file}\n   :language: {language}\n   :linenos:\n"
    )


def link(file: str | Path, text: str | None = None) -> str:
    """Return a link in reStructuredText to the page of a source file."""
    file = Path(file)
    name = (file.relative_to(ROOT) if file.is_absolute() else file).as_posix()
    return f":doc:`{text or name} </{SOURCE}/{name}>`"


def heading(text: str, line: str = "=") -> str:
    """Return a heading in reStructuredText."""
    shown = re.sub(r"([\\*`|_])", r"\\\1", text)
    return f"{shown}\n{line * max(3, len(shown))}\n"


def block(text: str, language: str, *options: str) -> str:
    """Return a block of code in reStructuredText."""
    lines = "\n".join(f"   {line}".rstrip() for line in text.rstrip().splitlines())
    head = "\n".join([f".. code-block:: {language}", *(f"   {option}" for option in options)])
    return f"{head}\n\n{lines}\n"


def table(head: list[str], rows: list[list[str]], widths: str = "auto") -> str:
    """Return a table in reStructuredText, of cells that are reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [head, *rows]:
        for i, cell in enumerate(row):
            text = "\n       ".join(cell.splitlines()) or "\\ "
            lines.append(f"   {'* -' if not i else '  -'} {text}")
    return "\n".join(lines) + "\n"
