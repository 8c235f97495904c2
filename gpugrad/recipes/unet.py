"""Segmentation: a bottleneck with un-pooling, a fully convolutional net and U-Net on scenes of digits."""

from functools import cached_property

from ..data import DataLoader, DigitScenes, Split
from ..models import FCN, SegNet, UNet
from ..nn import Module, ModuleDict
from ..nn.functional import cross_entropy
from ..optim import Adam
from ..train import Goal, Recipe, falling, mean_iou, predicted_classes, segmented
from ..viz import color_classes, curves, edges, image_grid

CLASSES = 11  # the canvas and ten digits
TITLES = {"unet": "U-Net", "segnet": "bottleneck", "fcn": "fully convolutional"}


class Segmentation(Recipe):
    """Gives each pixel of a scene its class: U-Net against a bottleneck and a fully convolutional net.

    Scenes of one to three digits on a textured canvas; each pixel is canvas or one of ten digits. All three networks
    have the same widths, data and steps. Loss: the cross-entropy of the pixels' classes. Measured: the intersection
    over union of each class in the test scenes, averaged over the classes; the same for the pixels at edges alone,
    where the bottleneck loses most.
    """

    notes = ("5.2.3 Semantic Segmentation",)
    minutes = 5
    goals = {"U-Net mean IoU": Goal(0.90), "U-Net better than the bottleneck": Goal(0.001, form="+.2%")}
    quick = {"epochs": 2, "scenes": 96, "width": 4}
    epochs = 8
    scenes = 2500
    width = 12
    batch_size = 16
    lr = 0.003
    size = 32

    @cached_property
    def split(self) -> Split:
        """Scenes to train on and to test on; no digit is in both."""
        count = {"train": self.scenes, "test": max(32, self.scenes // 8)}
        made = [
            DigitScenes(n, self.size, digits=(1, 3), heights=(11, 15), overlap=0, part=part)
            for part, n in count.items()
        ]
        return Split(*map(segmented, made))

    def build(self) -> Module:
        return ModuleDict(
            {
                "unet": UNet(1, CLASSES, self.width, depth=3),
                "segnet": SegNet(1, CLASSES, self.width, depth=3),
                "fcn": FCN(1, CLASSES, self.width, depth=3, skips=2),
            }
        )

    def train(self) -> None:
        losses = {}
        for name, model in self.model.items():
            loader = DataLoader(self.split.train, self.batch_size, shuffle=True)
            optimizer = Adam(model.parameters(), lr=self.lr)
            steps = max(1, self.epochs * len(loader))
            schedule = falling(optimizer, steps)
            # 5.2.3, "a per-pixel classifier": scores (N, 11, S, S), classes (N, S, S)
            trainer = self.trainer(model, optimizer, cross_entropy, scheduler=schedule, scheduled="step")
            self.fit(trainer, loader, name=name)
            losses[TITLES[name]] = trainer.losses
        if any(losses.values()):
            curves(losses, self.picture("losses"))

    def evaluate(self) -> dict[str, float]:
        images, classes = self.split.test.tensors
        truth, at_edges = classes.numpy(), edges(classes).numpy()
        found, everywhere = {}, {}
        for name, model in self.model.items():
            predicted = predicted_classes(model, images, self.device).numpy()
            everywhere[name] = mean_iou(predicted, truth, CLASSES)
            found[f"{TITLES[name]} mean IoU"] = everywhere[name]
            found[f"{TITLES[name]} mean IoU at edges"] = mean_iou(predicted[at_edges], truth[at_edges], CLASSES)
        return {**found, "U-Net better than the bottleneck": everywhere["unet"] - everywhere["segnet"]}

    def draw(self) -> None:
        images, truth = (tensor[:6] for tensor in self.split.test.tensors)
        classes = [truth, *(predicted_classes(model, images, self.device) for model in self.model.values())]
        titles = ["scene", "truth", *TITLES.values()]
        pictures = {
            "classes": [color_classes(c) for c in classes],
            "edges": [edges(c).astype("float32")[:, None] for c in classes],
        }
        for name, columns in pictures.items():
            shown = [column[i] for i in range(len(images)) for column in (images, *columns)]
            image_grid(shown, self.picture(name), titles=titles * len(images), columns=len(titles))
