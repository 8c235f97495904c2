"""Read the ops that a user's file declares, for the commands that check and measure them."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from ..autograd.op import OPS, Op
from ..errors import UsageError
from .usage import running_user_code

TIMEOUT = 60.0  # seconds for a piece of the user's code


def declared_ops(file: Path, timeout: float = TIMEOUT) -> dict[str, Op]:
    """Import `file`, and return the ops that it adds to the table, by name.

    Raises UsageError if there is no such file, if it cannot be imported in `timeout` seconds, or if it declares no op.
    """
    if not file.is_file():
        raise UsageError(f"there is no file {str(file)!r}")
    before = dict(OPS)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{str(file)!r} is not a Python file")
    sys.path.insert(0, str(file.parent))  # as for a script, so that it can import its neighbours
    try:
        with running_user_code(f"importing {str(file)!r}", timeout):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{str(file)!r} cannot be imported: {_described(error, spec.origin)}") from None
    finally:
        sys.path.remove(str(file.parent))
    ops = {name: op for name, op in OPS.items() if before.get(name) is not op}
    if not ops:
        raise UsageError(f"{str(file)!r} declares no op; decorate a function with @gpugrad.op")
    return ops


def _described(error: Exception, file: str | None) -> str:
    """Return the error in one line, with the line of `file` that it comes from."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError):
        lines, text = [error.lineno], f"{type(error).__name__}: {error.msg}"
    else:
        text = " ".join("".join(traceback.format_exception_only(error)).split())
    return f"line {lines[-1]}: {text}" if lines and lines[-1] else text
