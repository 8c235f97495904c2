"""Datasets, loaders, transforms of images, readers of files, tokenisers."""

from . import transforms
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .fetch import default_collate, default_convert
from .images import ImageFolder, load_cifar10, load_mnist, read_idx
from .language import DateTranslation, Texts, Vocabulary, docstrings, padded, python_source
from .loader import DataLoader
from .photographs import PhotoPatches, load_photograph
from .regions import extremal_regions
from .samplers import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .scenes import DigitScenes, Scene
from .tables import Split, load_digits, load_sklearn
from .text import ByteTokenizer, CharTokenizer, HuggingFaceTokenizer, Lines, TokenDataset
from .transforms import CutMix, MixUp, RandomAffine
from .workers import get_worker_info

__all__ = [
    "BatchSampler", "ByteTokenizer", "ChainDataset", "CharTokenizer", "ConcatDataset", "CutMix", "DataLoader",
    "Dataset", "DateTranslation", "DigitScenes", "HuggingFaceTokenizer", "ImageFolder", "IterableDataset", "Lines",
    "MixUp", "PhotoPatches", "RandomAffine", "RandomSampler", "Sampler", "Scene", "SequentialSampler", "Split",
    "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset", "Texts", "TokenDataset", "Vocabulary",
    "WeightedRandomSampler", "default_collate", "default_convert", "docstrings", "extremal_regions",
    "get_worker_info", "load_cifar10", "load_digits", "load_mnist", "load_photograph", "load_sklearn", "padded",
    "python_source", "random_split", "read_idx", "transforms",
]  # fmt: skip
