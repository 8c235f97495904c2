"""What is shown of Tensors, as text and in notebooks."""

import re
import subprocess
import sys

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import nn

SHAPES = [(1001,), (7, 200), (8, 200), (2, 7, 300), (5000, 1), (1, 6, 700), (3, 4, 5, 6, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64"])
def test_the_repr_is_numpys_of_the_whole_array(device, shape, dtype):
    x = gg.asarray(np.random.default_rng(0).normal(size=shape) * 10, device=device).to(dtype=dtype)
    whole = np.array2string(x.cpu().numpy(), separator=", ", prefix="tensor(", threshold=1000)
    assert repr(x).startswith(f"tensor({whole}") and "..." in whole


def test_only_the_corners_of_many_elements_are_copied_to_the_host(cuda, monkeypatch):
    x, sizes, copied = gg.zeros(300, 400, device=cuda), [], type(cuda).to_host
    monkeypatch.setattr(type(cuda), "to_host", lambda self, a, *b: sizes.append(a.size) or copied(self, a, *b))
    repr(x)
    assert sizes == [49]
    x._repr_html_()
    assert max(sizes) == 49


def text(tensor):
    """What a notebook shows, as lines."""
    html = tensor._repr_html_()
    plain = re.sub(r"<[^>]*>", "", html.replace("<br>", "\n").replace("<pre", "\n<pre")).replace("&middot;", "|")
    return plain.splitlines()


def test_large_tensors_show_statistics_of_what_is_finite(device):
    values = np.arange(2000.0, dtype=np.float32).reshape(20, 100)
    values[0, :3], values[5, 7] = [np.nan, np.inf, -np.inf], np.nan
    x = gg.asarray(values, device=device)
    finite = values[np.isfinite(values)]
    lines = text(x)
    assert lines[0] == f"Tensor (20, 100) | float32 | {device} | 7.81 KiB"
    assert (
        lines[1] == f"min {finite.min():.4g} | mean {finite.mean():.4g} | max {finite.max():.4g} | 2 NaN | 2 infinite"
    )
    assert lines[2:] == np.array2string(values, separator=", ", threshold=0).splitlines()
    assert text(gg.full((2000,), float("nan"), device=device))[1] == "2000 NaN"


@pytest.mark.parametrize(
    ("x", "line"),
    [
        (gg.arange(3000), "min 0 | mean 1500 | max 2999"),
        (gg.arange(3000) < 5, "5 of 3000 true"),
        (gg.full((3000,), 60000.0, dtype="float16"), "min 6e+04 | mean 6e+04 | max 6e+04"),  # whose sum overflows
        (gg.full((1200,), 0.5, dtype="bfloat16"), "min 0.5 | mean 0.5 | max 0.5"),
        (gg.full((2000,), 3 + 4j, dtype="complex64"), "mean 3+4j | mean of |x| 5"),
    ],
)
def test_statistics_of_other_dtypes(x, line):
    assert text(x)[1] == line


def test_the_place_in_the_graph_is_shown():
    x = gg.ones(2, 3, 300, requires_grad=True)
    assert text(x)[0].split(" | ")[3] == "requires_grad"
    assert text(x * 2)[0].split(" | ")[3] == "grad_fn=multiply"
    assert text(x)[2] == "[0] ="
    assert text(nn.Linear(50, 50).weight)[0].startswith("Parameter (50, 50) | float32 | cpu | requires_grad")


def test_small_tensors_are_shown_by_their_repr():
    assert gg.ones(1000)._repr_html_() is None and gg.ones(1001)._repr_html_() is not None
    seen = []
    gg.vmap(lambda row: seen.append((row._repr_html_(), repr(row))) or row)(gg.zeros(2, 2000))
    assert seen[0][0] is None and seen[0][1].startswith("an example of tensor(")


def test_showing_is_free_until_it_is_asked_for():
    """Importing gpugrad and making Tensors imports nothing that only notebooks need."""
    code = "import sys, gpugrad as gg; gg.zeros(5000); print({'IPython', 'html', 'tqdm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
