"""`gpugrad.nn.utils` in PyTorch's language."""

from typing import Any

from ...language import passing
from ...modules import in_torch

_find = passing(__name__, "gpugrad.nn.utils", adapt=in_torch)


def __getattr__(name: str) -> Any:
    return _find({"clip_grad_norm": "clip_grad_norm_", "clip_grad_value": "clip_grad_value_"}.get(name, name))
