"""The tutorials run as plain programs, in their quick form, and come to the results that they speak of."""

import importlib.util
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gpugrad.backend import cuda

FOLDER = Path(__file__).parents[2] / "docs" / "notebooks"

# What each tutorial's variables must be at its end. `v` has them as attributes.


def backprop(v):
    assert v.neuron_difference < 1e-15 and v.network_difference < 1e-14 and v.curve_difference < 1e-12
    assert v.second_difference < 1e-14 and 1e-15 < v.best_error < 1e-8
    assert v.accuracy > 0.9 and len(v.our_losses) == 150


def digits(v):
    assert v.linear_accuracy > 0.5 and v.losses[-1] < v.losses[0]
    assert v.confusion.sum() == len(v.truth) and v.confusion.trace() == round(v.accuracy * len(v.truth))
    assert v.same


def dates(v):
    assert v.attention_error < 1e-6 and (v.depends == np.tril(np.ones((6, 6), bool))).all()
    assert v.losses[-1] < 0.9 * v.losses[0] and max(v.rates) == v.rates[v.warmup - 1] > v.rates[-1]
    assert v.weights.shape[1] == 4 and np.allclose(v.weights.sum(axis=3).numpy(), 1, atol=1e-5)


def kernel(v):
    assert v.difference < 1e-6 and v.no_problems == []
    assert "race" in v.race[0] and "out-of-bounds read" in v.strayed[0]
    assert v.right[0] == v.right[1] == v.right[2] and v.pictures[0].tolist() != v.pictures[1].tolist()
    assert v.errors[-1] < v.before and "6 blur<float>" in str(v.ran)


def newton(v):
    assert v.product_error < 1e-9 and v.newton_distance < 1e-9
    assert v.histories["Newton-CG"][-1] == v.best and v.gradient_norm < 1e-2
    assert v.runs["0.90 of the limit"][-1] < 1e-3 < v.runs["1.10 of the limit"][-1]


def precision(v):
    assert v.lost and (v.low, v.high) == ("float16", "float32")
    assert v.flushed + v.subnormal > 0.5 and v.mixed < 0.8 * v.full
    last = {kind: losses[-1] for kind, (_, losses, _) in v.runs.items()}
    assert not last["all float16"] < 2 * last["float32"]
    assert abs(last["bfloat16 mixed"] / last["float32"] - 1) < 0.1
    assert v.runs["float16 mixed"][2][-1] < 2.0**40


def style(v):
    assert v.gram_error < 1e-5 and v.same_losses
    assert v.history["style"][-1] < v.start["style"] and v.painted.shape == v.content.shape


def distributed(v):
    assert v.apart.max() < 1e-12 and len(v.losses[2]) == 10
    assert v.mismatch == 1 and "rank 1: all_reduce(sum) of float32 (4,)" in v.said
    assert "tokens/s" in v.plan.stdout


RESULTS = {check.__name__: check for check in (backprop, digits, dates, kernel, newton, precision, style, distributed)}


@pytest.fixture
def quick(monkeypatch, own_ops):
    """A plain Python in which tutorials are short and show their pictures to nobody."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("sklearn")
    pyplot.switch_backend("agg")
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.close("all"))
    monkeypatch.setenv("GPUGRAD_QUICK", "1")
    yield
    assert pyplot.get_fignums() == [], "a picture that nobody would see: plt.show() is missing"


@pytest.mark.parametrize("name", RESULTS)
def test_a_tutorial_comes_to_its_result(name, quick):
    if name == "kernel" and (problem := cuda.diagnose() or (not cuda.is_emulated() and "a GPU is here")):
        pytest.skip(problem)
    if name == "distributed":
        pytest.importorskip("mpi4py")
    RESULTS[name](SimpleNamespace(**runpy.run_path(str(FOLDER / f"{name}.py"))))


@pytest.fixture
def build():
    spec = importlib.util.spec_from_file_location("build_notebooks", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_tutorial_is_built_and_tested(build):
    assert sorted(build.TUTORIALS) == sorted(RESULTS)
    assert sorted(f.stem for f in FOLDER.glob("*.py")) == sorted([*RESULTS, "build"])


def test_a_tutorial_begins_with_its_title_and_explains():
    for name in RESULTS:
        cells = (FOLDER / f"{name}.py").read_text().split("# %%")[1:]
        assert cells[0].startswith(" [markdown]\n# # "), name
        assert sum(cell.startswith(" [markdown]") for cell in cells) >= len(cells) / 3, name


def test_notebooks_are_executed_and_failures_told(build, tmp_path, monkeypatch, capsys):
    """The real thing, on a small program: text, a picture, a Tensor, and an error that is kept in the notebook."""
    for package in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(package)
    source = "# %% [markdown]\n# # Title\n\n# %%\n# %matplotlib inline\nimport os\nimport gpugrad as gg\n\n"
    source += "# %%\ngg.ones(2000)\n\n# %%\ngg.viz.curves([1.0, 2.0])\n\n# %%\nprint(os.environ['GPUGRAD_QUICK'])\n"
    (tmp_path / "small.py").write_text(source)
    (tmp_path / "broken.py").write_text("# %%\n1 / 0\n")
    monkeypatch.setattr(build, "TUTORIALS", ["small", "broken"])
    monkeypatch.setattr(build, "HERE", tmp_path)
    monkeypatch.setattr(build, "ROOT", FOLDER.parents[1])
    monkeypatch.setattr(sys, "argv", ["build.py", "--out", str(tmp_path / "out"), "--quick"])
    assert build.main() == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    import nbformat

    small, broken = (nbformat.read(tmp_path / "out" / f"{name}.ipynb", as_version=4) for name in ("small", "broken"))
    shown = [output for cell in small.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [cell.cell_type for cell in small.cells] == ["markdown", "code", "code", "code", "code"]
    assert "<b>Tensor</b> (2000,)" in shown[0].data["text/html"] and "image/png" in shown[1].data
    assert shown[2].text == "1\n" and broken.cells[0].outputs[0].ename == "ZeroDivisionError"
