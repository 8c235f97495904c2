"""Defines whole networks, each architecture once: recipes, benchmarks and tests build them from here."""

from .agents import ActorCritic, QNetwork
from .alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from .architecture import Network, fitting
from .bert import (
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)
from .captioning import Captioner
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
from .elmo import ELMo, ScalarMix
from .faster_rcnn import FasterRCNN, FastRCNN, small_fast_rcnn, small_faster_rcnn, small_rcnn
from .generation import Hypothesis, KeyValueCache, beam_search, generate, sample
from .googlenet import GoogLeNet, GoogLeNetOutputs, Inception, googlenet
from .gpt import GPT
from .lenet import LeNet, LeNet5
from .localisation import BoxRegressor, OverFeat, slide, sliding_windows
from .lstm import LSTMLanguageModel
from .mlp import MLP
from .mobilenet import MobileNetV2, mobilenet_v2
from .perceptron import Perceptron
from .positions import PositionalEncoding, rotate_positions, scaled_embedding, sinusoidal_positions
from .resnet import BasicBlock, Bottleneck, PlainBlock, ResNet, resnet18, resnet34, resnet50, resnet101, resnet152
from .segmentation import FCN, SegNet, UNet
from .seq2seq import Attention, Seq2Seq, TransformerTranslator, translate, translate_by_beams
from .vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn
from .vit import VisionTransformer, vit_b_16
from .word2vec import Word2Vec, cosines, odd_one_out
from .yolo import YOLO, tiny_yolo, yolov1

__all__ = [
    "ActorCritic", "AlexNet", "AlexNet2012", "Attention", "BasicBlock", "BertForMaskedLM", "BertForPreTraining",
    "BertForQuestionAnswering", "BertForSequenceClassification", "BertForTokenClassification", "BertModel",
    "Bottleneck", "BoxRegressor", "CIFARResNet", "Captioner", "ELMo", "FCN", "FastRCNN", "FasterRCNN", "GPT",
    "GoogLeNet", "GoogLeNetOutputs", "Hypothesis", "Inception", "KeyValueCache", "LSTMLanguageModel", "LeNet",
    "LeNet5", "MLP", "MobileNetV2", "Network", "OverFeat", "Perceptron", "PlainBlock", "PositionalEncoding",
    "QNetwork", "ResNet", "ScalarMix", "SegNet", "Seq2Seq", "TransformerTranslator", "UNet", "VGG",
    "VisionTransformer", "Word2Vec", "YOLO", "alexnet", "alexnet_2012", "beam_search", "cosines", "fitting",
    "generate", "googlenet", "mobilenet_v2", "odd_one_out", "plain110", "plain20", "plain32", "plain44", "plain56",
    "resnet101", "resnet110", "resnet152", "resnet18", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50",
    "resnet56", "rotate_positions", "sample", "scaled_embedding", "sinusoidal_positions", "slide",
    "sliding_windows", "small_fast_rcnn", "small_faster_rcnn", "small_rcnn", "tiny_yolo", "translate",
    "translate_by_beams", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
    "vit_b_16", "yolo", "yolov1",
]  # fmt: skip
