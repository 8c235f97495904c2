"""Inside: what a convolutional network that reads digits in scenes looks at, and what it wants to see."""

from functools import cached_property

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..autograd.tensor import Tensor
from ..backend.random import Generator
from ..data import DigitScenes, RandomAffine, Split, TensorDataset
from ..nn import AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from ..nn.functional import softmax
from ..train import Classification, Goal
from ..viz import (
    activations,
    filters,
    grad_cam,
    guided_backprop,
    image_grid,
    input_gradient,
    maximize,
    overlay,
    saliency,
    stretched,
    top_patches,
)

COLORS = ("red", "green", "blue", "yellow", "white")


class Inside(Classification):
    """Looks inside a trained network: filters, patches, responses, saliency, Grad-CAM, made images.

    A network of five convolutions learns which digit, of any of five colors, is in a scene. Then: the filters of its
    first layer; the patches that excite neurons most, and their responses to a scene; the gradient of the score by the
    image, guided backpropagation and Grad-CAM; images that maximise neurons and classes, with L2, blur and clipping of
    small pixels. Measured: how often Grad-CAM is largest in the digit's box, how much of the saliency lies in it, how
    many of the images made for a class are of that class to the network.
    """

    notes = ("5.3 Visualizing CNNs",)
    minutes = 1.5
    goals = {
        "test accuracy": Goal(0.95), "Grad-CAM points into the box": Goal(0.90), "saliency in the box": Goal(0.50),
        "images of their class": Goal(0.90),
    }  # fmt: skip
    quick = {"epochs": 1, "scenes": 128, "ascent": 4}
    epochs = 10
    scenes = 3000
    size = 40
    lr = 0.1
    weight_decay = 1e-3
    ascent = 200  # steps of gradient ascent
    last = "features.16"  # the layer that Grad-CAM looks at

    @cached_property
    def parts(self) -> tuple[DigitScenes, DigitScenes]:
        """The scenes to train on and to test on, of one digit each."""
        counts = {"train": self.scenes, "test": max(64, self.scenes // 6)}
        train, test = (
            DigitScenes(n, self.size, digits=(1, 1), heights=(16, 28), colors=COLORS, part=part)
            for part, n in counts.items()
        )
        return train, test

    def data(self) -> Split:
        def samples(scenes: DigitScenes) -> TensorDataset:
            found = [scenes[i] for i in range(len(scenes))]
            columns = (np.stack([s.image.numpy() for s in found]), np.stack([s.labels.numpy()[0] for s in found]))
            return TensorDataset(*(asarray(column, device="cpu") for column in columns))

        return Split(*map(samples, self.parts))

    def augment(self, images: Tensor) -> Tensor:
        return RandomAffine(degrees=10, translate=0.05, scale=0.15, shear=0.2)(images)

    def build(self) -> Module:
        layers: list[Module] = []
        inside = 3
        for stage in (((16, 5),), ((32, 3), (32, 3)), ((64, 3), (64, 3))):
            layers += [MaxPool2d(2)] if layers else []
            for outside, side in stage:
                layers += [Conv2d(inside, outside, side, padding=side // 2, bias=False), BatchNorm2d(outside), ReLU()]
                inside = outside
        model = Sequential()
        model.add_module("features", Sequential(*layers))
        model.add_module("classifier", Sequential(AdaptiveAvgPool2d(1), Flatten(), Linear(64, 10)))
        return model

    def _boxes(self, count: int) -> np.ndarray:
        """Return which pixels of the first test scenes are in their digits' boxes: bool (count, size, size)."""
        at = np.arange(self.size)
        boxes = np.stack([self.parts[1][i].boxes.numpy()[0] for i in range(count)])[:, :, None]
        across, down = ((at >= boxes[:, i]) & (at < boxes[:, i + 2]) for i in (0, 1))
        return down[:, :, None] & across[:, None, :]

    def evaluate(self) -> dict[str, float]:
        images = self.split.test.tensors[0][:128].to(device=self.device)
        inside = self._boxes(len(images))
        heat = grad_cam(self.model, images, self.last).cpu().numpy().reshape(len(images), -1)
        pointed = inside.reshape(len(images), -1)[np.arange(len(images)), heat.argmax(1)]
        matters = saliency(self.model, images).cpu().numpy()[:, 0]
        with no_grad():
            seen = softmax(self.model(self.made), 1).cpu().numpy()
        return {
            **super().evaluate(),
            "Grad-CAM points into the box": float(pointed.mean()),
            "saliency in the box": float((matters * inside).sum() / matters.sum()),
            "area of the box": float(inside.mean()),
            "images of their class": float((seen.argmax(1) == np.arange(10)).mean()),
        }

    @cached_property
    def made(self) -> Tensor:
        """An image for each digit that maximises its score, 5.3.5: step, blur a little, clip small pixels."""
        shape, generator = (3, self.size, self.size), Generator().manual_seed(self.options.seed)
        options = {"steps": self.ascent, "blur": 0.6, "clip_below": 0.1, "jitter": 2, "generator": generator}
        return maximize(self.model, range(10), shape, **options)

    def draw(self) -> None:
        images = self.split.test.tensors[0].to(device=self.device)
        scene = images[:1]
        image_grid(filters(self.model), self.picture("filters"), columns=8, side=0.8)  # 5.3.1
        for name, layer in (("responses-first", "features.2"), ("responses-last", self.last)):
            with no_grad():
                maps = activations(self.model, layer, scene)[0][:31, None]
            titles = ["scene", *(f"neuron {i}" for i in range(len(maps)))]
            image_grid([scene[0], *stretched(maps)], self.picture(name), titles=titles, columns=8, side=0.9)
        self._draw_patches(images)
        self._draw_gradients(images[:6])
        self._draw_made()

    def _draw_patches(self, images: Tensor) -> None:  # 5.3.2
        for name, layer in (("patches-second", "features.6"), ("patches-last", self.last)):
            neurons = [0, 1, 2, 3, 4, 5]
            top = top_patches(self.model, layer, images, neurons, count=9)
            patches = top.patches.reshape(-1, *top.patches.shape[2:])
            rows = zip(neurons, top.values.tolist(), strict=True)
            titles = [f"{neuron}: {value:.1f}" for neuron, row in rows for value in row]
            image_grid(patches, self.picture(name), titles=titles, columns=9, side=0.8)

    def _draw_gradients(self, images: Tensor) -> None:  # 5.3.3
        columns = [
            images,
            stretched(input_gradient(self.model, images), symmetric=True),
            stretched(saliency(self.model, images)),
            stretched(guided_backprop(self.model, images), symmetric=True),
            overlay(images, grad_cam(self.model, images, self.last)),
        ]
        titles = ["scene", "gradient", "saliency", "guided", "Grad-CAM"] * len(images)
        shown = [column[i] for i in range(len(images)) for column in columns]
        image_grid(shown, self.picture("gradients"), titles=titles, columns=len(columns))

    def _draw_made(self) -> None:  # 5.3.4 and 5.3.5
        shape = (3, self.size, self.size)
        titles = [f"class {i}" for i in range(10)]
        bare = maximize(self.model, range(10), shape, steps=self.ascent, l2=0, blur=0)
        shown, named = [*bare, *self.made], [f"{t}, bare" for t in titles] + titles
        image_grid(shown, self.picture("maximised-classes"), titles=named, columns=10)
        neurons = range(20)
        seen = maximize(self.model, neurons, shape, layer=self.last, steps=self.ascent, blur=0.6, clip_below=0.1)
        titles = [f"neuron {i}" for i in neurons]
        image_grid(seen, self.picture("maximised-neurons"), titles=titles, columns=10)
