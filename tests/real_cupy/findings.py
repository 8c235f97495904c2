"""What differs between CuPy and NumPy in the calls that gpugrad makes, and which of it is meant to be so."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Any

import cupy
import numpy as np

# The lengths of these depend on values, which CuPy's own kernels do not compute here; so does the range of a histogram.
VALUE_DEPENDENT = (
    "unique", "nonzero", "flatnonzero", "argwhere", "compress", "extract", "__getitem__", "repeat", "bincount",
)  # fmt: skip
_KNOWN = {("CuPy raises", "histogram"), *(("shape", name) for name in VALUE_DEPENDENT)}
# A difference of these kinds is a failure; the others (memory layout, functions that NumPy lacks) are only listed.
FAILURES = ("CuPy raises", "NumPy raises", "type", "length", "shape", "dtype")


@dataclass
class Finding:
    """One difference: its kind, the function, where it is called, what differs; a call, and how often it was found."""

    kind: str
    function: str
    place: str
    message: str
    call: str
    during: str
    count: int = 1

    def __str__(self) -> str:
        return (
            f"{self.kind}: {self.function}: {self.message} | {self.call} | {self.place} | {self.during} | x{self.count}"
        )

    @property
    def is_failure(self) -> bool:
        """Return whether the difference is more than what is known of CuPy."""
        return self.kind in FAILURES and (self.kind, self.function) not in _KNOWN


@dataclass
class Findings:
    """The differences of a run, each once. `during`: the name of what runs now."""

    during: str = ""
    calls: int = 0
    _found: dict[tuple, Finding] = field(default_factory=dict)

    def add(self, kind: str, function: str, args: tuple, kwargs: dict, message: str) -> None:
        """Count a difference in a call of `function` with these arguments."""
        places = _places()
        message = re.sub(r"\d+-th", "n-th", message)[:300]
        key = kind, function, tuple(places[:1]), message
        if key in self._found:
            self._found[key].count += 1
            return
        given = [*map(describe, args), *(f"{name}={describe(value)}" for name, value in kwargs.items())]
        call = f"({', '.join(given)})"[:300]
        self._found[key] = Finding(kind, function, " < ".join(places), message, call, self.during)

    def failures(self) -> list[Finding]:
        """Return the differences that are more than what is known of CuPy."""
        return [finding for finding in self._found.values() if finding.is_failure]

    def report(self, verbose: bool = False) -> str:
        """Return the failures as lines; verbose: all differences, failures first."""
        found = self._found.values() if verbose else self.failures()
        ordered = sorted(found, key=lambda f: (not f.is_failure, f.kind, f.function))
        lines = [f"{'FAIL' if finding.is_failure else 'known'} {finding}" for finding in ordered]
        return "\n".join([*lines, f"{self.calls} calls of CuPy, {len(self.failures())} differ where they must not"])


FOUND = Findings()


def describe(value: Any) -> str:
    """Return a short text for an argument: types and dtypes, no values."""
    if isinstance(value, cupy.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"NumPy's {value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(describe, value[:4]))})"
    return repr(value) if isinstance(value, (str, type(None), bool, int, float, slice)) else type(value).__name__


def _places() -> list[str]:
    """Return the innermost lines of gpugrad and its tests that are being run, innermost first."""
    found, frame = [], sys._getframe(2)
    while frame is not None and len(found) < 3:
        name = frame.f_code.co_filename
        if ("/gpugrad/" in name or "/tests/" in name) and "/real_cupy/" not in name:
            found.append(f"{name.rsplit('/gpugrad/', 1)[-1].rsplit('/tests/', 1)[-1]}:{frame.f_lineno}")
        frame = frame.f_back
    return found
