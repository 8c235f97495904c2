"""Building blocks of detectors against loops over boxes, pixels and points, as their papers write them."""

import math

import numpy as np
import pytest
import torch

import gpugrad as gg
from gpugrad.errors import OptionError, OutOfRangeError, ShapeError
from gpugrad.nn import detection


def random_boxes(n, seed=0, spread=60, largest=30):
    random = np.random.default_rng(seed)
    corners = random.random((n, 2)) * spread
    return np.concatenate([corners, corners + 1 + random.random((n, 2)) * largest], 1).astype(np.float32)


def iou(a, b):
    sides = [max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
    both = sides[0] * sides[1]
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_overlaps_of_all_pairs():
    a, b = random_boxes(5), random_boxes(7, 1)
    expected = np.array([[iou(p, q) for q in b] for p in a])
    np.testing.assert_allclose(detection.box_iou(gg.tensor(a), gg.tensor(b)).numpy(), expected, rtol=1e-5, atol=1e-7)
    around = np.concatenate([np.minimum(a[:, None, :2], b[:, :2]), np.maximum(a[:, None, 2:], b[:, 2:])], -1)
    hull = (around[..., 2] - around[..., 0]) * (around[..., 3] - around[..., 1])
    areas = [((x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1])).astype(float) for x in (a, b)]
    union = (areas[0][:, None] + areas[1]) / (1 + expected)
    got = detection.generalized_box_iou(gg.tensor(a), gg.tensor(b)).numpy()
    np.testing.assert_allclose(got, expected - (hull - union) / hull, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_nms_takes_boxes_from_the_best_downward(threshold):
    boxes, scores = random_boxes(400), np.random.default_rng(2).permutation(400).astype(np.float32)
    left, expected = list(np.argsort(-scores)), []
    while left:
        expected.append(left.pop(0))
        left = [j for j in left if iou(boxes[expected[-1]], boxes[j]) <= threshold]
    assert detection.nms(gg.tensor(boxes), gg.tensor(scores), threshold).tolist() == expected
    groups = np.arange(400) % 3 * 1_000_000  # as classes of many images are numbered
    kept = detection.batched_nms(gg.tensor(boxes), gg.tensor(scores), gg.tensor(groups), threshold).numpy()
    for group in np.unique(groups):
        (own,) = np.nonzero(groups == group)
        alone = detection.nms(gg.tensor(boxes[own]), gg.tensor(scores[own]), threshold).numpy()
        assert kept[groups[kept] == group].tolist() == own[alone].tolist()


def test_soft_nms_lowers_scores_from_the_best_downward():
    boxes, scores = random_boxes(60), np.random.default_rng(2).random(60).astype(np.float32)
    expected, left = scores.astype(float), list(range(60))
    while left:
        best = max(left, key=lambda j: expected[j])
        left.remove(best)
        for j in left if expected[best] >= 0.1 else ():
            expected[j] *= math.exp(-(iou(boxes[best], boxes[j]) ** 2) / 0.5)
    found, kept = detection.soft_nms(gg.tensor(boxes), gg.tensor(scores), score_threshold=0.1)
    assert kept.tolist() == [i for i in np.argsort(-expected) if expected[i] >= 0.1] and len(kept) < 60
    np.testing.assert_allclose(found.numpy()[kept.numpy()], expected[kept.numpy()], rtol=1e-4)


def aligned_by_points(x, rois, size, scale, ratio, aligned):
    """torchvision's definition, point by point, in torch."""
    out = []
    for image, *corners in rois.tolist():
        x1, y1, x2, y2 = (c * scale - 0.5 * aligned for c in corners)
        sides = [y2 - y1, x2 - x1] if aligned else [max(y2 - y1, 1.0), max(x2 - x1, 1.0)]
        grid = [ratio if ratio > 0 else math.ceil(s / n) for s, n in zip(sides, size, strict=True)]
        for i in range(size[0]):
            for j in range(size[1]):
                total = torch.zeros(x.shape[1], dtype=x.dtype)
                for a in range(grid[0]):
                    for b in range(grid[1]):
                        y = y1 + (i + (a + 0.5) / grid[0]) * sides[0] / size[0]
                        z = x1 + (j + (b + 0.5) / grid[1]) * sides[1] / size[1]
                        if -1 <= y <= x.shape[2] and -1 <= z <= x.shape[3]:
                            y, z = min(max(y, 0), x.shape[2] - 1), min(max(z, 0), x.shape[3] - 1)
                            for r in range(int(y), min(int(y) + 2, x.shape[2])):
                                for c in range(int(z), min(int(z) + 2, x.shape[3])):
                                    total = total + x[int(image), :, r, c] * (1 - abs(y - r)) * (1 - abs(z - c))
                out.append(total / max(grid[0] * grid[1], 1))
    return torch.stack(out).reshape(len(rois), *size, x.shape[1]).permute(0, 3, 1, 2)


ROIS = np.array([[0, 2, 1, 9, 12], [1, -3, -2, 6, 5.5], [1, 10, 8, 30, 21], [0, 4, 4, 4.2, 4.1]])


@pytest.mark.parametrize(("ratio", "aligned"), [(2, True), (2, False), (-1, True), (-1, False)])
def test_roi_align_is_the_mean_of_points(ratio, aligned):
    values = np.random.default_rng(0).standard_normal((2, 3, 9, 11))
    x, twin = gg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    out = detection.roi_align(x, gg.tensor(ROIS), (2, 3), 0.5, ratio, aligned)
    expected = aligned_by_points(twin, ROIS, (2, 3), 0.5, ratio, aligned)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    g = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(g))
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), twin.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_roi_pool_is_the_maximum_of_whole_pixels():
    values = np.random.default_rng(0).standard_normal((2, 3, 9, 11))
    x, twin = gg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    out = detection.roi_pool(x, gg.tensor(ROIS), (2, 3), 0.5)
    parts = []
    for image, *corners in ROIS.tolist():
        x1, y1, x2, y2 = (math.floor(abs(c) * 0.5 + 0.5) * (1 if c >= 0 else -1) for c in corners)
        high, wide = max(y2 - y1 + 1, 1) / 2, max(x2 - x1 + 1, 1) / 3
        for i in range(2):
            for j in range(3):
                rows = [min(max(v, 0), 9) for v in (math.floor(i * high) + y1, math.ceil((i + 1) * high) + y1)]
                columns = [min(max(v, 0), 11) for v in (math.floor(j * wide) + x1, math.ceil((j + 1) * wide) + x1)]
                part = twin[int(image), :, rows[0] : rows[1], columns[0] : columns[1]].flatten(1)
                parts.append(part.max(1).values if part.numel() else torch.zeros(3, dtype=twin.dtype))
    expected = torch.stack(parts).reshape(4, 2, 3, 3).permute(0, 3, 1, 2)
    assert out.detach().numpy().tolist() == expected.tolist()
    g = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(gg.tensor(g))
    expected.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), twin.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_decoding_undoes_encoding():
    boxes, reference = gg.tensor(random_boxes(20)), gg.tensor(random_boxes(20, 1))
    coder = detection.BoxCoder((10.0, 10.0, 5.0, 5.0))
    again = coder.decode(coder.encode(boxes, reference), reference)
    np.testing.assert_allclose(again.numpy(), boxes.numpy(), rtol=1e-4, atol=1e-4)


