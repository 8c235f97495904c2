"""What DeepDream and style transfer share: a VGG-shaped network that knows the textures of photographs."""

from __future__ import annotations

import numpy as np

from ..autograd.convert import asarray
from ..autograd.mode import no_grad
from ..data import PhotoPatches, Split, TensorDataset
from ..io import load_weights
from ..models import VGG, vgg19
from ..nn import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    init,
)
from .classification import Classification

_STAGES = [(16, 2), (32, 2), (64, 3), (96, 2)]
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels


class PhotoNetwork(Classification):
    """A recipe whose network tells from which part of the photographs a patch is, or is VGG-19 with weights given.

    The network is a Sequential of `standardize`, `features` and `head`; with `--weights FILE`, VGG-19's in the names of
    torchvision, it has VGG-19's features and no head, and nothing is trained.

    >>> class Textures(gg.train.PhotoNetwork):
    ...     '''Learns textures.'''
    >>> list(gg.train.layer_names(Textures().build()))[:5]
    ['conv1_1', 'relu1_1', 'conv1_2', 'relu1_2', 'pool1']
    """

    epochs = 4
    patches = 3000
    size = 24
    lr = 0.05
    weight_decay = 5e-4

    def data(self) -> Split:
        def samples(part: str, count: int) -> TensorDataset:
            found = PhotoPatches(count, self.size, part=part)
            images, labels = zip(*(found[i] for i in range(count)), strict=True)
            columns = np.stack([image.numpy() for image in images]), np.array(labels)
            return TensorDataset(*(asarray(column, device="cpu") for column in columns))

        return Split(samples("train", self.patches), samples("test", max(64, self.patches // 8)))

    def build(self) -> Module:
        model = Sequential()
        model.add_module("standardize", BatchNorm2d(3, affine=False))
        if self.options.weights is None:
            model.add_module("features", VGG(_STAGES, batch_norm=True, hidden=1).features)
            model.add_module("head", Sequential(AdaptiveAvgPool2d(1), Flatten(), Linear(_STAGES[-1][0], 48)))
        else:
            with init.skip_filling():  # `train` reads the values
                model.add_module("features", vgg19().features)
        return model

    def train(self) -> None:
        if self.options.weights is None:
            super().train()
        else:
            with init.skip_filling():
                vgg = vgg19()
            vgg.load_state_dict(load_weights(self.options.weights))
            self.model.features.load_state_dict(vgg.features.state_dict())
            with no_grad():
                self.model.standardize.running_mean.copy_(asarray(np.array(_MEAN, np.float32), device="cpu"))
                self.model.standardize.running_var.copy_(asarray(np.array(_DEVIATION, np.float32) ** 2, device="cpu"))
        self.model.eval()


def layer_names(model: Module) -> dict[str, str]:
    """Return the names of VGG's layers as papers write them, such as relu3_1, each with its name in the model.

    The model has VGG's `features`; the first number is the stage's, the second that of the convolution in it.

    >>> names = gg.train.layer_names(gg.models.VGG([(4, 2), (8, 1)], num_classes=2, hidden=8))
    >>> names["relu1_2"], names["pool2"]
    ('features.3', 'features.7')
    """
    names, stage, count = {}, 1, 0
    for i, layer in enumerate(model.features):
        if isinstance(layer, Conv2d):
            count += 1
            names[f"conv{stage}_{count}"] = f"features.{i}"
        elif isinstance(layer, ReLU):
            names[f"relu{stage}_{count}"] = f"features.{i}"
        elif isinstance(layer, MaxPool2d):
            names[f"pool{stage}"] = f"features.{i}"
            stage, count = stage + 1, 0
    return names


def cut_after(model: Module, layers: list[str], average: bool = False) -> Sequential:
    """Return the model's standardisation and its features up to the last of the layers, with the names that they have.

    average: pool by means instead of maxima, so that each pixel counts (Gatys et al. 2015, section 2).

    >>> class Textures(gg.train.PhotoNetwork):
    ...     '''Learns textures.'''
    >>> model = Textures().build()
    >>> list(gg.train.cut_after(model, ["features.0", "features.2"]).features) == list(model.features)[:3]
    True
    """
    last = max(int(name.rpartition(".")[2]) for name in layers)
    part = Sequential()
    part.add_module("standardize", model.standardize)
    kept = list(model.features)[: last + 1]
    if average:
        kept = [AvgPool2d(layer.kernel_size) if isinstance(layer, MaxPool2d) else layer for layer in kept]
    part.add_module("features", Sequential(*kept))
    return part
