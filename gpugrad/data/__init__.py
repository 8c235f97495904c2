"""Datasets, loaders, transforms of images, readers of files, tokenisers."""

from . import transforms
from .captions import Caption, SceneCaptions
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
from .language import DateTranslation, Texts, Vocabulary, docstrings, documents, padded, python_source, sentences_of
from .language_tasks import asked_spans, next_sentences, repeated_words, subjects
from .loader import DataLoader
from .photographs import PhotoPatches, load_photograph
from .pieces import PieceSample, PieceSamples, mask_tokens, train_wordpiece
from .pseudowords import Occurrences, PseudoWords
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
from .words import WordContexts, WordCorpus
from .workers import get_worker_info

__all__ = [
    "BatchSampler", "ByteTokenizer", "Caption", "ChainDataset", "CharTokenizer", "ConcatDataset", "CutMix",
    "DataLoader", "Dataset", "DateTranslation", "DigitScenes", "HuggingFaceTokenizer", "ImageFolder",
    "IterableDataset", "Lines", "MixUp", "Occurrences", "PhotoPatches", "PieceSample", "PieceSamples",
    "PseudoWords", "RandomAffine", "RandomSampler", "Sampler", "Scene", "SceneCaptions", "SequentialSampler",
    "Split", "StackDataset", "Subset", "SubsetRandomSampler", "TensorDataset", "Texts", "TokenDataset",
    "Vocabulary", "WeightedRandomSampler", "WordContexts", "WordCorpus", "asked_spans", "default_collate",
    "default_convert", "docstrings", "documents", "extremal_regions", "get_worker_info", "repeated_words",
    "load_cifar10", "load_digits", "load_mnist", "load_photograph", "load_sklearn", "mask_tokens", "next_sentences",
    "padded", "python_source", "random_split", "read_idx", "sentences_of", "subjects", "train_wordpiece", "transforms",
]  # fmt: skip
