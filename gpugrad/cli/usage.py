"""The parts that the commands share: errors of usage, numbers as options, a limit on the time of a user's code."""

from __future__ import annotations

import argparse
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ..errors import UsageError


class Parser(argparse.ArgumentParser):
    """Parses arguments, and reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """End the program with status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def number(kind: type, least: float, exclusive: bool = False) -> Callable[[str], Any]:
    """Return the type of an option: a finite number of `kind` that is at least `least`, or above it if `exclusive`."""
    bound = f"above {least}" if exclusive else f"at least {least}"
    what = f"{'a whole number' if kind is int else 'a number'} {bound}"

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if value == math.inf or not (value > least or value == least and not exclusive):
            raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
        return value

    return parse


class _TimeIsUp(BaseException):
    """Says that the time is up. It is no Exception, which the limited code might catch."""


@contextmanager
def running_user_code(what: str, seconds: float) -> Iterator[None]:
    """Raise UsageError if the code inside takes longer than `seconds`, or ends the program.

    The limit is for Python code in the main thread; elsewhere there is none.
    """
    limited = threading.current_thread() is threading.main_thread()
    before: Any = None
    if limited:
        before = signal.signal(signal.SIGALRM, _stop)
        signal.setitimer(signal.ITIMER_REAL, min(seconds, 1e8), 1)  # and each second: code may catch it
    try:
        yield
    except _TimeIsUp:
        raise UsageError(
            f"{what} takes longer than {seconds:g} s, the limit (`gpugrad check --timeout` sets it)"
        ) from None
    except SystemExit as error:
        raise UsageError(f"{what} ended the program: SystemExit({error.code!r})") from None
    except KeyboardInterrupt:
        raise UsageError(f"{what} was ended by KeyboardInterrupt") from None
    finally:
        if limited:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _stop(*_: Any) -> None:
    raise _TimeIsUp
