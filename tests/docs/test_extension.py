"""The pages that docs/extension makes: docstrings as reStructuredText, links of READMEs, rules' sources, diagrams."""

import inspect
import sys
from pathlib import Path

import pytest

import gpugrad as gg
from docs import DOCS, ROOT

pytest.importorskip("docutils", reason="the pages need the extra docs")


@pytest.fixture(scope="module", autouse=True)
def extension():
    """The extension, which pages' settings put on the path."""
    pytest.importorskip("sphinx", reason="the pages need the extra docs")
    sys.path.insert(0, str(DOCS))
    yield
    sys.path.remove(str(DOCS))


def test_a_docstring_becomes_text_that_means_the_same():
    from extension.docstrings import rst, summary

    text = "Return `x` * y_ for |x|.\n\naxis: along it, as in `sum`.\nout, *more: the rest\n\n"
    text += ">>> 1 + 1\n2\n\n    y = x**2\n"
    assert rst(text).splitlines() == [
        "Return ``x`` \\* y\\_ for \\|x\\|.", "",
        "- ``axis``: along it, as in ``sum``.", "- ``out, *more``: the rest", "",
        ".. code-block:: pycon", "", "   >>> 1 + 1", "   2", "",
        ".. code-block:: python", "", "   y = x**2",
    ]  # fmt: skip
    assert summary("Return the `n`-th root. More.\nAnd more.") == "Return the ``n``-th root."


def test_every_docstring_of_an_op_is_read_without_complaint():
    from docutils.core import publish_doctree
    from extension.docstrings import rst
    from extension.ops import own_ops

    settings = {"report_level": 2, "halt_level": 2, "syntax_highlight": "none"}
    for op in list(own_ops().values())[::8]:
        publish_doctree(rst(op.__doc__ or ""), settings_overrides=settings)


def test_a_rule_is_shown_with_its_whole_statement():
    from extension.ops import source

    assert source(gg.layer_norm.rules["bias"])[1].startswith("layer_norm.vjp(\n    x=_layer_norm_x")
    file, code = source(gg.softmax.forward)
    assert file == gg.softmax.forward.__code__.co_filename and code.startswith("@op(") and "exponentials.sum(" in code
    assert source(gg.max.rules["x"])[1] == inspect.getsource(gg.max.rules["x"]).rstrip()


def test_an_ops_page_has_all_that_its_declaration_says():
    from extension.ops import page

    text = page(gg.softmax)
    for part in ("gpugrad.softmax(x, axis=-1)", ">>> gg.softmax(", "softmax.vjp(x=lambda g, out, axis", "``bfloat16``",
                 "kernels/softmax.cu", "softmax(float64[2, 3, 4], axis=1)", ":py:func:`torch.softmax`"):  # fmt: skip
        assert part in text, part
    assert ">>> convolution_input_gradient" not in text and "Measured" in text
    assert ">>> x0 = gg.tensor(" in page(gg.autograd.op.OPS["cofactor"])  # an example made of its first sample


def test_links_of_readmes_lead_to_pages():
    from extension.readmes import page

    folder = Path("gpugrad/autograd")
    assert page("[a](graph.py), [b](../cuda/README.md#x), [c](check), [d](#e), [f](nowhere.py)", folder) == (
        "[a](/generated/source/gpugrad/autograd/graph.py.rst), [b](/generated/inside/kernels.md#x), "
        "[c](/generated/source/gpugrad/autograd/check/__init__.py.rst), [d](#e), f"
    )
    assert page("`[x](y.py)`\n\n```py\n[x](y.py)\n```\n", folder) == "`[x](y.py)`\n\n```python\n[x](y.py)\n```\n"


def test_a_flowchart_is_drawn():
    from extension.flowcharts import draw

    drawn = draw(["flowchart LR", '    a["one<br/>two"] -->|"by <b>"| b', "    b -.-> a"])
    assert drawn.count("<rect") == 2 and drawn.count('class="edge"') == 2 and "stroke-dasharray" in drawn
    assert ">one<" in drawn and "by &lt;b&gt;" in drawn


def test_cells_of_a_tutorial_become_blocks():
    from extension.notebooks import _cells

    assert _cells("# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\n# %matplotlib inline\nx = 1\n") == [
        "# Title\n\nText.", "```python\nx = 1\n```",
    ]  # fmt: skip


def test_lists_of_other_libraries_names_are_of_names_here():
    for library in ("numpy", "cupy", "torch"):
        lines = (ROOT / "docs" / "inventories" / f"{library}.txt").read_text().splitlines()
        names = [line.split()[0].removeprefix(f"{library}.") for line in lines]
        assert len(names) > 200 and [n for n in names if "." not in n and n not in gg.__all__] == []
