"""`gpugrad.linalg` in PyTorch's language."""

from __future__ import annotations

from typing import Any

from .language import passing
from .meanings import matrices

_find = passing(__name__, "gpugrad.linalg")
vander = matrices.vander


def __getattr__(name: str) -> Any:
    return _find(name)
