"""Ctrl-C takes effect between two steps instead of inside one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class HeldInterrupts:
    """Makes Ctrl-C wait until the end of a block; pressed again it interrupts at once.

    An update that is broken off leaves some parameters changed and others not, and no place to continue from. Outside
    the main thread, which alone is interrupted, it does nothing.
    """

    def __enter__(self) -> None:
        self._before: Any = None
        self._pressed: tuple[int, FrameType | None] | None = None
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._hold)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, self._before)
        self._pressed = number, frame

    def __exit__(self, *exc: object) -> None:
        if self._before is None:
            return
        signal.signal(signal.SIGINT, self._before)
        if self._pressed is not None:
            self._before(*self._pressed)
