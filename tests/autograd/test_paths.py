"""Device paths that two threads ask for at once."""

import importlib
import sys
import threading

import numpy as np

import gpugrad as gg
from gpugrad.autograd.paths import FAMILIES
from gpugrad.autograd.table import OPS

OP = """
import gpugrad as gg

@gg.op
def half_bound(x):
    return x * 2.0

half_bound.vjp(x=lambda g: g * 2.0)
"""
PATH = """
import sys
from family_of_test.half import half_bound

@half_bound.path("cpu")
def forward(x):
    return x * 2.0, {}

meanwhile = sys.modules["family_of_test"]
meanwhile.started.set()
meanwhile.ended.wait(2)  # without end if the other thread waits, as it should

@forward.backward
def backward(g):
    meanwhile.backwards.append(g.shape)
    return g * 2.0
"""


def test_a_path_is_seen_whole_by_a_thread_that_comes_while_it_is_bound(tmp_path, monkeypatch):
    folder = tmp_path / "family_of_test" / "half"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text(
        "import threading\nstarted, ended, backwards = threading.Event(), threading.Event(), []\n"
    )
    (folder / "__init__.py").write_text(OP)
    (folder / "cpu.py").write_text(PATH)
    monkeypatch.syspath_prepend(str(tmp_path))
    FAMILIES.add("family_of_test")
    try:
        op = importlib.import_module("family_of_test.half").half_bound
        family = sys.modules["family_of_test"]
        x = gg.tensor(np.ones(3, "f"), requires_grad=True)
        first = threading.Thread(target=lambda: op(x))
        first.start()
        assert family.started.wait(20)
        out = op(x).sum()
        family.ended.set()
        first.join()
        out.backward()
        op(x).sum().backward()
        assert family.backwards == [(3,), (3,)]
        np.testing.assert_array_equal(x.grad.numpy(), [4, 4, 4])
    finally:
        FAMILIES.discard("family_of_test")
        OPS.pop("half_bound", None)
        for name in [name for name in sys.modules if name.startswith("family_of_test")]:
            del sys.modules[name]
