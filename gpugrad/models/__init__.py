"""Defines whole networks, each architecture once: recipes, benchmarks and tests build them from here."""

from .alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from .architecture import Network, fitting
from .cifar_resnet import (
    CIFARResNet,
    plain20,
    plain32,
    plain44,
    plain56,
    plain110,
    resnet20,
    resnet32,
    resnet44,
    resnet56,
    resnet110,
)
from .faster_rcnn import FasterRCNN, FastRCNN, small_fast_rcnn, small_faster_rcnn, small_rcnn
from .googlenet import GoogLeNet, GoogLeNetOutputs, Inception, googlenet
from .gpt import GPT
from .lenet import LeNet, LeNet5
from .localisation import BoxRegressor, OverFeat, slide, sliding_windows
from .lstm import LSTMLanguageModel
from .mlp import MLP
from .mobilenet import MobileNetV2, mobilenet_v2
from .resnet import BasicBlock, Bottleneck, PlainBlock, ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from .segmentation import FCN, SegNet, UNet
from .vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .vit import VisionTransformer, vit_b_16
from .yolo import YOLO, tiny_yolo, yolov1

__all__ = [
    "AlexNet", "AlexNet2012", "BasicBlock", "Bottleneck", "BoxRegressor", "CIFARResNet", "FCN", "FastRCNN",
    "FasterRCNN", "GPT", "GoogLeNet", "GoogLeNetOutputs", "Inception", "LSTMLanguageModel", "LeNet", "LeNet5",
    "MLP", "MobileNetV2", "Network", "OverFeat", "PlainBlock", "ResNet", "SegNet", "UNet", "VGG",
    "VisionTransformer", "YOLO", "alexnet", "alexnet_2012", "fitting", "googlenet", "mobilenet_v2", "plain110",
    "plain20", "plain32", "plain44", "plain56", "resnet101", "resnet110", "resnet152", "resnet18", "resnet20",
    "resnet32", "resnet34", "resnet44", "resnet50", "resnet56", "slide", "sliding_windows", "small_fast_rcnn",
    "small_faster_rcnn", "small_rcnn", "tiny_yolo", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn",
    "vgg19", "vgg19_bn", "vit_b_16", "yolov1",
]  # fmt: skip
