"""A step that is captured once and then replayed: what of it changes from replay to replay, and how it gets there.

A graph holds launches and copies with the arguments that they had when they were captured. Whatever the host decides
anew in each step - learning rates, step counts, seeds, the scale of the loss - is therefore read from device memory.
Who needs such a number asks the capture for a place (`numbers`) and says how to compute it. Before each replay all
numbers are computed, in the order of the step, and one copy brings them to the device.

Code asks `current()` whether its work is being captured.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import CaptureError

_ALIGNMENT = 16
_TABLE = 1 << 14  # bytes of device memory that are filled by one copy


class _Local(threading.local):
    capture: Capture | None = None


active = _Local()  # `active.capture` is what `current()` returns


def current() -> Capture | None:
    """Return the capture that records this thread's work, or None."""
    return active.capture


def constant_array(device: Any, values: Any, dtype: Any = None) -> Any:
    """Return host values, which a call's arguments alone decide, in the memory of `device`; graphs keep them, too."""
    if (captured := current()) is None:
        return device.asarray(values, dtype)
    host = np.asarray(values, dtype)
    return captured.constant(host).reshape(host.shape)


class Number:
    """One number in device memory, which is another in each replay. `array` (1,) holds it."""

    __slots__ = ("array", "what")

    def __init__(self, array: Any, what: str):
        self.array, self.what = array, what

    def __int__(self) -> int:
        raise CaptureError(f"{self.what} is needed by value, but in a captured step it is another in each replay")

    __index__ = __int__


def by_value_or_place(number: Any) -> tuple[int, Any]:
    """Return a kernel's two arguments for a number: its value and None, or 0 and the array that will hold it."""
    return (0, number.array) if isinstance(number, Number) else (number, None)


class Flag:
    """A truth value that a replay computes; `read` waits for it, once per replay."""

    def __init__(self, array: Any, device: Any):
        self.array, self._device, self._value = array, device, None

    def forget(self) -> None:
        """Let the next `read` wait for the value of another replay."""
        self._value = None

    def read(self) -> bool:
        """Return the value of the last replay."""
        if self._value is None:
            self._value = bool(self._device.to_host(self.array))
        return self._value


class _Table:
    """Device memory for numbers, and their bytes on the host."""

    def __init__(self, device: Any, size: int):
        self.array, self.host, self.used = device.xp.empty(size, np.uint8), np.zeros(size, np.uint8), 0

    def place(self, nbytes: int) -> slice | None:
        """Return free room, aligned, or None."""
        start = -(-self.used // _ALIGNMENT) * _ALIGNMENT
        if start + nbytes > self.host.size:
            return None
        self.used = start + nbytes
        return slice(start, self.used)


class Capture:
    """What a captured step needs from the host.

    `graph` is the device's graph, which records the work. `skip` is the Flag whose truth makes optimizers do nothing.
    """

    def __init__(self, device: Any, graph: Any):
        self.device, self.graph = device, graph
        self.skip: Flag | None = None
        self.leaves: list[Any] = []  # tensors that got a gradient
        self._known: set[int] = set()
        self._seen: set[int] = set()
        self._numbers: list[_Table] = []
        self._constants: list[_Table] = []
        self._filled: list[tuple[Any, float]] = []
        self._checks: list[Callable[[], bool]] = []
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []
        self._flags: list[Flag] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the work of the block, which is not done yet."""
        active.capture = self
        try:
            with self.graph.capturing():
                yield
        finally:
            active.capture = None
        for array, value in self._filled:
            array[...] = value
        for table in self._constants:
            self.graph.upload(table.array, table.host)

    # What the step asks for

    def numbers(self, count: int, dtype: Any, values: Callable[[], Any]) -> Any:
        """Return a device array (count,) that holds what `values` returns before each replay."""
        array, target = self._room(self._numbers, _TABLE, count, np.dtype(dtype))

        def fill() -> None:
            target[...] = values()

        self._before.append(fill)
        return array

    def number(self, dtype: Any, value: Callable[[], Any], what: str) -> Number:
        """Return one such number; `what` names it where it is asked for by value."""
        return Number(self.numbers(1, dtype, value), what)

    def constant(self, values: np.ndarray) -> Any:
        """Return a device array of `values`, which are the same in each replay."""
        array, target = self._room(self._constants, values.nbytes, values.size, values.dtype)
        target[...] = values.reshape(-1)
        return array

    def filled(self, like: Any, value: float) -> Any:
        """Return an array like `like` that holds `value` before the first replay."""
        made = self.device.xp.empty_like(like)
        self._filled.append((made, value))
        return made

    def flag(self, array: Any) -> Flag:
        """Return the Flag of a 0-d device array that the step computes."""
        made = Flag(array, self.device)
        self._flags.append(made)
        return made

    def once(self, owner: Any, refusal: str) -> None:
        """Raise CaptureError, which says `refusal`, if `owner` has called this in the step before."""
        if id(owner) in self._seen:
            raise CaptureError(refusal)
        self._seen.add(id(owner))

    def check(self, holds: Callable[[], bool]) -> None:
        """Replay only as long as `holds()`; afterwards the step must be captured anew."""
        self._checks.append(holds)

    def before_replay(self, action: Callable[[], None]) -> None:
        """Do `action` on the host before each replay, in the order of the step."""
        self._before.append(action)

    def after_replay(self, action: Callable[[], None]) -> None:
        """Do `action` on the host after each replay has been queued; it may wait for a Flag."""
        self._after.append(action)

    def accumulates(self, leaf: Any) -> None:
        """Note that `leaf` gets a gradient. Raises CaptureError if it would be added to one from before the step."""
        if id(leaf) not in self._known:
            if leaf._grad is not None:
                raise CaptureError(
                    f"backward: a gradient of shape {leaf.shape} would be added to the one from before the step, whose "
                    "memory each replay would find elsewhere; call zero_grad() inside of the step or before it"
                )
            self._known.add(id(leaf))
            self.leaves.append(leaf)

    def _room(self, tables: list[_Table], least: int, count: int, dtype: np.dtype) -> tuple[Any, np.ndarray]:
        nbytes = count * dtype.itemsize
        place = tables[-1].place(nbytes) if tables else None
        if place is None:
            tables.append(_Table(self.device, max(least, nbytes)))
            place = tables[-1].place(nbytes)
        assert place is not None
        return tables[-1].array[place].view(dtype), tables[-1].host[place].view(dtype)

    # Replaying

    def is_current(self) -> bool:
        """Return whether everything is still where it was when the step was captured."""
        return all([holds() for holds in self._checks])

    def replay(self) -> None:
        """Compute the numbers, queue their copy and the recorded work, and do what comes after."""
        for flag in self._flags:
            flag.forget()
        for action in self._before:
            action()
        for table in self._numbers:
            self.graph.upload(table.array, table.host)
        self.graph.replay()
        for action in self._after:
            action()
