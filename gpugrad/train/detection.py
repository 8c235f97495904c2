"""Recipes of object detectors: scenes of digits, mean average precision, pictures of what is found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import DataLoader, DigitScenes, Split, TensorDataset, extremal_regions
from ..nn.detection import Proposals, box_iou
from ..optim import Adam
from ..optim.lr_scheduler import OneCycleLR
from .average_precision import mean_average_precision
from .recipe import Recipe
from .trainer import Trainer


def padded_scenes(scenes: DigitScenes) -> TensorDataset:
    """Return all scenes as tensors of one length: images (N, C, S, S), boxes (N, M, 4), labels (N, M).

    M is the largest count; where there is no box, its corners are 0 and its label is -1.

    >>> images, boxes, labels = gg.train.padded_scenes(gg.data.DigitScenes(20, size=48, digits=(1, 2))).tensors
    >>> images.shape, boxes.shape, labels.min().item()
    ((20, 1, 48, 48), (20, 2, 4), -1)
    """
    found = [scenes[i] for i in range(len(scenes))]
    most = max(len(scene.labels) for scene in found)
    boxes, labels = np.zeros((len(found), most, 4), np.float32), np.full((len(found), most), -1)
    for i, scene in enumerate(found):
        boxes[i, : len(scene.labels)], labels[i, : len(scene.labels)] = scene.boxes, scene.labels
    images = np.stack([scene.image.numpy() for scene in found])
    return TensorDataset(*(asarray(array, device="cpu") for array in (images, boxes, labels)))


def truth_of(boxes: Tensor, labels: Tensor) -> list[dict[str, Tensor]]:
    """Return padded boxes (N, M, 4) and labels (N, M) as those of each image, without the padding.

    >>> gg.train.truth_of(gg.zeros(1, 2, 4), gg.tensor([[3, -1]]))[0]["labels"]
    tensor([3])
    """
    return [{"boxes": b[at >= 0], "labels": at[at >= 0]} for b, at in zip(boxes, labels, strict=True)]


class Detection(Recipe):
    """A recipe that needs `build`, `train` and `detect`.

    >>> class Nothing(gg.train.Detection):
    ...     '''Finds nothing.'''
    ...     train_scenes, test_scenes = 2, 2
    ...     def detect(self, images):
    ...         none = {"boxes": gg.zeros(0, 4), "scores": gg.zeros(0), "labels": gg.zeros(0, dtype="int64")}
    ...         return [none for image in images]
    >>> recipe = Nothing()
    >>> recipe.model = recipe.build()
    >>> recipe.evaluate()
    {'mAP@0.5': 0.0}
    """

    size = 56
    train_scenes = 4000
    test_scenes = 400
    batch_size = 32
    lr = 0.003
    least_score = 0.3  # of what pictures show

    @cached_property
    def scenes(self) -> Split:
        """The scenes to train on and those to test on, of other digits: images, padded boxes, padded labels."""
        seed = self.options.seed
        return Split(
            padded_scenes(DigitScenes(self.train_scenes, self.size, part="train", seed=seed)),
            padded_scenes(DigitScenes(self.test_scenes, self.size, part="test", seed=seed)),
        )

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        """Return what the network finds in images (N, C, S, S): of each, boxes (n, 4), scores (n,), labels (n,)."""
        raise NotImplementedError

    def detections(self) -> Iterator[tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]]:
        """Give the test scenes: image, what is found, what is there."""
        self.model.eval()
        with no_grad():
            for images, boxes, labels in DataLoader(self.scenes.test, 100):
                yield from zip(images, self.detect(images.to(device=self.device)), truth_of(boxes, labels), strict=True)

    def evaluate(self) -> dict[str, float]:
        _, found, truth = zip(*self.detections(), strict=True)
        return {"mAP@0.5": mean_average_precision(found, truth)}

    def fit_detector(self, kind: type[Trainer], loader: DataLoader, clip: float | None = None) -> None:
        """Train with Adam, the learning rate up to `lr` and down again in one cycle; draw the curve of the losses."""
        optimizer = Adam(self.model.parameters(), lr=self.lr)
        schedule = OneCycleLR(optimizer, self.lr, total_steps=max(2, self.epochs * len(loader)), pct_start=0.1)
        trainer = self.trainer(self.model, optimizer, kind=kind, scheduler=schedule, scheduled="step", clip=clip)
        self.fit(trainer, loader)
        if trainer.losses:
            trainer.draw(self.picture("loss"))

    def draw(self) -> None:
        from ..viz import boxes

        shown = [scene for scene, _ in zip(self.detections(), range(12), strict=False)]
        images, found, _ = zip(*shown, strict=True)
        boxes(images, found, self.picture("found"), threshold=self.least_score)


class DetectorTrainer(Trainer):
    """Trains a network that has `loss(*batch)`, of which it minimises the `total`.

    >>> model = gg.models.small_faster_rcnn(num_classes=2, in_channels=1)
    >>> trainer = gg.train.DetectorTrainer(model, None)
    >>> trainer.loss_of((gg.zeros(1, 1, 32, 32), gg.tensor([[[4.0, 4.0, 20.0, 20.0]]]), gg.tensor([[1]]))).shape
    ()
    """

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        return self.model.loss(*batch).total


class RegionDetection(Detection):
    """A recipe of a network that says what is in regions which `extremal_regions` proposes; it needs `build`.

    >>> class Regions(gg.train.RegionDetection):
    ...     '''Looks at regions.'''
    ...     def build(self):
    ...         return gg.models.small_fast_rcnn(num_classes=10, in_channels=1)
    >>> "lr" in Regions.settings()
    True
    """

    lr = 0.002
    batch_size = 16

    def train(self) -> None:
        images, boxes, labels = self.scenes.train.tensors
        regions = extremal_regions(images)
        data = TensorDataset(images, regions.boxes, regions.valid, boxes, labels)
        self.fit_detector(RegionTrainer, DataLoader(data, self.batch_size, shuffle=True))

    def detect(self, images: Tensor) -> list[dict[str, Tensor]]:
        return self.model(images, extremal_regions(images))

    def evaluate(self) -> dict[str, float]:
        images, boxes, labels = self.scenes.test.tensors
        found = (box_iou(boxes, extremal_regions(images).boxes) >= 0.5).any(-1)
        return {**super().evaluate(), "recall of the proposals": found[labels >= 0].astype("float32").mean().item()}


class RegionTrainer(Trainer):
    """Trains a network of regions on batches (images, boxes and whether each is one of `Proposals`, boxes, labels).

    >>> model = gg.models.small_fast_rcnn(num_classes=2, in_channels=1)
    >>> box = gg.tensor([[[4.0, 4.0, 20.0, 20.0]]])
    >>> batch = gg.zeros(1, 1, 32, 32), box, gg.tensor([[True]]), box, gg.tensor([[1]])
    >>> gg.train.RegionTrainer(model, None).loss_of(batch).shape
    ()
    """

    def loss_of(self, batch: tuple[Tensor, ...]) -> Tensor:
        images, regions, valid, boxes, labels = batch
        return self.model.loss(images, Proposals(regions, valid), boxes, labels).total
