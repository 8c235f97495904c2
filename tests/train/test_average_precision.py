"""Average precision against what pycocotools 2.0 gives (COCOeval with one threshold, area "all", 100 detections)."""

import numpy as np
import pytest

import gpugrad as gg
from gpugrad.errors import ShapeError

A, B, C = (0, 0, 10, 10), (20, 20, 30, 30), (40, 0, 50, 20)


def found(*rows):
    """What is found in an image: rows are (x1, y1, x2, y2, score, label)."""
    rows = np.array(rows, float).reshape(-1, 6)
    return {"boxes": rows[:, :4], "scores": rows[:, 4], "labels": rows[:, 5].astype(int)}


def truth(*rows):
    rows = np.array(rows, float).reshape(-1, 5)
    return {"boxes": rows[:, :4], "labels": rows[:, 4].astype(int)}


CASES = {
    "all right": (0.5, [found((*A, 0.9, 0), (*B, 0.8, 1))], [truth((*A, 0), (*B, 1))], {0: 1.0, 1: 1.0}),
    "one found of three": (
        0.5, [found((*A, 0.9, 0))], [truth((*A, 0), (*B, 0), (*C, 0))], {0: 0.33663366336633654},
    ),
    "a wrong one first": (
        0.5, [found((60, 60, 70, 70, 0.95, 0), (*A, 0.9, 0), (*B, 0.8, 0))], [truth((*A, 0), (*B, 0))],
        {0: 0.6666666666666669},
    ),
    "found twice": (
        0.5, [found((*A, 0.9, 0), (0, 0, 10, 9, 0.8, 0), (*B, 0.7, 0))], [truth((*A, 0), (*B, 0))],
        {0: 0.834983498349835},
    ),
    "wrong class": (0.5, [found((*A, 0.9, 1), (*B, 0.8, 0))], [truth((*A, 0), (*B, 0))], {0: 0.5049504950495048}),
    "overlap at the threshold": (
        0.5, [found((0, 0, 10, 5, 0.9, 0), (20, 20, 30, 24, 0.8, 0))], [truth((*A, 0), (*B, 0))],
        {0: 0.5049504950495048},
    ),
    "a higher threshold": (
        0.75, [found((0, 0, 10, 8, 0.9, 0), (20, 20, 30, 27, 0.8, 0))], [truth((*A, 0), (*B, 0))],
        {0: 0.5049504950495048},
    ),
    "equal scores in several images": (
        0.5, [found((*A, 0.5, 0)), found((*B, 0.5, 0)), found((*A, 0.5, 0), (*C, 0.5, 0))],
        [truth((*B, 0)), truth((*B, 0)), truth((*A, 0), (*C, 0))], {0: 0.5643564356435643},
    ),
    "the box that is overlapped most is taken": (
        0.5, [found((0, 0, 10, 12, 0.9, 0), (0, 0, 10, 14, 0.8, 0))],
        [truth((0, 0, 10, 10, 0), (0, 0, 10, 15, 0))], {0: 1.0},
    ),
    "a class that is not there": (
        0.5, [found((*A, 0.6, 0), (*B, 0.4, 2)), found((*A, 0.7, 0), (*C, 0.3, 1))], [truth((*A, 0)), truth((*C, 1))],
        {0: 0.5, 1: 1.0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_average_precision_is_cocos(case):
    threshold, guesses, truths, expected = CASES[case]
    each = gg.train.average_precision(guesses, truths, threshold)
    assert each.keys() == expected.keys()
    np.testing.assert_allclose([each[k] for k in expected], list(expected.values()), rtol=0, atol=1e-12)
    mean = gg.train.mean_average_precision(guesses, truths, threshold)
    assert abs(mean - np.mean(list(expected.values()))) < 1e-12


def test_what_is_found_in_an_image_must_fit_together():
    wrong = {"boxes": np.zeros((2, 4)), "scores": np.zeros(2), "labels": np.zeros(3, int)}
    with pytest.raises(ShapeError, match=r"found\[1\] must have boxes .* got \(2, 4\), \(3,\)"):
        gg.train.average_precision([found(), wrong], [truth(), truth()])
    with pytest.raises(ShapeError, match="1 images of what was found, but 2"):
        gg.train.average_precision([found()], [truth(), truth()])
