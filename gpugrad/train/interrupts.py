"""Ctrl-C, and a request to end, take effect between two steps instead of inside one."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HeldInterrupts:
    """A block in which Ctrl-C waits: from `hold`, or the start, to `release`, or the end. A second one does not wait.

    So does SIGTERM, which schedulers send before they kill, where the program handles it.

    An update that is broken off leaves some parameters changed and others not, and no place to continue from. Outside
    the main thread, which alone is interrupted, it does nothing.
    """

    def __init__(self, holding: bool = False):
        self._before: dict[int, Any] = {}
        self._holding = holding
        self._pressed: tuple[int, FrameType | None] | None = None

    def __enter__(self) -> HeldInterrupts:
        if threading.current_thread() is threading.main_thread():
            handled = [number for number in _SIGNALS if callable(signal.getsignal(number))]
            self._before = {number: signal.signal(number, self._handle) for number in handled}
        return self

    def hold(self) -> None:
        """Let Ctrl-C wait from now on."""
        self._holding = True

    def release(self) -> None:
        """Let it take effect, now if it was pressed."""
        self._holding = False
        pressed, self._pressed = self._pressed, None
        if pressed is not None:
            self._before[pressed[0]](*pressed)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._holding and self._pressed is None:
            self._pressed = number, frame
        else:
            self._pressed = None
            self._before[number](number, frame)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.release()
