"""Looks into a trained network."""

import numpy as np
from recipes.runs import quick_run

from gpugrad.recipes import find
from gpugrad.train import Options


def test_inside(tmp_path):
    run = quick_run("inside", tmp_path)
    assert run.losses_fall
    assert all(0 <= value <= 1 for value in run.figures.values())
    pictures = {path.stem.partition("-")[2] for path in tmp_path.glob("*.png")}
    assert pictures == {
        "loss", "filters", "responses-first", "responses-last", "patches-second", "patches-last", "gradients",
        "maximised-classes", "maximised-neurons",
    }  # fmt: skip


def test_the_box_of_a_scene_covers_its_digit():
    recipe = find("inside")(Options(quick=True))
    inside = recipe._boxes(5)
    for i in range(5):
        mask = recipe.parts[1][i].masks.numpy()[0]
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        expected = np.zeros_like(mask)
        expected[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        assert np.array_equal(inside[i], expected)
