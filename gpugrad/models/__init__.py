"""Defines whole networks, each architecture once: recipes, benchmarks and tests build them from here."""

from .agents import ActorCritic, QNetwork
from .alexnet import AlexNet
from .gpt import GPT
from .lenet import LeNet
from .lstm import LSTMLanguageModel
from .mlp import MLP
from .resnet import BasicBlock, Bottleneck, CIFARResNet, ResNet, resnet18, resnet50
from .segmentation import FCN, SegNet, UNet
from .vgg import VGG, vgg16

__all__ = [
    "ActorCritic", "AlexNet", "BasicBlock", "Bottleneck", "CIFARResNet", "FCN", "GPT", "LSTMLanguageModel", "LeNet",
    "MLP", "QNetwork", "ResNet", "SegNet", "UNet", "VGG", "resnet18", "resnet50", "vgg16",
]  # fmt: skip
