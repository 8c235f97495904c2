"""Regions of images that may be objects, found without learning."""

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..nn.detection import Proposals, best_of_each_image
from ..optional import need

AT_ONCE = 200  # images whose components are looked for at a time
NEIGHBORS = 6  # components behind another one, in the order of their first pixels, with which it may be one object


def extremal_regions(
    images: Tensor, levels: int = 20, min_size: float = 5, max_size: float = 40, gap: float = 4, count: int = 60
) -> Proposals:
    """Return boxes around what is brighter than its surroundings, of at most `count` regions of each image.

    images: (N, C, H, W) in [0, 1]. A region is a connected set of pixels that are brighter than one of `levels` equally
    spaced values, or two of those at most `gap` pixels apart, which may be one object in two parts; with sides from
    `min_size` to `max_size` pixels. Of those whose boxes are nearly equal (intersection over union above 0.8) the
    largest stays. The connected sets are the extremal regions of J. Matas et al. 2002, "Robust wide
    baseline stereo from maximally stable extremal regions", without the choice of the stablest. Raises
    MissingPackageError without scipy.

    >>> image = gg.zeros(1, 1, 20, 20)
    >>> image[0, 0, 4:12, 3:9] = 1.0
    >>> gg.data.extremal_regions(image).rois().tolist()
    [[0.0, 3.0, 4.0, 9.0, 12.0]]
    """
    gray = images.cpu().numpy().max(axis=1)
    values = np.linspace(0, 1, levels + 2, dtype=np.float32)[1:-1]
    found = [_components(gray[i : i + AT_ONCE], values, i, gap) for i in range(0, len(gray), AT_ONCE)]
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(boxes for boxes, _ in found)])
    image = np.concatenate([np.zeros(0, np.int64), *(image for _, image in found)])
    sides = boxes[:, 2:] - boxes[:, :2]
    fits = ((sides >= min_size) & (sides <= max_size)).all(axis=1)
    boxes, image, area = boxes[fits], image[fits], sides[fits].prod(axis=1)
    found, areas, numbers = (asarray(array, device=images.device) for array in (boxes, area, image))
    return best_of_each_image(found, areas, numbers, len(gray), 0.8, count)


def _components(gray: np.ndarray, values: np.ndarray, first: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes (n, 4) of what is brighter than each of the values, and the images' numbers (n,)."""
    above = (gray[:, None] > values[:, None, None]).reshape(-1, *gray.shape[1:])
    neighbors = np.zeros((3, 3, 3), bool)
    neighbors[1] = True  # in the same plane
    labels, _ = need("scipy.ndimage", "looking for regions", "demo").label(above, neighbors)
    plane, y, x = np.nonzero(labels)
    order = np.argsort(labels[plane, y, x], kind="stable")
    number, plane, y, x = labels[plane, y, x][order], plane[order], y[order], x[order]
    starts = np.flatnonzero(np.r_[True, number[1:] != number[:-1]][: len(number)])
    if not len(starts):
        return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    ends = [f.reduceat(v, starts) for f, v in ((np.minimum, x), (np.minimum, y), (np.maximum, x), (np.maximum, y))]
    boxes, plane = np.stack(ends, 1).astype(np.float32) + np.array([0, 0, 1, 1], np.float32), plane[starts]
    pairs = [_pairs(boxes, plane, distance, gap) for distance in range(1, NEIGHBORS + 1)]
    boxes = np.concatenate([boxes, *(joined for joined, _ in pairs)])
    plane = np.concatenate([plane, *(of_pair for _, of_pair in pairs)])
    return boxes, first + plane // len(values)


def _pairs(boxes: np.ndarray, plane: np.ndarray, distance: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes around components and those `distance` behind them in the list, where they are near, and the
    planes of these.
    """
    a, b = boxes[:-distance], boxes[distance:]
    low, high = np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])
    apart = np.maximum(a[:, :2], b[:, :2]) - np.minimum(a[:, 2:], b[:, 2:])
    near = (plane[:-distance] == plane[distance:]) & (apart.max(axis=1) <= gap)
    return np.concatenate([low, high], 1)[near], plane[distance:][near]
