"""Defines whole networks, each architecture once: recipes, benchmarks and tests build them from here."""

from .alexnet import AlexNet
from .faster_rcnn import FasterRCNN, FastRCNN, small_fast_rcnn, small_faster_rcnn, small_rcnn
from .gpt import GPT
from .lenet import LeNet
from .lstm import LSTMLanguageModel
from .mlp import MLP
from .resnet import BasicBlock, Bottleneck, CIFARResNet, ResNet, resnet18, resnet50
from .vgg import VGG, vgg16
from .yolo import YOLO, tiny_yolo, yolov1

__all__ = [
    "AlexNet", "BasicBlock", "Bottleneck", "CIFARResNet", "FastRCNN", "FasterRCNN", "GPT", "LSTMLanguageModel",
    "LeNet", "MLP", "ResNet", "VGG", "YOLO", "resnet18", "resnet50", "small_fast_rcnn", "small_faster_rcnn",
    "small_rcnn", "tiny_yolo", "vgg16", "yolov1",
]  # fmt: skip
