"""Ctrl-C takes effect between two steps instead of inside one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class HeldInterrupts:
    """A block in which Ctrl-C waits: from `hold`, or the start, to `release`, or the end. A second one does not wait.

    An update that is broken off leaves some parameters changed and others not, and no place to continue from. Outside
    the main thread, which alone is interrupted, it does nothing.
    """

    def __init__(self, holding: bool = False):
        self._before: Any = None
        self._holding = holding
        self._pressed: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> HeldInterrupts:
        if threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT)):
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def hold(self) -> None:
        """Let Ctrl-C wait from now on."""
        self._holding = True

    def release(self) -> None:
        """Let it take effect, now if it was pressed."""
        self._holding = False
        pressed, self._pressed = self._pressed, None
        if pressed is not None:
            self._before(*pressed)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._holding and self._pressed is None:
            self._pressed = number, frame
        else:
            self._pressed = None
            self._before(number, frame)

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self.release()
