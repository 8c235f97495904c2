"""Defines YOLO, which finds all objects of an image at one look (J. Redmon et al. 2016, "You only look once")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from ..nn import (
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2d,
    Module,
    Sequential,
    Unflatten,
)
from ..nn.detection import batched_nms, check_truth, elementwise_box_iou
from ..ops.creation import arange
from ..ops.join import stack
from ..ops.sort import nonzero


class YOLOLoss(NamedTuple):
    """Holds the terms of YOLO's loss, each a sum over the grid and a mean over the images; `total` weighs them.

    >>> terms = gg.models.yolo.YOLOLoss(*(gg.tensor(float(i)) for i in range(1, 6)))
    >>> terms.total.item()  # 5 (1 + 2) + 3 + 4 / 2 + 5
    25.0
    """

    center: Tensor
    size: Tensor
    object: Tensor
    no_object: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """The loss, equation (3): lambda_coord = 5, lambda_noobj = 0.5."""
        return 5 * (self.center + self.size) + self.object + 0.5 * self.no_object + self.classes


class YOLO(Module):
    """Scores boxes on a grid: images (N, C, H, W) -> (N, 5 boxes + num_classes, grid, grid).

    features: from the images to (N, F, grid, grid) or whatever `head` takes; `head` gives the scores. Each cell of the
    grid has `boxes` boxes (x, y, root of w, root of h, confidence), x and y the center's place in the cell, w and h
    fractions of the image, and scores of the classes: section 2 of the paper.

    >>> model = gg.models.tiny_yolo(num_classes=10, in_channels=1)
    >>> scores = model(gg.zeros(2, 1, 56, 56))
    >>> scores.shape
    (2, 20, 7, 7)
    >>> target = model.encode(gg.tensor([[[8.0, 4.0, 24.0, 20.0]]] * 2), gg.tensor([[3], [-1]]), 56)
    >>> model.loss(scores, target).total.shape, len(model.decode(scores, 56))
    ((), 2)
    """

    def __init__(self, features: Module, head: Module, grid: int = 7, boxes: int = 2, num_classes: int = 20):
        super().__init__()
        self.features, self.head = features, head
        self.grid, self.boxes, self.num_classes = grid, boxes, num_classes

    def forward(self, input: Tensor) -> Tensor:
        scores = self.head(self.features(input))
        expected = (5 * self.boxes + self.num_classes, self.grid, self.grid)
        if scores.shape[1:] != expected:
            raise ShapeError(f"YOLO: images {input.shape} give scores {scores.shape}, not (N, *{expected})")
        return scores

    def encode(self, boxes: Tensor, labels: Tensor, size: int) -> Tensor:
        """Return what `loss` compares with, float32 (N, 6, grid, grid): of each cell x, y, w, h, whether an object has
        its center there, and its class.

        boxes: corners (N, M, 4) in images of `size` pixels. labels: (N, M), -1 where there is no box. Of several
        centers in a cell the last counts. Raises OutOfRangeError for a class that there is not.
        """
        check_truth(boxes, labels, self.num_classes, "YOLO.encode")
        corners, classes = boxes.cpu().numpy() / size, labels.cpu().numpy()
        target = np.zeros((len(classes), 6, self.grid, self.grid), np.float32)
        image, place = np.nonzero(classes >= 0)
        chosen = corners[image, place]
        center = (chosen[:, :2] + chosen[:, 2:]) / 2 * self.grid
        cell = np.clip(center.astype(np.int64), 0, self.grid - 1)
        values = [center - cell, chosen[:, 2:] - chosen[:, :2], np.ones((len(cell), 1)), classes[image, place][:, None]]
        target[image, :, cell[:, 1], cell[:, 0]] = np.concatenate(values, 1)
        return asarray(target, device=boxes.device)

    def _split(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return the boxes (N, B, 5, S, S) and the classes (N, C, S, S)."""
        count = 5 * self.boxes
        return scores[:, :count].reshape(len(scores), self.boxes, 5, self.grid, self.grid), scores[:, count:]

    def _corners(self, x: Tensor, y: Tensor, w: Tensor, h: Tensor) -> Tensor:
        """Return boxes (..., S, S, 4) in fractions of the image, from places in cells and sizes (..., S, S)."""
        cells = arange(self.grid, device=x.device)
        x, y = (x + cells) / self.grid, (y + cells[:, None]) / self.grid
        return stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1)

    def loss(self, scores: Tensor, target: Tensor) -> YOLOLoss:
        """Return the terms of the loss, equation (3) of the paper, of `scores` and what `encode` gave."""
        boxes, classes = self._split(scores)
        x, y, root_w, root_h, confidence = (boxes[:, :, i] for i in range(5))
        true_x, true_y, true_w, true_h, has_object, label = (target[:, None, i] for i in range(6))
        with no_grad():  # the box that overlaps the object most is responsible for it
            found = self._corners(x, y, root_w * root_w, root_h * root_h)
            iou = elementwise_box_iou(found, self._corners(true_x, true_y, true_w, true_h))
            numbers = arange(self.boxes, device=scores.device)[:, None, None]
            responsible = has_object * (numbers == iou.argmax(1, keepdims=True))
            is_class = has_object[:, 0, None] * (label == arange(self.num_classes, device=scores.device)[:, None, None])
        in_cell, count = has_object[:, 0, None], len(scores)
        return YOLOLoss(
            (responsible * ((x - true_x) ** 2 + (y - true_y) ** 2)).sum() / count,
            (responsible * ((root_w - true_w**0.5) ** 2 + (root_h - true_h**0.5) ** 2)).sum() / count,
            (responsible * (confidence - iou) ** 2).sum() / count,
            ((1 - responsible) * confidence**2).sum() / count,
            (in_cell * (classes - is_class) ** 2).sum() / count,
        )

    def decode(
        self, scores: Tensor, size: int, score_threshold: float = 0.1, iou_threshold: float = 0.5
    ) -> list[dict[str, Tensor]]:
        """Return for each image what is found: boxes (n, 4) in images of `size` pixels, scores (n,), labels (n,).

        A box's score for a class is P(class | object) times its confidence. Those of at least `score_threshold` go
        through `nms` with `iou_threshold`, class by class; the best come first.
        """
        with no_grad():
            boxes, classes = self._split(scores)
            corners = (
                self._corners(boxes[:, :, 0], boxes[:, :, 1], boxes[:, :, 2] ** 2, boxes[:, :, 3] ** 2).clip(0, 1)
                * size
            )  # (N, B, S, S, 4)
            values = boxes[:, :, None, 4] * classes[:, None]  # (N, B, C, S, S)
            image, box, label, row, column = nonzero(values >= score_threshold)
            found, value = corners[image, box, row, column], values[image, box, label, row, column]
            kept = batched_nms(found, value, image * self.num_classes + label, iou_threshold)
            image, found, value, label = image[kept], found[kept], value[kept], label[kept]
            parts = [image == i for i in range(len(scores))]
            return [{"boxes": found[p], "scores": value[p], "labels": label[p]} for p in parts]


