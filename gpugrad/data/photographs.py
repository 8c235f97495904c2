"""The two photographs that come with scikit-learn, and patches of them to learn from."""

from __future__ import annotations

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..errors import DataError
from ..optional import need
from .dataset import Dataset
from .tables import interpolation

PHOTOGRAPHS = ("china", "flower")


def load_photograph(name: str, height: int | None = None) -> Tensor:
    """Return one of scikit-learn's photographs, "china" (a temple) or "flower": float32 (3, 427, 640) in [0, 1].

    height: the photograph is shrunk to it, with its shape kept. Raises DataError for another name or a height above
    427, and MissingPackageError without scikit-learn and Pillow.

    >>> gg.data.load_photograph("flower", height=32).shape
    (3, 32, 48)
    """
    if name not in PHOTOGRAPHS:
        raise DataError(f"load_photograph: there is no photograph {name!r}; there are {', '.join(PHOTOGRAPHS)}")
    need("PIL.Image", "reading photographs", "train", "pillow")
    datasets = need("sklearn.datasets", f"the photograph {name}", "demo", "scikit-learn")
    pixels = datasets.load_sample_image(f"{name}.jpg").transpose(2, 0, 1) / 255
    if height is not None:
        rows, columns = pixels.shape[1:]
        if not 1 <= height <= rows:
            raise DataError(f"load_photograph: height must be from 1 to {rows}, got {height}")
        down, across = (_shrinking(n, round(n * height / rows)) for n in (rows, columns))
        pixels = down @ pixels @ across.T
    return asarray(np.ascontiguousarray(pixels, np.float32), device="cpu")


def _shrinking(source: int, target: int) -> np.ndarray:
    """Return the matrix (target, source) of which each row averages the pixels that become one."""
    fine = interpolation(source, target * -(-source // target))  # a whole number of fine pixels for each
    return fine.reshape(target, -1, source).mean(1)


class PhotoPatches(Dataset):
    """Holds `count` patches of the photographs with where they are from: (image (3, size, size), class).

    Each photograph is cut into rows x columns cells, which are the classes; a patch lies at a random place, of which
    the middle is in its cell, at a random scale from 1 to 2, mirrored or not, and with other brightness, contrast and
    colors (after Dosovitskiy et al. 2014, "Discriminative unsupervised feature learning with exemplar convolutional
    neural networks"). part: "train" or "test", which have different random numbers, of the same photographs. Patch i
    depends on the arguments and i only. Raises DataError for another part.

    >>> patches = gg.data.PhotoPatches(100, size=32)
    >>> image, label = patches[7]
    >>> image.shape, 0 <= int(label) < patches.num_classes
    ((3, 32, 32), True)
    """

    def __init__(
        self, count: int, size: int = 40, *, rows: int = 4, columns: int = 6, part: str = "train", seed: int = 0
    ):
        if part not in ("train", "test"):
            raise DataError(f"PhotoPatches: part must be 'train' or 'test', got {part!r}")
        self.count, self.size, self.rows, self.columns, self.seed = count, size, rows, columns, seed
        self.num_classes = len(PHOTOGRAPHS) * rows * columns
        self._photographs = np.stack([load_photograph(name).numpy() for name in PHOTOGRAPHS])
        self._test = part == "test"

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, np.int64]:
        if not -self.count <= index < self.count:
            raise IndexError(f"PhotoPatches: there is no patch {index} of {self.count}")
        random = np.random.default_rng((self.seed, index % self.count, self._test))
        label = int(random.integers(self.num_classes))
        which, cell = divmod(label, self.rows * self.columns)
        photograph = self._photographs[which]
        side = int(random.integers(self.size, 2 * self.size + 1))
        corner = []
        for n, cells, at in zip(
            photograph.shape[1:], (self.rows, self.columns), divmod(cell, self.columns), strict=True
        ):
            middle = random.uniform(at * n / cells, (at + 1) * n / cells)
            corner.append(int(np.clip(middle - side / 2, 0, n - side)))
        patch = photograph[:, corner[0] : corner[0] + side, corner[1] : corner[1] + side]
        resize = _shrinking(side, self.size)
        patch = resize @ patch @ resize.T
        if random.random() < 0.5:
            patch = patch[:, :, ::-1]
        mean = patch.mean((1, 2), keepdims=True)
        patch = (patch - mean) * random.uniform(0.7, 1.3) + mean * random.uniform(0.8, 1.2, (3, 1, 1))
        return asarray(np.ascontiguousarray(np.clip(patch, 0, 1), np.float32), device="cpu"), np.int64(label)
