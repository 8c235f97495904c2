"""Python's multiprocessing, under PyTorch's name; Tensors travel between processes as copies."""

import multiprocessing as _python
from typing import Any

from .inert import _nothing

set_sharing_strategy = _nothing


def get_all_sharing_strategies() -> set[str]:
    """Return the ways in which memory is shared, of which there is one."""
    return {"file_descriptor"}


def __getattr__(name: str) -> Any:
    if name == "spawn":
        from .distributed import spawn

        return spawn
    return getattr(_python, name)