# The paper's figure 3: kernel size, channels and stride of each convolution; "M" is max-pooling by 2.
_PAPER: list = [
    (7, 64, 2), "M", (3, 192, 1), "M", (1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1), "M",
    *[(1, 256, 1), (3, 512, 1)] * 4, (1, 512, 1), (3, 1024, 1), "M", *[(1, 512, 1), (3, 1024, 1)] * 2,
    (3, 1024, 1), (3, 1024, 2), (3, 1024, 1), (3, 1024, 1),
]  # fmt: skip
_TINY: list = [(5, 24, 2), (3, 48, 1), "M", (3, 96, 1), "M", (3, 128, 1), (3, 128, 1)]


def _features(layers: Sequence, channels: int, normalized: bool) -> Sequential:
    """Return the convolutions, each with leaky ReLU, and with batch norm before if `normalized`."""
    found: list[Module] = []
    for layer in layers:
        if layer == "M":
            found.append(MaxPool2d(2))
            continue
        kernel, out, stride = layer
        found.append(Conv2d(channels, out, kernel, stride, kernel // 2, bias=not normalized))
        found += [BatchNorm2d(out)] * normalized + [LeakyReLU(0.1)]
        channels = out
    return Sequential(*found)


def yolov1(num_classes: int = 20, boxes: int = 2, grid: int = 7) -> YOLO:
    """Builds the paper's network of 24 convolutions and two linear layers: (N, 3, 448, 448) -> (N, 30, 7, 7).

    >>> with nn.init.skip_filling():  # with 272 million weights
    ...     model = gg.models.yolov1()
    >>> sum(isinstance(layer, nn.Conv2d) for layer in model.modules())
    24
    """
    out = 5 * boxes + num_classes
    head = Sequential(
        Flatten(), Linear(1024 * grid * grid, 4096), LeakyReLU(0.1), Dropout(0.5), Linear(4096, out * grid * grid),
        Unflatten(1, (out, grid, grid)),
    )  # fmt: skip
    return YOLO(_features(_PAPER, 3, normalized=False), head, grid, boxes, num_classes)


def tiny_yolo(num_classes: int = 20, in_channels: int = 3, boxes: int = 2, grid: int = 7) -> YOLO:
    """Builds a small YOLO for images of 8 grid pixels: (N, in_channels, 56, 56) -> (N, 5 boxes + num_classes, 7, 7).

    Batch norm, and a 1x1 convolution instead of the linear layers, as the authors' next paper has them, so that all
    cells learn from each other's objects (J. Redmon and A. Farhadi 2017, "YOLO9000").

    >>> gg.models.tiny_yolo(num_classes=10, in_channels=1).head.weight.shape
    (20, 128, 1, 1)
    """
    head = Conv2d(_TINY[-1][1], 5 * boxes + num_classes, 1)
    return YOLO(_features(_TINY, in_channels, normalized=True), head, grid, boxes, num_classes)
