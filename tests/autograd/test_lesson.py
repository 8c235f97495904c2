"""The lesson in gpugrad/autograd/README.md: its code runs from top to bottom, and prints what its comments say."""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "gpugrad" / "autograd" / "README.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^ *print\(.*\) *# (.*)$", re.MULTILINE)


def run(page, name):
    """(what the code of each block prints, what its comments say), block after block in one namespace."""
    namespace = {"__name__": "lesson"}
    for match in CODE.finditer(page):
        line = page[: match.start(1)].count("\n")
        block, out = match[1], io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * line + block, name, "exec"), namespace)
        yield out.getvalue().splitlines(), PRINTED.findall(block)


def test_the_lesson_prints_what_it_says(own_ops):
    blocks = list(run(PAGE.read_text(), str(PAGE)))
    assert len(blocks) > 20 and sum(len(said) for _, said in blocks) > 30
    for printed, said in blocks:
        assert printed == said


def test_every_print_of_the_lesson_says_what_it_prints():
    code = "".join(CODE.findall(PAGE.read_text()))
    assert len(re.findall(r"\bprint\(", code)) == len(PRINTED.findall(code))


def test_the_files_that_the_lesson_names_exist():
    links = re.findall(r"\]\(([^)#]+)", PAGE.read_text())
    assert len(links) > 20 and [link for link in links if not (PAGE.parent / link).exists()] == []
    assert {file.name for file in PAGE.parent.glob("*.py")} - {"__init__.py"} <= set(links)


def test_files_use_those_above_them():
    order = re.findall(r"\]\((\w+)\.py\)", PAGE.read_text().partition("\n| file |")[2].partition("\n\n")[0])
    assert len(order) > 12 and len(set(order)) == len(order)
    known = {"table", "explain", "stepwise", "protocols"}
    for name in order:
        assert used(PAGE.parent / f"{name}.py") <= known, name
        known.add(name)


def used(file):
    """The files of the same folder that `file` imports when it is loaded."""
    found = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom) and node.level == 1]
    return {name for node in found for name in ([node.module] if node.module else [a.name for a in node.names])}


def test_a_wrong_comment_is_seen():
    ((printed, said),) = run("```python\nprint(1 + 1)  # 3\n```\n", "page")
    assert printed == ["2"] and said == ["3"]
    with pytest.raises(NameError):
        list(run("```python\nundefined\n```\n", "page"))
