"""Average precision, the figure of object detectors, as COCO's evaluation computes it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autograd.tensor import Tensor
from ..errors import ShapeError

RECALLS = np.linspace(0, 1, 101)  # at which precision is read off


class _Boxes(NamedTuple):
    """The boxes of all images: image and class of each, corners; scores are those of the found."""

    image: np.ndarray
    label: np.ndarray
    corners: np.ndarray
    score: np.ndarray


def _array(values: Any) -> np.ndarray:
    return values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _joined(parts: Sequence[Mapping[str, Any]], name: str, scored: bool) -> _Boxes:
    """Return the boxes of all images, one after the other. Raises ShapeError that names the image that is wrong."""
    found = []
    for i, part in enumerate(parts):
        corners, labels = _array(part["boxes"]), _array(part["labels"])
        scores = _array(part["scores"]) if scored else np.zeros(len(labels))
        if corners.size == 0:
            corners = corners.reshape(0, 4)
        if corners.shape != (len(labels), 4) or scores.shape != labels.shape:
            raise ShapeError(
                f"average_precision: {name}[{i}] must have boxes (n, 4), labels (n,){' and scores (n,)' * scored}, got "
                f"{corners.shape}, {labels.shape}{f' and {scores.shape}' * scored}"
            )
        found.append((np.full(len(labels), i), labels, corners, scores))
    columns = zip(*found, strict=True) if found else [[np.zeros(0)], [np.zeros(0)], [np.zeros((0, 4))], [np.zeros(0)]]
    return _Boxes(*(np.concatenate(list(column)) for column in columns))


def average_precision(
    found: Sequence[Mapping[str, Any]],
    truth: Sequence[Mapping[str, Any]],
    iou_threshold: float = 0.5,
    max_detections: int = 100,
) -> dict[int, float]:
    """Return the average precision of each class that `truth` has, by its number.

    found: of each image what was found: "boxes" (n, 4), "scores" (n,) and "labels" (n,), Tensors or arrays. truth: of
    each image the "boxes" and "labels" there are. The best `max_detections` of a class in an image count. From the best
    down, each takes the box that it overlaps most of those of its class that are not taken yet, if their intersection
    over union is at least `iou_threshold`, and else is wrong. The average is that of the precision at 101 recalls, each
    the best at this or a higher recall: `pycocotools` gives the same numbers (T. Lin et al. 2014, "Microsoft COCO").

    >>> truth = [{"boxes": gg.tensor([[0.0, 0.0, 4.0, 4.0]]), "labels": gg.tensor([7])}]
    >>> found = [{"boxes": gg.tensor([[0.0, 0.0, 4.0, 3.0]]), "scores": gg.tensor([0.9]), "labels": gg.tensor([7])}]
    >>> gg.train.average_precision(found, truth)
    {7: 1.0}
    """
    if len(found) != len(truth):
        raise ShapeError(f"average_precision: {len(found)} images of what was found, but {len(truth)} of the truth")
    guesses, truths = _joined(found, "found", True), _joined(truth, "truth", False)
    order, right = _matched(guesses, truths, iou_threshold, max_detections)
    labels = guesses.label[order]
    classes, counts = np.unique(truths.label, return_counts=True)
    return {int(label): _area(right[labels == label], int(count)) for label, count in zip(classes, counts, strict=True)}


def mean_average_precision(
    found: Sequence[Mapping[str, Any]],
    truth: Sequence[Mapping[str, Any]],
    iou_threshold: float = 0.5,
    max_detections: int = 100,
) -> float:
    """Return the mean of `average_precision` over the classes; 0 if the truth has no box.

    >>> truth = [{"boxes": gg.tensor([[0.0, 0.0, 4.0, 4.0]] * 2), "labels": gg.tensor([1, 2])}]
    >>> found = [{"boxes": gg.tensor([[0.0, 0.0, 4.0, 3.0]]), "scores": gg.tensor([0.9]), "labels": gg.tensor([1])}]
    >>> gg.train.mean_average_precision(found, truth)
    0.5
    """
    each = average_precision(found, truth, iou_threshold, max_detections)
    return sum(each.values()) / max(1, len(each))


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Return the number of each element among those of its group that are before it."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(groups) else np.zeros(0, np.int64)
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))
    return ranks


def _matched(guesses: _Boxes, truths: _Boxes, threshold: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the guesses that count, best first, and which of them are right.

    All images and classes are matched at once, in groups: first the best guess of each group, then all second ones.
    """
    _, groups = np.unique(
        np.stack([np.r_[guesses.image, truths.image], np.r_[guesses.label, truths.label]]), axis=1, return_inverse=True
    )
    groups = groups.reshape(-1)
    order = np.argsort(-guesses.score, kind="stable")
    group, of_truth = groups[: len(guesses.label)][order], groups[len(guesses.label) :]
    rank, place = _ranks(group), _ranks(of_truth)
    count = int(groups.max(initial=-1)) + 1
    boxes = np.zeros((count, int(place.max(initial=-1)) + 1, 4))
    free = np.zeros(boxes.shape[:2], bool)
    boxes[of_truth, place], free[of_truth, place] = truths.corners, True
    right = np.zeros(len(order), bool)
    for turn in range(min(most, int(rank.max(initial=-1)) + 1) if boxes.shape[1] else 0):
        now = np.flatnonzero(rank == turn)
        iou = _iou(guesses.corners[order[now]], boxes[group[now]])
        iou = np.where(free[group[now]] & (iou >= min(threshold, 1 - 1e-10)), iou, -1)
        best = iou.shape[1] - 1 - iou[:, ::-1].argmax(1)  # the last of equals, as COCO's code takes it
        right[now] = iou[np.arange(len(now)), best] >= 0
        free[group[now], best] &= ~right[now]
    counted = rank < most
    return order[counted], right[counted]


def _iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes (n, 4) with others (n, m, 4): (n, m)."""
    boxes = boxes[:, None].astype(np.float64)
    sides = np.clip(np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2]), 0, None)
    both = sides.prod(-1)
    union = (boxes[..., 2:] - boxes[..., :2]).prod(-1) + (others[..., 2:] - others[..., :2]).prod(-1) - both
    return both / np.where(union > 0, union, 1)


def _area(right: np.ndarray, count: int) -> float:
    """Return the mean precision at `RECALLS` of guesses, best first, of `count` boxes."""
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(right) + 1))[::-1])[::-1]
    where = np.searchsorted(hits / count, RECALLS, side="left")
    return float(np.r_[precision, 0.0][where].mean())
