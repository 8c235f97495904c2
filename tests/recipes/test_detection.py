"""Detectors: quick runs, YOLO's loss by hand, and figures of detectors that know the answer."""

import numpy as np
import pytest
from recipes.runs import quick_run

import gpugrad as gg
from gpugrad.recipes import find

NAMES = ["yolo", "rcnn", "fast_rcnn", "faster_rcnn"]


@pytest.mark.parametrize("name", NAMES)
def test_quick_runs(name, tmp_path):
    run = quick_run(name, tmp_path, "--set", "train_scenes=48", "--set", "test_scenes=12")
    assert run.losses_fall
    assert 0 <= run.figures["mAP@0.5"] < 1


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_that_knows_the_answer_has_the_whole_figure(name):
    recipe = find(name)(gg.train.Options(settings={"test_scenes": 12, "train_scenes": 1}))
    recipe.model = recipe.build()
    truth = [
        {**one, "scores": gg.ones(len(one["labels"]))} for one in gg.train.truth_of(*recipe.scenes.test.tensors[1:])
    ]
    recipe.detect = lambda images: truth
    assert abs(recipe.evaluate()["mAP@0.5"] - 1) < 1e-12
    recipe.detect = lambda images: [{**one, "labels": (one["labels"] + 1) % 10} for one in truth]
    assert recipe.evaluate()["mAP@0.5"] < 0.5


def test_the_terms_of_yolos_loss():
    model = gg.models.tiny_yolo(num_classes=3, in_channels=1)
    target = model.encode(gg.tensor([[[8.0, 4.0, 24.0, 20.0]]]), gg.tensor([[2]]), 56)  # its center is in cell 1, 2
    scores = np.zeros((1, 13, 7, 7), np.float32)
    scores[0, :5, 1, 2] = 0.5, 0.5, 0.5, 0.5, 0.9  # a box of 14 x 14 pixels around the middle of the cell
    scores[0, 5:10, 1, 2] = 0.5, 0.5, 0.1, 0.1, 0.4
    scores[0, 10:, 1, 2] = 0.2, 0.0, 0.7
    scores[0, 4, 6, 6] = 0.3
    terms = model.loss(gg.tensor(scores), target)
    side = 16 / 56
    # The box's center is (12, 12) in pixels: 5 to 19 by 5 to 19, and the object's 8 to 24 by 4 to 20.
    overlap = 11 * 14
    union = 14 * 14 + 16 * 16 - overlap
    expected = {
        "center": 0.5**2 + 0.0,  # the true center is (2.0, 1.5)
        "size": 2 * (0.5 - side**0.5) ** 2,
        "object": (0.9 - overlap / union) ** 2,
        "no_object": 0.4**2 + 0.3**2,
        "classes": 0.2**2 + 0.3**2,
    }
    for name, value in expected.items():
        assert abs(getattr(terms, name).item() - value) < 1e-5, name
    total = 5 * (expected["center"] + expected["size"]) + expected["object"]
    assert abs(terms.total.item() - (total + 0.5 * expected["no_object"] + expected["classes"])) < 1e-4


def test_yolos_shapes_are_the_papers():
    with gg.nn.init.skip_filling():
        model = gg.models.yolov1()
    shapes = [tuple(p.shape) for name, p in model.named_parameters() if name.endswith("weight")]
    assert (
        shapes[0] == (64, 3, 7, 7) and shapes[23] == (1024, 1024, 3, 3) and shapes[24:] == [(4096, 50176), (1470, 4096)]
    )


def test_what_is_bright_is_proposed():
    image = gg.full((2, 1, 50, 50), 0.1)  # the whole is too large to be an object
    image[1, 0, 5:15, 8:14], image[1, 0, 5:15, 18:26] = 0.9, 0.6
    found = gg.data.extremal_regions(image)
    assert found.valid.sum(1).tolist() == [0, 3]  # each, and the two that are near each other as one
    assert sorted(map(tuple, found.rois()[:, 1:].tolist())) == [(8, 5, 14, 15), (8, 5, 26, 15), (18, 5, 26, 15)]


@pytest.mark.parametrize("make", [gg.models.small_faster_rcnn, gg.models.small_fast_rcnn])
def test_a_batch_without_objects_is_background(make):
    """The loss is that at the padding of a batch with objects: nothing is found, no box is learnt."""
    model = make(num_classes=3, in_channels=1)
    given = [gg.rand(2, 1, 32, 32)]
    if make is gg.models.small_fast_rcnn:
        given.append(gg.nn.detection.Proposals(gg.tensor([[[0.0, 0.0, 9.0, 9.0]]] * 2), gg.ones(2, 1, dtype="bool")))
    for count in (0, 3):
        gg.manual_seed(0)
        terms = model.loss(*given, gg.zeros(2, count, 4), gg.full((2, count), -1))
        assert terms.box.item() == 0 < terms.classes.item()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.loss(gg.ones(2, 1, 32, 32), gg.ones(1, 2, 4), gg.ones(1, 2, dtype="int64")), r"boxes \(2, M, 4\)"),
        (lambda m: m.loss(gg.ones(1, 1, 32, 32), gg.ones(1, 2, 4), gg.ones(1, 3, dtype="int64")), r"and \(1, 3\)"),
        (lambda m: m(gg.ones(1, 3, 32, 32)), r"FasterRCNN: expected images \(N, 1, H, W\)"),
        (lambda m: m(gg.ones(1, 1, 32, 3)), "with H and W at least 4, got"),
    ],
)
def test_what_does_not_fit_a_detector_is_refused(call, words):
    with pytest.raises(gg.errors.ShapeError, match=words):
        call(gg.models.small_faster_rcnn(num_classes=3, in_channels=1))
