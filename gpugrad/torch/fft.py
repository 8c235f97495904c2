"""`gpugrad.fft` in PyTorch's language."""

from __future__ import annotations

from typing import Any

from .language import passing

_find = passing(__name__, "gpugrad.fft")


def __getattr__(name: str) -> Any:
    return _find(name)
