"""The figure of segmentation, by hand, and scenes as classes of pixels."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import OutOfRangeError, ShapeError
from gpugrad.train import class_ious, class_map, mean_iou, predicted_classes, segmented


def test_intersections_over_unions_by_hand():
    truth = np.array([[0, 0, 1], [1, 2, 2]])
    found = np.array([[0, 1, 1], [1, 2, 0]])
    # 0: 1 of {found 2, true 2} -> 1/3; 1: 2 of 3; 2: 1 of 2; 3: in none
    np.testing.assert_allclose(class_ious(found, truth, 4), [1 / 3, 2 / 3, 1 / 2, np.nan])
    assert mean_iou(found, truth, 4) == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3)
    assert mean_iou(truth, truth, 3) == 1
    with pytest.raises(ShapeError, match="differ"):
        class_ious(found, truth[0], 3)
    with pytest.raises(OutOfRangeError, match="target has classes up to 2, there are 2"):
        class_ious(np.zeros((2, 3), int), truth, 2)


def test_a_class_for_each_pixel_of_a_scene():
    scenes = gg.data.DigitScenes(4, size=32, digits=(2, 2), heights=(12, 16))
    images, classes = segmented(scenes).tensors
    for i in range(4):
        scene = scenes[i]
        assert np.array_equal(images[i].numpy(), scene.image.numpy())
        assert np.array_equal(classes[i].numpy() > 0, scene.masks.numpy().any(0))
        for mask, label in zip(scene.masks.numpy(), scene.labels.tolist(), strict=True):
            assert (class_map(scene)[mask] == label + 1).mean() > 0.9  # digits overlap a little


def test_predictions_are_the_largest_scores_of_any_number_of_images():
    scores = gg.rand(5, 3, 2, 2)
    found = predicted_classes(gg.nn.Identity().train(), scores, batch_size=2)
    assert np.array_equal(found.numpy(), scores.numpy().argmax(1))
