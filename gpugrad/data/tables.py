"""The small data sets that come with scikit-learn: digits, iris, wine, breast_cancer, diabetes, linnerud."""

from typing import Any, NamedTuple

import numpy as np

from ..autograd.convert import asarray
from ..errors import DataError
from ..optional import need
from .dataset import TensorDataset


class Split(NamedTuple):
    """Holds a dataset to train on, `train`, and one to test on, `test`.

    >>> dataset = gg.data.TensorDataset(gg.arange(3))
    >>> len(gg.data.Split(dataset, dataset).train)
    3
    """

    train: TensorDataset
    test: TensorDataset


def load_sklearn(name: str, test_fraction: float = 0.2, seed: int = 0, size: int | None = None) -> Split:
    """Return a data set of scikit-learn's, cut into a part to train on and one to test on.

    Features are float32 (N, F); images float32 (N, 1, H, W) in [0, 1], interpolated bilinearly to size x size if `size`
    is given. Targets are int64 (N,) classes, of which the test part holds `test_fraction` each, or float32. The cut
    depends on `seed` only. Raises MissingPackageError without scikit-learn, DataError for an unknown name.

    >>> train, test = gg.data.load_sklearn("iris")
    >>> len(train), len(test), train[0][0].shape
    (120, 30, (4,))
    """
    datasets = need("sklearn.datasets", f"the {name} data set", "demo", "scikit-learn")
    if not hasattr(datasets, f"load_{name}"):
        raise DataError(f"load_sklearn: scikit-learn has no data set {name!r}; it has {', '.join(_names(datasets))}")
    found: Any = getattr(datasets, f"load_{name}")()
    if "images" in found:
        values = found.images / found.images.max()
        if size is not None:
            values = interpolation(values.shape[1], size) @ values @ interpolation(values.shape[2], size).T
        values = values[:, None]
    else:
        values = found.data
    classes = found.target.dtype.kind in "iu"
    targets = found.target.astype(np.int64 if classes else np.float32)
    random = np.random.default_rng(seed)
    test = np.zeros(len(targets), bool)
    for members in [np.flatnonzero(targets == c) for c in np.unique(targets)] if classes else [np.arange(len(targets))]:
        test[random.permutation(members)[: round(test_fraction * len(members))]] = True
    values = values.astype(np.float32)
    return Split(*(TensorDataset(asarray(values[part]), asarray(targets[part])) for part in (~test, test)))


def load_digits(size: int = 20, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """Load 1797 real handwritten digits (UCI repository): images (N, 1, size, size), made of 8 x 8 pixels, and labels.

    >>> train, test = gg.data.load_digits(size=8)
    >>> train[0][0].shape
    (1, 8, 8)
    """
    return load_sklearn("digits", test_fraction, seed, size)


def _names(datasets: Any) -> list[str]:
    """Return the data sets that scikit-learn carries with it."""
    others = ("load_files", "load_sample_image", "load_sample_images", "load_svmlight_file", "load_svmlight_files")
    return sorted(n.removeprefix("load_") for n in dir(datasets) if n.startswith("load_") and n not in others)


def interpolation(source: int, target: int) -> np.ndarray:
    """Return the matrix (target, source) that interpolates linearly between pixel centres."""
    centres = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(source)))
