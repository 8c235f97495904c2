"""Readers of images: MNIST's idx files, CIFAR-10's binary files, folders of pictures."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.convert import asarray
from ..autograd.tensor import Tensor
from ..backend.files import open_regular
from ..errors import DataError
from ..optional import need
from .dataset import Dataset, TensorDataset
from .tables import Split

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_MOST_UNPACKED = 1032  # bytes that one of gzip's can become
_IDX = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | os.PathLike) -> Tensor:
    """Read the array of an idx file (http://yann.lecun.com/exdb/mnist), which may be compressed by gzip.

    Raises DataError that names the file if it is of another format, or shorter or longer than it says.

    >>> from pathlib import Path
    >>> path = Path("labels-idx1-ubyte")
    >>> path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    11
    >>> gg.data.read_idx(path)
    tensor([7, 2, 1], dtype=uint8)
    """
    name = os.fspath(path)
    with _opened(path) as (file, most):  # what comes first is looked at first: the rest may be large
        head = file.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX:
            raise DataError(f"{name}: not an idx file (it starts with {head.hex(' ') or 'nothing'})")
        sizes = file.read(4 * head[3])
        start = 4 + len(sizes)
        if len(sizes) < 4 * head[3]:
            raise DataError(f"{name}: ends within its header, after {start} bytes")
        dtype, shape = np.dtype(_IDX[head[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())
        expected = prod(shape) * dtype.itemsize
        content = file.read(expected + 1) if expected <= most - start else b""
    if len(content) != expected:
        have = f"at least {len(content)}" if len(content) > expected else len(content) if content else most - start
        raise DataError(f"{name}: {have} bytes of values, {expected} expected for the shape {shape}")
    values = np.frombuffer(content, dtype).reshape(shape)
    return asarray(values.astype(dtype.newbyteorder("="), copy=True), device="cpu")


def load_mnist(folder: str | os.PathLike) -> Split:
    """Load MNIST, or a set of the same format, from its four idx files: images uint8 (N, 1, 28, 28), labels int64 (N,).

    The files are in `folder` or below it, with their usual names, with ".gz" or without.

    >>> from pathlib import Path
    >>> for name in ("train", "t10k"):
    ...     _ = Path(f"{name}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, *(0, 0, 0, 1) * 3, 255]))
    ...     _ = Path(f"{name}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 1, 7]))
    >>> gg.data.load_mnist(".").train[0]
    (tensor([[[255]]], dtype=uint8), tensor(7))
    """

    def part(name: str) -> TensorDataset:
        images, labels = (read_idx(_find(folder, f"{name}-{kind}")) for kind in ("images-idx3", "labels-idx1"))
        if images.ndim != 3 or len(images) != len(labels):
            raise DataError(f"{os.fspath(folder)}: {name} has images {images.shape} and labels {labels.shape}")
        return TensorDataset(images.reshape(len(images), 1, *images.shape[1:]), labels.astype("int64"))

    return Split(part("train"), part("t10k"))


def load_cifar10(folder: str | os.PathLike) -> Split:
    """Load CIFAR-10 from its binary files, in `folder` or below it: images uint8 (N, 3, 32, 32), labels int64 (N,).

    >>> from pathlib import Path
    >>> for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
    ...     _ = Path(f"{name}.bin").write_bytes(bytes([3] + [0] * 3072))
    >>> images, labels = gg.data.load_cifar10(".").train[:]
    >>> images.shape, labels
    ((5, 3, 32, 32), tensor([3, 3, 3, 3, 3]))
    """

    def part(*names: str) -> TensorDataset:
        records = np.concatenate([_records(_find(folder, name)) for name in names])
        images = np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
        return TensorDataset(asarray(images, device="cpu"), asarray(records[:, 0].astype(np.int64), device="cpu"))

    return Split(part(*(f"data_batch_{i}.bin" for i in range(1, 6))), part("test_batch.bin"))


def _records(path: Path) -> np.ndarray:
    """Return the rows of a CIFAR-10 file: a label below 10 and 3 * 32 * 32 values."""
    content, length = np.frombuffer(_content(path), np.uint8), 1 + 3 * 32 * 32
    if not len(content) or len(content) % length:
        raise DataError(f"{path}: {len(content)} bytes are not a number of CIFAR-10's records of {length}")
    records = content.reshape(-1, length)
    if records[:, 0].max() > 9:
        where = int((records[:, 0] > 9).argmax())
        raise DataError(f"{path}: record {where} has the label {records[where, 0]}, which is not below 10")
    return records


def _find(folder: str | os.PathLike, name: str) -> Path:
    """Return the file in or below `folder` that begins with `name`; "-ubyte", ".ubyte" and ".gz" may follow."""
    endings = [ubyte + gz for ubyte in ("", "-ubyte", ".ubyte") for gz in ("", ".gz")]
    found = sorted(path for ending in endings for path in Path(folder).rglob(name + ending) if path.is_file())
    if not found:
        raise FileNotFoundError(f"{os.fspath(folder)}: there is no {name} in it")
    return found[0]


def _content(path: str | os.PathLike) -> bytes:
    with _opened(path) as (file, _):
        return file.read()


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[tuple[Any, int]]:
    """Open a file to read, unpacked if it is compressed by gzip, and give it with the most bytes that it can hold.

    Raises DataError that names the file if it is broken or no regular file.
    """
    with open_regular(path, DataError) as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, size
            return
        try:
            with gzip.open(file) as unpacked:
                yield unpacked, _MOST_UNPACKED * size
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{os.fspath(path)}: broken gzip file ({error})") from None


class ImageFolder(Dataset):
    """Holds the pictures of one folder per class, `root/class/.../picture.png`: samples are (image, class number).

    classes: the folders' names in order; class_to_idx: their numbers; samples: (path, class number). loader: opens a
    path, by default with Pillow, as RGB. transform: is applied to the image, by default `ToTensor`; target_transform:
    to the number. Raises DataError for a folder without pictures, and for a broken picture, which it names.

    >>> from pathlib import Path
    >>> for name in ("cat", "dog"):
    ...     Path("pictures", name).mkdir(parents=True)
    ...     Path("pictures", name, "1.png").touch()
    >>> dataset = gg.data.ImageFolder("pictures", loader=lambda path: np.zeros((4, 4, 3), np.uint8))
    >>> image, target = dataset[1]
    >>> image.shape, dataset.classes[target]
    ((3, 4, 4), 'dog')
    """

    def __init__(
        self,
        root: str | os.PathLike,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
    ):
        self.root, self.transform, self.target_transform = os.fspath(root), transform, target_transform
        self.loader = open_picture if loader is None else loader
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}
        accept = _is_picture if is_valid_file is None else is_valid_file
        self.samples = [
            (str(path), i)
            for i, name in enumerate(self.classes)
            for path in sorted(Path(root, name).rglob("*"))
            if path.is_file() and accept(str(path))
        ]
        self.targets = [i for _, i in self.samples]
        if not self.samples:
            raise DataError(f"{self.root}: no pictures in folders of classes (it has the folders {self.classes})")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from .transforms import ToTensor

        path, target = self.samples[index]
        try:
            image = self.loader(path)
        except Exception as error:
            raise DataError(f"{path}: {type(error).__name__}: {error}") from error
        image = (ToTensor() if self.transform is None else self.transform)(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    def __len__(self) -> int:
        return len(self.samples)


def _is_picture(path: str) -> bool:
    return path.lower().endswith(EXTENSIONS)


def open_picture(path: str) -> Any:
    """Return a picture as Pillow's RGB image. Raises MissingPackageError without Pillow."""
    module = need("PIL.Image", "reading pictures", "train", "pillow")
    with open_regular(path, DataError) as file, module.open(file) as image:
        return image.convert("RGB")
