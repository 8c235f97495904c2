"""CONTRIBUTING.md, followed to the letter: each recipe's files, changes and commands, in a copy of the checkout."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from gpugrad.backend import cuda

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
COPIED = ["gpugrad", "kernels", "tests", "benchmarks", "pyproject.toml"]
BLOCK = re.compile(r"^`([\w./]+)`$|^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipes(page):
    """Recipe -> its steps in order: ("sh", commands), ("diff", file, changed lines) or ("file", file, text)."""
    found = {}
    for section in page.split("\n## ")[1:]:
        file, steps = None, []
        for path, language, text in BLOCK.findall(section):
            if path:
                file = path
            elif language == "sh":
                steps.append(("sh", text))
            else:
                steps.append(("diff" if language == "diff" else "file", file, text))
        found[section.partition("\n")[0]] = steps
    return found


def change(text, diff):
    """`text` with the lines of `diff` that begin with a space or +, for those that begin with a space or -."""
    lines = diff.splitlines(keepends=True)
    old, new = ("".join(line[1:] for line in lines if line[0] in kinds) for kinds in (" -", " +"))
    where = f"\n{text}".split(f"\n{old}")
    assert len(where) == 2, f"found {len(where) - 1} times:\n{old}"
    return f"\n{new}".join(where)[1:]


def follow(steps, folder, commands):
    """Do in `folder` what the steps say; run their commands only if told."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for kind, *step in steps:
        if kind == "sh":
            if commands:
                shell = ["bash", "-euo", "pipefail", "-c", step[0]]
                run = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True)
                assert run.returncode == 0, f"{step[0]}\n{run.stdout}\n{run.stderr}"
            continue
        file, text = folder / step[0], step[1]
        if kind == "file":
            assert not file.exists(), f"{step[0]} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        else:
            file.write_text(change(file.read_text(), text))


RECIPES = recipes(PAGE)
NEEDS = {"Add a layer": ["Add an op"], "Add a kernel": ["Add an op"]}  # they go on with the op of the first recipe


def test_every_recipe_is_found():
    kinds = "an op", "a layer", "a kernel", "an optimizer", "a dataset", "an architecture", "a training program"
    assert list(RECIPES) == [f"Add {what}" for what in kinds]
    for name, steps in RECIPES.items():
        kinds = [step[0] for step in steps]
        assert "file" in kinds and "sh" in kinds, name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_does_what_it_says(name, tmp_path, most):
    if list(RECIPES).index(name) >= (most or len(RECIPES)):
        pytest.skip("with --whole, as .ci/run does")
    if "GPUGRAD_CUDA=" in str(RECIPES[name]) and cuda.diagnose():
        pytest.skip(cuda.diagnose())
    for part in COPIED:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tmp_path / part)  # with what is compiled already
        else:
            shutil.copy(ROOT / part, tmp_path / part)
    for before in NEEDS.get(name, []):
        follow(RECIPES[before], tmp_path, commands=False)
    follow(RECIPES[name], tmp_path, commands=True)
    written = [step[1] for step in RECIPES[name] if step[0] == "file" and step[1].endswith(".py")]
    for check in (["check"], ["format", "--check"]) if find_spec("ruff") else ():
        command = [sys.executable, "-m", "ruff", *check, *written]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout


def test_a_wrong_recipe_fails(tmp_path):
    blocks = ["`a.py`", "```python\nx = 1\n```", "`a.py`", "```diff\n x = 1\n+y = 2\n```", "```sh\ntest -e a.py\n```\n"]
    (steps,) = recipes("\n\n".join(["# Page", "## Recipe", *blocks])).values()
    follow(steps, tmp_path, commands=True)
    assert (tmp_path / "a.py").read_text() == "x = 1\ny = 2\n"
    with pytest.raises(AssertionError, match="is there already"):
        follow(steps, tmp_path, commands=False)
    with pytest.raises(AssertionError, match="found 0 times"):
        change("x = 2\n", " x = 1\n+y = 2\n")
    with pytest.raises(AssertionError, match="no such thing"):
        follow([("sh", "echo no such thing; exit 3")], tmp_path, commands=True)
