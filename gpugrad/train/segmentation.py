"""What recipes of segmentation share: scenes as classes of pixels, and the mean intersection over union."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import Dataset, Scene, TensorDataset
from ..errors import OutOfRangeError, ShapeError
from ..nn import Module
from ..nn.utils import evaluating


def class_map(scene: Scene) -> np.ndarray:
    """Return a class for each pixel of a scene: 0 on the canvas, 1 + digit on a digit: int64 (S, S).

    >>> scene = gg.data.DigitScenes(1, size=32, heights=(12, 20))[0]
    >>> sorted({int(c) for c in gg.train.class_map(scene).flat} - {0}) == sorted(set((scene.labels + 1).tolist()))
    True
    """
    classes = np.zeros(scene.masks.shape[1:], np.int64)
    for label, mask in zip(scene.labels.tolist(), scene.masks.numpy(), strict=True):
        classes[mask] = 1 + label
    return classes


def segmented(scenes: Dataset) -> TensorDataset:
    """Return all scenes at once as images (N, C, S, S) and their pixels' classes, int64 (N, S, S).

    >>> images, classes = gg.train.segmented(gg.data.DigitScenes(3, size=32)).tensors
    >>> images.shape, classes.shape
    ((3, 1, 32, 32), (3, 32, 32))
    """
    found = [scenes[i] for i in range(len(scenes))]  # type: ignore[arg-type]
    images = np.stack([scene.image.numpy() for scene in found])
    return TensorDataset(asarray(images, device="cpu"), asarray(np.stack(list(map(class_map, found))), device="cpu"))


def class_ious(predicted: Any, target: Any, num_classes: int) -> np.ndarray:
    """Return for each class the pixels in both, divided by those in one or both: (num_classes,); NaN where it is in
    none.

    predicted, target: integer arrays of one shape. Raises ShapeError for others, OutOfRangeError for classes beyond.

    >>> gg.train.class_ious(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 3).round(2).tolist()
    [0.5, 0.67, nan]
    """
    predicted, target = (np.asarray(a, np.int64) for a in (predicted, target))
    if predicted.shape != target.shape:
        raise ShapeError(f"class_ious: predicted {predicted.shape} and target {target.shape} differ")
    for name, classes in (("predicted", predicted), ("target", target)):
        if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
            raise OutOfRangeError(f"class_ious: {name} has classes up to {classes.max()}, there are {num_classes}")
    pairs = np.bincount((num_classes * target + predicted).reshape(-1), minlength=num_classes**2)
    confusion = pairs.reshape(num_classes, num_classes)
    either = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    return np.where(either > 0, confusion.diagonal() / np.maximum(either, 1), np.nan)


def predicted_classes(model: Module, images: Tensor, device: Any = "cpu", batch_size: int = 64) -> Tensor:
    """Return the class of the largest score of each pixel: images (N, C, H, W) -> int64 (N, H, W).

    >>> gg.train.predicted_classes(nn.Identity(), gg.tensor([[[[0.1, 0.9]], [[0.5, 0.5]]]])).tolist()
    [[[1, 0]]]
    """
    with evaluating(model), no_grad():
        batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        found = [model(batch.to(device=device)).cpu().numpy().argmax(1) for batch in batches]
    return asarray(np.concatenate(found), device="cpu")


def mean_iou(predicted: Any, target: Any, num_classes: int) -> float:
    """Return the mean of `class_ious` over the classes that occur.

    >>> round(gg.train.mean_iou(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 3), 3)
    0.583
    """
    return float(np.nanmean(class_ious(predicted, target, num_classes)))
