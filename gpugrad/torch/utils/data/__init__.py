"""`gpugrad.data` in PyTorch's language: batches speak PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....data import DataLoader as NumPyLoader
from ...language import passing, speak

__all__ = ["DataLoader"]


class DataLoader(NumPyLoader):
    """Gives batches of a dataset, as `gpugrad.data.DataLoader`; the Tensors in them speak PyTorch."""

    def __class_getitem__(cls, kind: Any) -> type:
        return cls

    def __init__(self, *args: Any, pin_memory_device: str = "", **kwargs: Any):
        super().__init__(*args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        return map(speak, super().__iter__())


_find = passing(__name__, "gpugrad.data", "gpugrad.torch.utils.data.distributed")


def __getattr__(name: str) -> Any:
    return _find(name)
