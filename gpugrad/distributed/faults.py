"""A rank that ends by an exception ends all of them, and says why, once.

Without this, the others would wait in their next collective for ever. A rank that is killed is noticed by what started
it (mpiexec, srun, torchrun), which ends the others.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from .transport import Transport

STATUS = "GPUGRAD_STATUS_FD"  # in the environment: where `gpugrad launch` hears why a rank ends


class _State:
    transport: Transport | None = None
    before: Any = None
    failed = False


def watch(transport: Transport) -> None:
    """Call `fail` when an exception ends the program."""
    _State.transport, _State.failed = transport, False
    if transport.size > 1:
        _State.before, sys.excepthook = sys.excepthook, _hook


def unwatch() -> None:
    """Leave exceptions to Python again."""
    if _State.before is not None and sys.excepthook is _hook:
        sys.excepthook = _State.before
    _State.transport = _State.before = None


def failed() -> bool:
    """Return whether this program is ending by an exception."""
    return _State.failed


def fail(reason: str) -> None:
    """Tell the user why this rank ends, and end all ranks."""
    transport = _State.transport
    _State.failed = True
    if transport is None:
        return
    sys.stdout.flush()
    if STATUS in os.environ:  # the launcher shows it, and mpiexec ends the others
        tell(transport.rank, reason)
        sys.stderr.flush()
        os._exit(1)
    print(f"gpugrad: rank {transport.rank} of {transport.size} ended all ranks: {reason}", file=sys.stderr, flush=True)
    transport.abort()


def tell(rank: int, reason: str) -> None:
    """Write one line to `gpugrad launch`; it arrives whole, because it is short."""
    line = f"{rank} failed {' '.join(reason.split())}".encode()[:1000] + b"\n"
    try:
        os.write(int(os.environ[STATUS]), line)
    except (OSError, ValueError):  # the launcher is gone
        pass


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show the exception as Python does, then end all ranks."""
    before = sys.__excepthook__ if _State.before is None else _State.before
    before(kind, error, trace)
    text = str(error)
    fail(f"{kind.__name__}: {text}" if text else kind.__name__)
