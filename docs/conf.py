"""Sphinx's settings for the site: `gpugrad docs --build` builds it."""

import os
import sys
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the extension, and the checkout whose pages these are

from extension.inventories import mapping  # noqa: E402

import gpugrad  # noqa: E402

project, author = "gpugrad", "the authors of gpugrad"
version = release = gpugrad.__version__
copyright = f"{datetime.now():%Y}, {author}"

extensions = [
    "extension", "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.intersphinx",
    "sphinx_design",
]  # fmt: skip
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["_build", "extension", "**.ipynb_checkpoints"]
default_role = "code"
highlight_language = "python"
suppress_warnings = ["design.card_legacy"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
html_math_renderer = "mathml"
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autosummary_generate = False
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries = False

intersphinx_mapping = mapping(HERE / "_build" / "inventories")
intersphinx_timeout = 5
if os.environ.get("GPUGRAD_DOCS_OFFLINE"):
    intersphinx_mapping = {name: (site, (files[-1],)) for name, (site, files) in intersphinx_mapping.items()}

html_theme = "pydata_sphinx_theme"
html_title = f"gpugrad {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/mark.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "generated/source/**": [], "generated/performance": [], "generated/notes": []}
html_theme_options = {
    "logo": {"text": "gpugrad", "image_light": "_static/mark.svg", "image_dark": "_static/mark.svg"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "collapse_navigation": True,
    "navigation_depth": 2,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
