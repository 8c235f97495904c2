"""Packages that only some functions need; they are imported when these are called."""

import importlib
from typing import Any

from .errors import MissingPackageError


def need(module: str, purpose: str, extra: str, package: str | None = None) -> Any:
    """Import and return an optional module. Raises MissingPackageError that says what needs it and how to get it."""
    root = module.partition(".")[0]
    try:
        importlib.import_module(root)
        return importlib.import_module(module)
    except ImportError:
        raise MissingPackageError(f"{purpose} needs {package or root}: pip install 'gpugrad[{extra}]'") from None
