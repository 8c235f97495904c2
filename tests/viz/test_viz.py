"""Pictures: the text of a graph, and that curves and histograms show what they were given."""

import shutil

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn
from gpugrad.errors import GradientError, MissingPackageError
from gpugrad.viz import curves, graph, histograms


def edges(dot):
    """The arrows of a graph as pairs of labels."""
    labels = {}
    for line in dot.splitlines():
        if "[label=" in line:
            labels[line.split()[0]] = line.split('"')[1]
    return sorted(tuple(labels[n.strip(" ;")] for n in line.split("->")) for line in dot.splitlines() if "->" in line)


def test_the_graph_of_an_expression():
    x, w = gg.ones(2, 3, requires_grad=True), gg.ones(3, requires_grad=True)
    dot = graph((x * w).exp().sum(), params={"x": x})
    assert edges(dot) == [
        ("(3,) float32", "multiply"), ("exp", "sum"), ("multiply", "exp"), ("sum", "() float32"),
        ("x\\n(2, 3) float32", "multiply"),
    ]  # fmt: skip
    assert 'tooltip="' in dot and "test_viz.py:" in dot  # the line that made an op
    assert graph(x * 1, params={'a"b\\': x}).count('label="a\\"b\\\\\\n(2, 3) float32"') == 1
    with pytest.raises(GradientError, match=r"shape \(3,\) was not made by recorded ops"):
        graph(gg.ones(3))


def test_the_graph_of_a_network(tmp_path, device):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).to(device)
    y = model(gg.ones(5, 3, device=device))
    dot = graph(y.sum(), y, params=model)
    for name in dict(model.named_parameters()):
        assert f'label="{name}\\n' in dot
    assert dot.count("->") == len(edges(dot)) and "out1" in dot
    dot.save(tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text() == dot


def test_long_graphs():
    x = gg.ones(2, requires_grad=True)
    y = x
    for _ in range(5000):
        y = y + 1
    assert graph(y).count("->") == 5001


def test_svg(monkeypatch, tmp_path):
    dot = graph(gg.ones(2, requires_grad=True) * 2)
    if shutil.which("dot"):
        dot.save(tmp_path / "a.svg")
        assert "</svg>" in (tmp_path / "a.svg").read_text() and "multiply" in dot._repr_svg_()
    monkeypatch.setenv("PATH", "")
    assert dot._repr_svg_() is None
    with pytest.raises(MissingPackageError, match="graphviz"):
        dot.svg()


def test_svg_is_what_dot_writes(monkeypatch, tmp_path):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\n[ "$1" = -Tsvg ] && echo "<svg>" && cat && echo "</svg>"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    dot = graph(gg.ones(2, requires_grad=True) * 2)
    dot.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == f"<svg>\n{dot}</svg>\n"


def test_curves(tmp_path):
    figure = curves({"training": [4, 2, 1, 0.5], "test": [3, 1]}, tmp_path / "a.png", per_epoch=2)
    (axes,) = figure.axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert lines == {"training": [[0.5, 4], [1, 2], [1.5, 1], [2, 0.5]], "test": [[1, 3], [2, 1]]}
    assert axes.get_yscale() == "log" and axes.get_xlabel() == "epoch" and axes.get_legend() is not None
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = curves([1.0, float("nan"), -1.0]).axes
    assert axes.get_yscale() == "linear" and axes.get_ylabel() == "loss" and axes.get_xlabel() == "step"
    curves({})


def test_histograms(tmp_path, device):
    model = nn.Linear(30, 20).to(device)
    figure = histograms(model, tmp_path / "a.png")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:2] == ["weight (20, 30)", "bias (20,)"] and (tmp_path / "a.png").exists()
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 600
    assert not [axes for axes in histograms(model, gradients=True).axes if axes.get_title()]
    model(gg.ones(2, 30, device=device)).sum().backward()
    model.weight.grad._array[0, 0] = np.nan
    figure = histograms(model, gradients=True)
    assert figure.axes[0].get_title() == "weight (20, 30), 1 not finite"
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 599
    histograms({"low": gg.ones(3, dtype="bfloat16")})
