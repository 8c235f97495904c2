"""The examples in docstrings: each is run, and the packages named here have one for everything public."""

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.cuda import Kernels

ROOT = Path(__file__).parent.parent
WITH_EXAMPLES = [  # every public class and function of these has an example
    "gpugrad", "gpugrad.amp", "gpugrad.autograd", "gpugrad.cuda", "gpugrad.data", "gpugrad.data.transforms",
    "gpugrad.distributed", "gpugrad.distributed.functional", "gpugrad.distributions", "gpugrad.fft", "gpugrad.io",
    "gpugrad.linalg", "gpugrad.models", "gpugrad.nn", "gpugrad.nn.detection", "gpugrad.nn.functional", "gpugrad.optim",
    "gpugrad.optim.lr_scheduler", "gpugrad.optim.swa_utils", "gpugrad.recipes", "gpugrad.rl", "gpugrad.special",
    "gpugrad.train", "gpugrad.viz",
]  # fmt: skip
GLOBALS = {"gg": gg, "np": np, "nn": gg.nn, "F": gg.nn.functional}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def written_examples(file):
    """(name, docstring, line) of each docstring in a file that has an example; the file is not imported."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, DOCUMENTED) and ">>>" in (ast.get_docstring(node) or ""):
            yield getattr(node, "name", file.stem), inspect.cleandoc(node.body[0].value.value), node.body[0].lineno


def public_members(package):
    """The public classes, functions and ops of a package: those in `__all__`, or all that it defines itself."""
    module = importlib.import_module(package)
    named = getattr(module, "__all__", None)
    for name in vars(module) if named is None else named:
        value = getattr(module, name)
        own = named is not None or (getattr(value, "__module__", None) or "").startswith(package)
        if own and not name.startswith("_") and (inspect.isclass(value) or inspect.isroutine(value)):
            yield name, value


IN_A_PROCESS = """
import doctest, sys
import numpy as np
import gpugrad as gg
name, file, line, options = sys.argv[1:]
test = doctest.DocTestParser().get_doctest(sys.stdin.read(), {"gg": gg, "np": np}, name, file, int(line))
doctest.DocTestRunner(optionflags=int(options), verbose=False).run(test)
"""


def failures(name, docstring, file, line):
    """What the examples of one docstring print instead of what it says."""
    if "import jax" in docstring:  # whose threads do not go together with the forks of other tests
        command = [sys.executable, "-c", IN_A_PROCESS, name, str(file), str(line - 1), str(OPTIONS)]
        done = subprocess.run(command, input=docstring, capture_output=True, text=True, cwd=ROOT)
        return done.stdout + (done.stderr if done.returncode else "")
    report = []
    test = doctest.DocTestParser().get_doctest(docstring, dict(GLOBALS), name, str(file), line - 1)
    doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=report.append)
    return "".join(report)


@pytest.fixture(autouse=True)
def a_place_of_its_own(own_ops, monkeypatch, tmp_path):
    """Examples declare ops and kernels, and write files where they are run."""
    monkeypatch.setattr(Kernels, "families", list(Kernels.families))
    monkeypatch.chdir(tmp_path)


FILES = [file for file in sorted((ROOT / "gpugrad").rglob("*.py")) if ">>>" in file.read_text()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_examples_in_files(file):
    assert [found for example in written_examples(file) if (found := failures(*example[:2], file, example[2]))] == []


@pytest.fixture(scope="module")
def written():
    """The docstrings with examples that are in files."""
    return {docstring for file in FILES for _, docstring, _ in written_examples(file)}


@pytest.mark.parametrize("package", WITH_EXAMPLES)
def test_examples_of_public_names(package, written):
    """Each has one. Those of docstrings that are made by code, which are in no file as they are, are run here."""
    texts = {name: inspect.cleandoc(value.__doc__ or "") for name, value in public_members(package)}
    assert texts
    assert [name for name, text in texts.items() if ">>>" not in text] == []
    generated = {name: text for name, text in texts.items() if text not in written}
    assert [report for name, text in generated.items() if (report := failures(name, text, package, 1))] == []


def test_a_wrong_example_fails():
    assert "Expected:\n    3\nGot:\n    2" in failures("f", ">>> 1 + 1\n3\n", "file", 1)
    assert not failures("f", ">>> gg.tensor([1.0])\ntensor([1.])\n", "file", 1)
