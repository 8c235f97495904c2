"""Images side by side, heat, classes as colors, edges."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import ShapeError
from gpugrad.viz import color_classes, edges, image_grid, overlay, stretched


def test_a_grid_shows_the_images_in_order(tmp_path):
    images = [gg.full((1, 2, 3), i / 4) for i in range(4)] + [gg.tensor([[[2.0]], [[-1.0]], [[0.5]]])]
    figure = image_grid(images, tmp_path / "a.png", titles=list("abcde"), columns=2)
    assert [axes.get_title() for axes in figure.axes] == list("abcde")
    shown = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert [a.shape for a in shown] == [(2, 3)] * 4 + [(1, 1, 3)]
    assert [float(a[0, 0]) for a in shown[:4]] == [0, 0.25, 0.5, 0.75] and shown[4].tolist() == [[[1, 0, 0.5]]]
    places = [axes.get_position().bounds[:2] for axes in figure.axes]
    assert places[0][1] > places[2][1] > places[4][1] and places[0][0] == places[2][0] < places[1][0]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert image_grid([]).axes == []
    with pytest.raises(ShapeError, match=r"expected images \(1, H, W\) or \(3, H, W\), got \(2, 4, 4\)"):
        image_grid(gg.zeros(1, 2, 4, 4))


def test_each_image_is_stretched_for_itself():
    images = gg.tensor([[[[1.0, 3.0]]], [[[0.0, -4.0]]], [[[7.0, 7.0]]]])
    assert stretched(images).tolist() == [[[[0, 1]]], [[[1, 0]]], [[[0.5, 0.5]]]]
    assert stretched(images[:2], symmetric=True).numpy().ravel() == pytest.approx([2 / 3, 1, 0.5, 0])


def test_heat_is_laid_over_an_image():
    images, heat = gg.full((1, 1, 1, 2), 0.5), gg.tensor([[[[0.0, 1.0]]]])
    mixed = overlay(images, heat, strength=0.5).numpy()
    assert mixed.shape == (1, 3, 1, 2)
    assert mixed[0, :, 0, 0] == pytest.approx([0.25] * 3, abs=0.02)  # inferno begins near black
    assert mixed[0, 0, 0, 1] > mixed[0, 2, 0, 1] > 0.5  # and ends in pale yellow
    assert np.array_equal(overlay(images, heat, strength=0).numpy(), np.full((1, 3, 1, 2), 0.5, np.float32))
    with pytest.raises(ShapeError, match="does not fit"):
        overlay(images, gg.zeros(1, 1, 2, 2))


def test_classes_have_colors_and_edges():
    labels = gg.tensor([[[0, 0, 2], [0, 1, 2]]])
    colors = color_classes(labels).numpy()[0]
    assert len({tuple(colors[:, i, j]) for i in range(2) for j in range(3)}) == 3
    over = color_classes(labels, gg.ones(1, 1, 2, 3)).numpy()[0]
    assert (over[:, 0, 0] == 1).all() and not (over[:, 1, 1] == 1).all()
    assert edges(labels).tolist() == [[[False, True, True], [True, True, True]]]
    assert not edges(gg.ones(2, 1, 1, dtype="int64")).numpy().any()
