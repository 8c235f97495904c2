"""`gpugrad.optim`, which speaks PyTorch already."""

from typing import Any

from .language import passing

_find = passing(__name__, "gpugrad.optim", adapt=lambda value: value)


def __getattr__(name: str) -> Any:
    return _find(name)
