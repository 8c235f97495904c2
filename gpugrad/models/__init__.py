"""Defines whole networks, each architecture once: recipes, benchmarks and tests build them from here."""

from .alexnet import AlexNet
from .bert import (
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)
from .generation import Hypothesis, KeyValueCache, beam_search, generate, sample
from .gpt import GPT
from .lenet import LeNet
from .lstm import LSTMLanguageModel
from .mlp import MLP
from .resnet import BasicBlock, Bottleneck, CIFARResNet, ResNet, resnet18, resnet50
from .vgg import VGG, vgg16

__all__ = [
    "AlexNet", "BasicBlock", "BertForMaskedLM", "BertForPreTraining", "BertForQuestionAnswering",
    "BertForSequenceClassification", "BertForTokenClassification", "BertModel", "Bottleneck", "CIFARResNet", "GPT",
    "Hypothesis", "KeyValueCache", "LSTMLanguageModel", "LeNet", "MLP", "ResNet", "VGG", "beam_search", "generate",
    "resnet18", "resnet50", "sample", "vgg16",
]  # fmt: skip
