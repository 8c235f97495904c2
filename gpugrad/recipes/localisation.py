"""Localisation: where in the picture the digit is, as the regression of one box."""

from functools import cached_property

from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..data import DataLoader, DigitScenes, Split, TensorDataset
from ..models import BoxRegressor
from ..nn import Module
from ..nn.detection import elementwise_box_iou, generalized_box_iou_loss
from ..nn.functional import smooth_l1_loss
from ..optim import Adam
from ..optim.lr_scheduler import OneCycleLR
from ..train import Goal, Recipe, padded_scenes
from ..viz import boxes


class Localisation(Recipe):
    """Finds the one digit of a scene: a network gives its box, measured by intersection over union.

    Loss, with b the four corners in pixels, b* the true ones: 0.1 smooth L1(b - b*) + 1 - GIoU(b, b*).
    """

    notes = ("5.2.1.1 Intersection over Union (IoU)",)
    minutes = 1
    goals = {"mean IoU": Goal(0.85, form=".4f")}
    quick = {"epochs": 3, "train_scenes": 96, "test_scenes": 20}
    size = 48
    train_scenes = 2500
    test_scenes = 300
    epochs = 5
    batch_size = 32
    lr = 0.005

    def build(self) -> Module:
        return BoxRegressor()

    @cached_property
    def scenes(self) -> Split:
        """The scenes to train on and those to test on, of other digits: images, and boxes (N, 4)."""

        def made(count: int, part: str) -> TensorDataset:
            scenes = DigitScenes(count, self.size, digits=(1, 1), part=part, seed=self.options.seed)
            images, found, _ = padded_scenes(scenes).tensors
            return TensorDataset(images, found[:, 0])

        return Split(made(self.train_scenes, "train"), made(self.test_scenes, "test"))

    def train(self) -> None:
        loader = DataLoader(self.scenes.train, self.batch_size, shuffle=True)
        optimizer = Adam(self.model.parameters(), lr=self.lr)
        schedule = OneCycleLR(optimizer, self.lr, total_steps=max(2, self.epochs * len(loader)), pct_start=0.1)
        trainer = self.trainer(self.model, optimizer, _loss, scheduler=schedule, scheduled="step")
        self.fit(trainer, loader)
        if trainer.losses:
            trainer.draw(self.picture("loss"))

    def _found(self, images: Tensor) -> Tensor:
        self.model.eval()
        with no_grad():
            return self.model(images.to(device=self.device)).cpu()

    def evaluate(self) -> dict[str, float]:
        images, truth = self.scenes.test.tensors
        overlaps = elementwise_box_iou(self._found(images), truth)
        return {"mean IoU": overlaps.mean().item(), "IoU above 0.5": (overlaps > 0.5).mean().item()}

    def draw(self) -> None:
        images = self.scenes.test.tensors[0][:12]
        boxes(images, [{"boxes": box[None]} for box in self._found(images)], self.picture("boxes"))


def _loss(found: Tensor, truth: Tensor) -> Tensor:
    return 0.1 * smooth_l1_loss(found, truth) + generalized_box_iou_loss(found, truth, "mean")
