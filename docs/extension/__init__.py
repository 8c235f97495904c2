"""The Sphinx extension that makes pages of this site from the code: it writes them to `generated/` before a build.

What is made: a page per op (ops.py), pages of all other public names (api.py), the READMEs of packages with their links
mended (readmes.py), the course notes and the gallery (recipes.py), the
tutorials (notebooks.py), the measurements (measured.py), the differences to
PyTorch (differences.py), the inventories of names for links to other sites (inventories.py), and the source files that
pages link to (folder.py).
"""

from sphinx.application import Sphinx

from . import api, differences, docstrings, flowcharts, formulas, measured, notebooks, ops, readmes, recipes
from .folder import Folder

PARTS = (ops, api, readmes, recipes, notebooks, measured, differences)


def write_pages(app: Sphinx) -> None:
    """Write every made page, and remove those of names that are gone."""
    folder = Folder(app.srcdir)
    for part in PARTS:
        part.write(folder)
    folder.finish()


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", docstrings.process)
    app.add_html_math_renderer("mathml", (formulas.inline, None), (formulas.block, None))
    app.add_directive("flowchart", flowcharts.Flowchart)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
