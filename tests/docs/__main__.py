"""`python -m tests.docs [PAGE ...]` writes what the blocks of pages print into the `output` blocks below them."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("GPUGRAD_CUDA", "emulate")

import gpugrad

from . import ROOT, pages, run


def main(names: list[str]) -> None:
    """Rewrite the pages."""
    for page in [Path(name).resolve() for name in names] or pages():
        text = page.read_text()
        gpugrad.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            found = list(run(text, str(page), Path(folder)))
            os.chdir(ROOT)
        for _, printed, after in reversed(found):
            if after is not None and "..." not in after.text:
                text = text[: after.start] + printed + text[after.end :]
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
