"""`gpugrad.cuda` in PyTorch's language."""

from __future__ import annotations

from typing import Any

from .. import cuda as gpugrads
from ..backend.random import manual_seed
from .dtype_names import TENSOR_TYPES
from .inert import _nothing
from .language import passing
from .tensor_types import tensor_type

_find = passing(__name__, "gpugrad.cuda")
manual_seed_all = manual_seed
ipc_collect = init = set_device = reset_max_memory_allocated = _nothing


def current_device() -> int:
    """Return the number of the GPU in use."""
    return 0


def is_initialized() -> bool:
    """Return whether a GPU can be used."""
    return gpugrads.is_available()


def is_bf16_supported(*args: Any) -> bool:
    """Return whether bfloat16 can be used, which it can wherever a GPU can."""
    return gpugrads.is_available()


def __getattr__(name: str) -> Any:
    if name in TENSOR_TYPES:
        return tensor_type(name, "cuda")
    if name == "amp":
        from . import amp

        return amp
    return _find(name)
