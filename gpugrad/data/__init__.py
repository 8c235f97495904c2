"""Datasets and loaders."""

from .dataset import Dataset, Subset, TensorDataset, random_split
from .digits import load_digits
from .loader import DataLoader
from .transforms import RandomAffine

__all__ = ["DataLoader", "Dataset", "RandomAffine", "Subset", "TensorDataset", "load_digits", "random_split"]
