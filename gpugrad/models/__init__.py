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
from .positions import PositionalEncoding, rotate_positions, scaled_embedding, sinusoidal_positions
from .resnet import BasicBlock, Bottleneck, CIFARResNet, ResNet, resnet18, resnet50
from .seq2seq import Attention, Seq2Seq, TransformerTranslator, translate, translate_by_beams
from .vgg import VGG, vgg16

__all__ = [
    "AlexNet", "Attention", "BasicBlock", "BertForMaskedLM", "BertForPreTraining", "BertForQuestionAnswering",
    "BertForSequenceClassification", "BertForTokenClassification", "BertModel", "Bottleneck", "CIFARResNet", "GPT",
    "Hypothesis", "KeyValueCache", "LSTMLanguageModel", "LeNet", "MLP", "PositionalEncoding", "ResNet", "Seq2Seq",
    "TransformerTranslator", "VGG", "beam_search", "generate", "resnet18", "resnet50", "rotate_positions", "sample",
    "scaled_embedding", "sinusoidal_positions", "translate", "translate_by_beams", "vgg16",
]  # fmt: skip