def test_regions_go_to_the_level_of_their_size():
    align = detection.MultiScaleRoIAlign(1, 1, canonical_scale=32, canonical_level=3)
    features = [gg.full((1, 1, side, side), float(side)) for side in (32, 16, 8)]  # levels 2, 3, 4 of 128 pixels
    sizes = [4, 15, 17, 33, 63, 65, 120]
    boxes = gg.tensor([[0.0, 0.0, size, size] for size in sizes])
    assert align(features, [boxes], (128, 128)).reshape(-1).tolist() == [32, 32, 32, 16, 16, 8, 8]


def test_wrong_boxes_are_named():
    turned = gg.tensor([[0.0, 0.0, 1.0, 1.0], [5.0, 0.0, 3.0, 2.0]])
    with pytest.raises(ShapeError, match=r"nms: boxes .* 1 of 2 have a negative size, the first is box 1, \[5.0, 0.0"):
        detection.nms(turned, gg.ones(2), 0.5)
    with pytest.raises(OptionError, match="soft_nms: sigma must be above 0, got 0"):
        detection.soft_nms(gg.zeros(1, 4), gg.ones(1), sigma=0)
    with pytest.raises(ShapeError, match="roi_align: boxes must have x1 <= x2"):
        detection.roi_align(gg.ones(1, 1, 4, 4), [turned], 2)
    with pytest.raises(OutOfRangeError, match="roi_align.*images 0 to 3, but x has 1"):
        detection.roi_align(gg.ones(1, 1, 4, 4), gg.tensor([[0.0, 0, 0, 1, 1], [3.0, 0, 0, 1, 1]]), 2)
    with pytest.raises(OutOfRangeError, match=r"labels must be from 0 to 9, .*; labels\[1, 0\] is 10"):
        gg.models.tiny_yolo(10, 1).encode(gg.zeros(2, 1, 4), gg.tensor([[0], [10]]), 56)


@pytest.mark.parametrize("function", [detection.box_iou, detection.generalized_box_iou, detection.elementwise_box_iou])
def test_boxes_may_be_arrays_and_lists(function):
    a, b = random_boxes(4), random_boxes(4, 1)
    expected = function(gg.tensor(a), gg.tensor(b)).numpy()
    np.testing.assert_array_equal(function(a, b.tolist()).numpy(), expected)
    np.testing.assert_array_equal(detection.roi_pool(gg.ones(1, 1, 99, 99), [a], 2).numpy(), np.ones((4, 1, 2, 2)))


@pytest.mark.parametrize("size", [0, (2, -1), (2, 2, 2)])
@pytest.mark.parametrize("function", [detection.roi_align, detection.roi_pool])
def test_regions_have_bins(function, size):
    with pytest.raises(OptionError, match="output_size must be one or two whole numbers of at least 1"):
        function(gg.ones(1, 1, 4, 4), [gg.ones(1, 4)], size)
    with pytest.raises(OptionError, match="spatial_scale above 0, got 2, 0"):
        function(gg.ones(1, 1, 4, 4), [gg.ones(1, 4)], 2, 0)


def test_without_boxes_all_is_background():
    assert detection.Matcher(0.7, 0.3, allow_low_quality_matches=True)(gg.zeros(2, 0, 3)).tolist() == [[-1] * 3] * 2
