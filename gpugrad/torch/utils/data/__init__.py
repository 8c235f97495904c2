"""`gpugrad.data` in PyTorch's language: batches speak PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....data import DataLoader as NumPyLoader
from ....data import Dataset as NumPyDataset
from ....data import IterableDataset as NumPyIterable
from ...language import passing, speak

__all__ = ["DataLoader", "Dataset", "IterableDataset"]


class DataLoader(NumPyLoader):
    """Gives batches of a dataset, as `gpugrad.data.DataLoader`; the Tensors in them speak PyTorch."""

    def __class_getitem__(cls, kind: Any) -> type:
        return cls

    def __init__(self, *args: Any, pin_memory_device: str = "", **kwargs: Any):
        super().__init__(*args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return map(speak, super().__iter__())


class Dataset(NumPyDataset):
    """The base of datasets whose samples are read by number."""

    def __class_getitem__(cls, kind: Any) -> type:
        return cls


class IterableDataset(NumPyIterable):
    """The base of datasets that are a stream."""

    def __class_getitem__(cls, kind: Any) -> type:
        return cls


_find = passing(__name__, "gpugrad.data", "gpugrad.torch.utils.data.distributed")


def __getattr__(name: str) -> Any:
    return _find(name)
