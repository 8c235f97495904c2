"""The handwritten digits that come with scikit-learn: 1797 images of 8 x 8 pixels, from the UCI repository."""

from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..errors import MissingPackageError
from .dataset import TensorDataset


class Split(NamedTuple):
    """Datasets to train on and to test on."""

    train: TensorDataset
    test: TensorDataset


def load_digits(size: int = 20, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """Real handwritten digits: images (N, 1, size, size), float32 in [0, 1], and labels (N,), int64.

    size: the 8 x 8 pixels are interpolated bilinearly to size x size. The split holds `test_fraction` of each class for
    testing and depends on `seed` only. Raises MissingPackageError without scikit-learn.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise MissingPackageError("the digits data set needs scikit-learn: pip install 'gpugrad[demo]'") from None
    found: Any = datasets.load_digits()
    weights = _interpolation(found.images.shape[1], size)
    images = (weights @ (found.images / 16.0) @ weights.T).astype(np.float32)[:, None]
    labels = found.target.astype(np.int64)
    random = np.random.default_rng(seed)
    test = np.zeros(len(labels), bool)
    for digit in range(10):
        members = random.permutation(np.flatnonzero(labels == digit))
        test[members[: round(test_fraction * len(members))]] = True
    return Split(*(TensorDataset(asarray(images[part]), asarray(labels[part])) for part in (~test, test)))


def _interpolation(source: int, target: int) -> np.ndarray:
    """The matrix (target, source) that interpolates linearly between pixel centres."""
    centres = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(source)))
