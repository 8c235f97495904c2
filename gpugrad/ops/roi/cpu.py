"""Regions of interest on the CPU."""

import numpy as np

from . import nms, overlapping, score_order

CHUNK = 512  # boxes among which `nms` chooses at a time
ROWS = 32  # of a chunk that are compared with the boxes behind it at a time: the temporaries stay in the cache


@nms.path("cpu")
def nms_cpu(boxes, scores, *, iou_threshold):
    """The best boxes are compared with each other, then those of them that stay with all boxes behind them.

    What is suppressed is not looked at again. Boxes behind are sorted by their left sides, so that only those within
    reach are compared.
    """
    order = score_order(scores)
    boxes = boxes[order]
    widest = (boxes[:, 2] - boxes[:, 0]).max(initial=0)
    left, kept = np.argsort(boxes[:, 0], kind="stable"), []  # the ranks of the boxes that are left, from left to right
    first, count = 0, len(boxes)
    while len(left):
        is_head = left < first + CHUNK
        head, left = np.sort(left[is_head]), left[~is_head]
        head = head[_chosen(boxes[head], iou_threshold)]
        kept.append(head)
        if len(left):
            across = head[np.argsort(boxes[head, 0], kind="stable")]
            left = left[~_suppressed(boxes[left], boxes[across], widest, iou_threshold)]
        first = left.min(initial=count)
    return order[np.concatenate([np.zeros(0, np.int64), *kept])], {}


def _chosen(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Return which of the boxes (n, 4), best first, stay."""
    over = np.triu(overlapping(boxes[:, None], boxes, threshold), 1)
    kept = np.ones(len(boxes), bool)
    while True:  # a box's fate is settled once that of all better ones is: rounds are as many as the longest chain
        now = ~(kept @ over)
        if (now == kept).all():
            return kept
        kept = now


def _suppressed(boxes: np.ndarray, by: np.ndarray, widest: float, threshold: float) -> np.ndarray:
    """Return which of the boxes (n, 4) one of `by` (m, 4) suppresses; both go from left to right."""
    found = np.zeros(len(boxes), bool)
    columns = np.ascontiguousarray(boxes.T)
    for start in range(0, len(by), ROWS):
        rows = by[start : start + ROWS]
        low, high = np.searchsorted(columns[0], (rows[0, 0] - widest, rows[:, 2].max()))
        near = slice(low, high)
        found[near] |= overlapping(rows[:, None], columns[:, near].T, threshold).any(axis=0)
    return found
