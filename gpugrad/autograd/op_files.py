"""Reads the ops that a file of a user declares, for the commands that check and measure them."""

import importlib.util
import sys
import traceback
from pathlib import Path

from ..errors import UsageError
from .op import OPS, Op


def declared_ops(file: Path) -> dict[str, Op]:
    """Imports `file`, and returns the ops that it adds to the table, by name.

    Raises UsageError if there is no such file, if it cannot be imported, or if it declares no op.
    """
    if not file.is_file():
        raise UsageError(f"there is no file {str(file)!r}")
    before = dict(OPS)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(file)!r} is not a Python file")
    sys.path.insert(0, str(file.parent))  # as for a script, so that it can import its neighbours
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception as error:
        text = "".join(traceback.format_exception(error, limit=-1))
        raise UsageError(f"{str(file)!r} cannot be imported:\n{text}") from None
    finally:
        sys.path.remove(str(file.parent))
    ops = {name: op for name, op in OPS.items() if before.get(name) is not op}
    if not ops:
        raise UsageError(f"{str(file)!r} declares no op; decorate a function with @gpugrad.op")
    return ops
