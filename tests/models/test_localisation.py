"""Windows that slide over images: as they are cut out, and by convolution."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad import models, nn
from gpugrad.errors import ShapeError


def test_sliding_windows_are_numpys():
    images = np.random.default_rng(0).standard_normal((2, 3, 9, 11))
    expected = np.lib.stride_tricks.sliding_window_view(images, (4, 4), (2, 3))[:, :, ::3, ::3].transpose(
        0, 2, 3, 1, 4, 5
    )
    found = models.sliding_windows(gg.tensor(images), 4, 3)
    np.testing.assert_array_equal(found.numpy(), expected)
    with pytest.raises(ShapeError, match=r"at least 10 x 10, got \(2, 3, 9, 11\)"):
        models.sliding_windows(gg.tensor(images), 10, 1)


def test_convolution_gives_what_each_window_gives():
    gg.manual_seed(0)
    model = models.OverFeat(num_classes=11).double().eval()
    images = gg.tensor(np.random.default_rng(0).standard_normal((2, 1, 41, 36)))
    slid = model.slide(images)
    for row in range(4):
        for column in range(3):
            window = images[:, :, 4 * row : 4 * row + 28, 4 * column : 4 * column + 28]
            for whole, one in zip(slid, model(window), strict=True):
                np.testing.assert_allclose(whole[:, :, row, column].detach().numpy(), one.detach().numpy(), atol=1e-13)
    assert slid[0].shape == (2, 11, 4, 3) and slid[1].shape == (2, 4, 4, 3)


def test_gradients_reach_the_linear_layers():
    head = nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    maps = gg.tensor(np.random.default_rng(0).standard_normal((1, 2, 3, 3)))
    slid, direct = models.slide(head, maps, 3).flatten(1), head(maps)
    np.testing.assert_allclose(slid.detach().numpy(), direct.detach().numpy(), atol=1e-14)
    found, expected = (gg.grad(out.sum(), list(head.parameters())) for out in (slid, direct))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-13)


def test_a_box_is_the_mean_of_the_cells_boxes():
    model = models.BoxRegressor(width=4).double().eval()
    maps = np.random.default_rng(0).standard_normal((2, 5, 3, 4))
    model.features, model.head = nn.Identity(), nn.Identity()
    model.channels = 5
    weights = np.exp(maps[:, 0]) / np.exp(maps[:, 0]).sum((1, 2), keepdims=True)
    left, top, right, bottom = 8 * np.log1p(np.exp(maps[:, 1:])).transpose(1, 0, 2, 3)
    x, y = 4 * np.arange(4) + 2, 4 * np.arange(3)[:, None] + 2
    expected = [(weights * side).sum((1, 2)) for side in (x - left, y - top, x + right, y + bottom)]
    model.smallest = 1
    np.testing.assert_allclose(model(gg.tensor(maps)).numpy(), np.stack(expected, 1), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: models.OverFeat(3)(gg.zeros(1, 1, 30, 28)), "windows are 28 x 28, got .*; see `slide`"),
        (lambda: models.OverFeat(3).slide(gg.zeros(1, 1, 30, 27)), r"at least 28 x 28, got \(1, 1, 30, 27\)"),
        (lambda: models.BoxRegressor(width=4)(gg.zeros(1, 1, 3, 32)), "with H and W at least 4, got"),
        (lambda: models.BoxRegressor(width=4)(gg.zeros(1, 3, 32, 32)), r"expected images \(N, 1, H, W\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(call, words):
    with pytest.raises(ShapeError, match=words):
        call()
