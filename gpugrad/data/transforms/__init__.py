"""Transforms of images, as in torchvision: of shapes, of colours, and mixtures of images.

Each takes one image (C, H, W), a batch (N, C, H, W) or a picture of Pillow's, on any device, outside the graph. In a
batch every image has random numbers of its own. They come from `generator`, or the default one, so that inside a
DataLoader they are the same for any number of workers. uint8 images stay uint8 until `ToTensor`.
"""

from .base import Compose, ToTensor, Transform
from .color import ColorJitter, Normalize
from .geometry import CenterCrop, Cutout, RandomAffine, RandomCrop, RandomHorizontalFlip, RandomVerticalFlip, Resize
from .mix import CutMix, MixUp

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "CutMix", "Cutout", "MixUp", "Normalize", "RandomAffine", "RandomCrop",
    "RandomHorizontalFlip", "RandomVerticalFlip", "Resize", "ToTensor", "Transform",
]  # fmt: skip
