"""What NumPy computes faster when it is asked in blocks that fit the caches, on two threads.

    from ..backend import cpu
    cpu.gemm.matmul(x, y)

A module is imported when it is first used: most programs need few of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import gemm, recurrent, rows

__all__ = ["gemm", "recurrent", "rows"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
