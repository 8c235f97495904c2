"""`gpugrad.nn.init` in PyTorch's language: also under the old names, without the last underscore."""

from typing import Any

from ..language import passing

_find = passing(__name__, "gpugrad.nn.init", "gpugrad.torch.private")


def __getattr__(name: str) -> Any:
    try:
        return _find(name)
    except AttributeError:
        if name.startswith("_"):
            raise
        return _find(f"{name}_")
