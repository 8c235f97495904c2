"""OverFeat: the windows of an image classified by convolutions, all at once, and their boxes averaged."""

import copy
import time
from functools import cached_property
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import DataLoader, DigitScenes, TensorDataset
from ..models import OverFeat as Network
from ..models import sliding_windows
from ..nn import Module
from ..nn.detection import elementwise_box_iou
from ..nn.functional import cross_entropy, interpolate, smooth_l1_loss, softmax
from ..optim import Adam
from ..optim.lr_scheduler import OneCycleLR
from ..train import Goal, Recipe, Trainer, padded_scenes
from ..viz import boxes

BACKGROUND = 10  # the class of a window without a whole digit near its middle


class WindowTrainer(Trainer):
    """Trains on windows: cross-entropy of their class, and smooth L1 of the box where there is a digit."""

    def loss_of(self, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        windows, labels, truth = batch
        scores, found = self.model(windows)
        digits = (labels != BACKGROUND).to(dtype=found.dtype)
        off = smooth_l1_loss(found, truth, reduction="none", beta=0.1).sum(1)
        return cross_entropy(scores, labels) + 5 * (off * digits).sum() / (digits.sum() + 1)


class OverFeat(Recipe):
    """Slides a digit classifier over scenes by convolution: equal to cropped windows, faster, and it localises.

    A network for windows of 28 x 28 pixels gives 11 scores and a box. On a larger image its linear layers become
    convolutions, so that one pass gives what it would give for every window. At several scales, the windows' boxes are
    averaged, weighted by the probability of the class that the scene shows.
    """

    notes = ("5.2.1.2 Sliding Windows", "5.2.1.3 OverFeat")
    minutes = 2
    goals = {
        "largest difference from cropped windows": Goal(1e-10, lower=True, form=".1e"),
        "speed-up over cropped windows": Goal(2, form=".1f"),
        "localised": Goal(0.90),
    }
    quick = {"epochs": 2, "train_windows": 320, "test_scenes": 20}
    size = 56
    train_windows = 8000
    test_scenes = 200
    epochs = 12
    batch_size = 64
    lr = 0.003
    scales = "0.8,1,1.25,1.6"

    def build(self) -> Module:
        return Network(num_classes=BACKGROUND + 1)

    def windows(self) -> TensorDataset:
        """Return windows of scenes at random places and scales, their classes, their boxes in units of the window."""
        random, side = np.random.default_rng(self.options.seed), Network.window
        scenes = DigitScenes(-(-self.train_windows // 8), self.size, digits=(1, 2), seed=self.options.seed)
        scales = [float(scale) for scale in self.scales.split(",")]
        images, labels, found = [], [], []
        for number in range(len(scenes)):
            scene, scale = scenes[number], scales[number % len(scales)]
            image, truth = _scaled(scene.image[None], scale).numpy()[0], scene.boxes.numpy() * scale
            free = np.array(image.shape[1:]) - side
            for turn in range(8):
                top, left = random.integers(0, free + 1)
                if turn < 5:  # around a digit, not far from the middle
                    x1, y1, x2, y2 = truth[random.integers(len(truth))]
                    middle = np.array([y1 + y2, x1 + x2]) / 2 - side / 2
                    top, left = np.clip(np.round(middle + random.uniform(-6, 6, 2)).astype(int), 0, free)
                images.append(image[:, top : top + side, left : left + side])
                label, box = _inside(truth - [left, top, left, top], scene.labels.numpy(), side)
                labels.append(label)
                found.append(box / side)
        arrays = np.stack(images), np.array(labels), np.array(found, np.float32)
        return TensorDataset(*(asarray(array, device="cpu") for array in arrays))

    def train(self) -> None:
        loader = DataLoader(self.windows(), self.batch_size, shuffle=True)
        optimizer = Adam(self.model.parameters(), lr=self.lr)
        schedule = OneCycleLR(optimizer, self.lr, total_steps=max(2, self.epochs * len(loader)), pct_start=0.1)
        trainer = self.trainer(self.model, optimizer, kind=WindowTrainer, scheduler=schedule, scheduled="step")
        self.fit(trainer, loader)
        if trainer.losses:
            trainer.draw(self.picture("loss"))
        self.model.eval()
        self.record["speed-up"] = self._speed_up()

    # Windows one by one and by convolution

    def _speed_up(self) -> float:
        """Return how many times faster than cropped windows, in one batch, convolution is for a scene: best of 3."""
        image = self.scenes.tensors[0][:1].to(device=self.device)

        def seconds(compute: Any) -> float:
            start = time.perf_counter()
            np.asarray(compute()[0].cpu())
            return time.perf_counter() - start

        with no_grad():
            cropped = min(seconds(lambda: _cropped(self.model, image)) for _ in range(3))
            return cropped / min(seconds(lambda: self.model.slide(image)) for _ in range(3))

    # Localisation

    @cached_property
    def scenes(self) -> TensorDataset:
        """The scenes to test on, each with one digit: images, boxes (N, 1, 4), labels (N, 1)."""
        return padded_scenes(
            DigitScenes(self.test_scenes, self.size, digits=(1, 1), part="test", seed=self.options.seed)
        )

    def locate(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the digit that each image shows, and its box: (N,) and (N, 4)."""
        model, chances, found = self.model, [], []
        for scale in (float(scale) for scale in self.scales.split(",")):
            scores, at = (out.cpu().numpy() for out in model.slide(_scaled(images, scale)))
            n, _, rows, columns = scores.shape
            top, left = model.stride * np.arange(rows)[:, None], model.stride * np.arange(columns)
            corner = np.stack(np.broadcast_arrays(left, top, left, top))
            found.append(((at * model.window + corner) / scale).reshape(n, 4, -1))
            chances.append(softmax(asarray(scores, device="cpu"), dim=1).numpy().reshape(n, BACKGROUND + 1, -1))
        chance, at = np.concatenate(chances, 2)[:, :BACKGROUND], np.concatenate(found, 2)
        sure = chance**4  # windows that are not sure have no voice
        label = sure.sum(2).argmax(1)
        weight = sure[np.arange(len(label)), label][:, None]
        return asarray(label), asarray((at * weight).sum(2) / weight.sum(2))

    def _located(self) -> tuple[Tensor, Tensor]:
        self.model.eval()
        with no_grad():
            batches = [self.locate(images.to(device=self.device)) for images, *_ in DataLoader(self.scenes, 50)]
        labels, found = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return asarray(labels), asarray(np.sort(found.reshape(-1, 2, 2), 1).reshape(-1, 4))

    def evaluate(self) -> dict[str, float]:
        images, truth, labels = self.scenes.tensors
        exact = copy.deepcopy(self.model).double().cpu()
        with no_grad():
            some = images[:2].to(dtype=np.float64)
            pairs = zip(exact.slide(some), _cropped(exact, some), strict=True)
            difference = max(float(abs(a - b).max()) for a, b in pairs)
        found_labels, found = self._located()
        overlaps, right = elementwise_box_iou(found, truth[:, 0]), found_labels == labels[:, 0]
        return {
            "largest difference from cropped windows": difference,
            "speed-up over cropped windows": self.record["speed-up"],
            "localised": ((overlaps > 0.5) & right).mean().item(),
            "right digit": right.mean().item(),
            "mean IoU": overlaps.mean().item(),
        }

    def draw(self) -> None:
        labels, found = self._located()
        shown = [{"boxes": found[i : i + 1], "labels": labels[i : i + 1]} for i in range(min(12, len(labels)))]
        boxes(self.scenes.tensors[0][: len(shown)], shown, self.picture("boxes"))


def _cropped(model: Any, images: Tensor) -> tuple[Tensor, ...]:
    """Return what `model.slide` returns, from every window by itself."""
    windows = sliding_windows(images, model.window, model.stride)
    places = windows.shape[:3]
    outs = model(windows.reshape(-1, *windows.shape[3:]))
    return tuple(out.reshape(*places, out.shape[1]).permute(0, 3, 1, 2) for out in outs)


def _scaled(images: Tensor, scale: float) -> Tensor:
    """Return images (N, C, H, W) with sides `scale` times as long."""
    sides = [max(Network.window, round(scale * side)) for side in images.shape[2:]]
    return interpolate(images, sides, mode="bilinear", antialias=True)


def _inside(truth: np.ndarray, labels: np.ndarray, side: int) -> tuple[int, np.ndarray]:
    """Return the class and the box of the digit that lies in a window whole, with its middle within 6 pixels of it."""
    whole = (truth[:, :2] >= -1).all(1) & (truth[:, 2:] <= side + 1).all(1)
    middle = np.abs((truth[:, :2] + truth[:, 2:]) / 2 - side / 2).max(1) <= 6
    large = (truth[:, 3] - truth[:, 1]) >= side * 0.4
    chosen = np.flatnonzero(whole & middle & large)
    return (int(labels[chosen[0]]), truth[chosen[0]]) if len(chosen) else (BACKGROUND, np.zeros(4))
