"""One box by regression, and OverFeat's windows."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.models import OverFeat
from gpugrad.recipes import find
from gpugrad.recipes.overfeat import BACKGROUND, _inside
from gpugrad.train import Options


def test_localisation(tmp_path):
    run = quick_run("localisation", tmp_path)
    assert run.losses_fall
    assert 0.1 < run.figures["mean IoU"] < 1


def test_the_figure_of_localisation_is_that_of_the_boxes():
    recipe = find("localisation")(Options(quick=True, progress=False))
    truth = recipe.scenes.test.tensors[1]
    assert truth.min().item() >= 0 and 20 < truth.max().item() <= 48
    recipe.model = gg.nn.Identity()
    recipe._found = lambda images: truth
    assert recipe.evaluate() == {"mean IoU": pytest.approx(1, abs=1e-6), "IoU above 0.5": 1.0}
    half = gg.stack([truth[:, 0], truth[:, 1], (truth[:, 0] + truth[:, 2]) / 2, truth[:, 3]], 1)
    recipe._found = lambda images: half
    assert recipe.evaluate()["mean IoU"] == pytest.approx(0.5, abs=1e-6)


def test_overfeat(tmp_path):
    run = quick_run("overfeat", tmp_path)
    assert run.losses_fall
    assert run.figures["largest difference from cropped windows"] < 1e-10
    assert run.figures["speed-up over cropped windows"] > 0
    assert all(0 <= run.figures[name] <= 1 for name in ("localised", "right digit", "mean IoU"))


def test_a_windows_class_is_that_of_the_digit_in_its_middle():
    truth = np.array([[-9.0, 2, 3, 14], [8.0, 6, 20, 22]])
    label, box = _inside(truth, np.array([3, 7]), 28)
    assert label == 7 and box.tolist() == [8, 6, 20, 22]
    assert _inside(truth[:1], np.array([3]), 28)[0] == BACKGROUND
    assert _inside(truth[1:] + 9, np.array([7]), 28)[0] == BACKGROUND


def test_the_windows_boxes_are_averaged_where_the_digit_is():
    recipe = find("overfeat")(Options(quick=True, progress=False))
    recipe.scales = "1"

    class Sure(OverFeat):
        def slide(self, images):
            """Two neighbouring windows are sure of a 3, and their boxes differ by a pixel."""
            scores, boxes = np.zeros((1, 11, 3, 3), np.float32), np.zeros((1, 4, 3, 3), np.float32)
            scores[:, BACKGROUND] = 60
            for column, pixels in ((1, (4, 4, 20, 24)), (2, (2, 4, 18, 24))):
                scores[0, 3, 1, column] = 120
                boxes[0, :, 1, column] = np.array(pixels) / 28
            return gg.tensor(scores), gg.tensor(boxes)

    recipe.model = Sure(11)
    label, box = recipe.locate(gg.zeros(1, 1, 36, 36))
    assert label.tolist() == [3]
    np.testing.assert_allclose(box.numpy(), [[9, 8, 25, 28]], rtol=1e-5)
