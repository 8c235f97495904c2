"""The assignment's network."""

from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.recipes import find


def test_digits(tmp_path):
    run = quick_run("digits", tmp_path)
    assert run.losses_fall
    assert 0.1 < run.figures["test accuracy"] < 1


def test_the_network_is_the_assignments():
    model = find("digits")().build()
    shapes = [tuple(p.shape) for p in model.parameters()]
    assert shapes == [(20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (500, 200), (500,), (10, 500), (10,)]
    assert model(gg.zeros(1, 1, 20, 20)).shape == (1, 10)
