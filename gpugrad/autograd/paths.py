"""Device paths: an op's own implementations on one kind of device, which the folder of its family keeps.

A family of ops with paths of its own is a folder, `ops/softmax/`: `__init__.py` declares the ops, `cpu.py` and
`cuda.py` bind their paths with `@softmax.path("cpu")`. The module of a kind is imported when an op of the family first
runs on such a device, so importing gpugrad costs nothing for devices that are not used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..errors import DTypeError

FAMILIES: set[str] = set()  # packages whose folders are families: "gpugrad.ops"
FOLLOWING: dict[str, Callable] = {}  # kinds of devices on which the path follows from the op: kind -> path of an op


class DevicePath:
    """A device's own implementation of an op: a forward on arrays, returning (out, residuals by name), and a backward.

    low: both take 16-bit floats as they are; otherwise the op converts these to float32 first and rounds the result.
    complex: they take complex numbers.
    numbers: both take NumPy scalars for inputs, which is what Python numbers then become, not arrays of the device.
    """

    def __init__(self, forward: Callable, low: bool):
        self.forward, self.low = forward, low
        self.backward_function: Callable | None = None
        self.names: tuple[str, ...] = ()
        self.partial = self.numbers = self.complex = False
        self.runs = 0  # how often it ran, for the tests

    def run(self, arrays: list, attributes: dict, many: bool) -> Any:
        """Return (outputs, residuals), or NotImplemented if the path declines."""
        result = self.forward(arrays, **attributes) if many else self.forward(*arrays, **attributes)
        if result is not NotImplemented:
            self.runs += 1
        return result

    def backward(self, function: Callable, *, partial: bool = False) -> Callable:
        """Declare the backward: a gradient rule for all inputs at once, which returns a tuple in input order.

        partial: of an op with several outputs, g has None, not zeros, for those that nothing was computed from. Such a
        backward never declines.

        If the function has a method `needed(mask)`, that says which of its names a call needs where only the inputs in
        the mask need gradients; it gets None for the others.
        """
        self.backward_function, self.names, self.partial = function, rule_names(function), partial
        return function

    def needed(self, mask: tuple[bool, ...]) -> set[str]:
        """Return what the backward asks for if only the inputs in `mask` need gradients."""
        chosen = getattr(self.backward_function, "needed", None)
        return set(self.names) if chosen is None else chosen(mask)


class Paths(dict[str, DevicePath | None]):
    """A dictionary of an op's paths by kind of device, with None if it has none; `module` declares the op.

    A path is found here when the module that binds it was imported whole: another thread that ran it before could miss
    its backward.
    """

    def __init__(self, module: str, op: Any = None):
        super().__init__()
        self.op = op
        package = getattr(sys.modules.get(module), "__package__", None) or ""
        self._family = package if package.rpartition(".")[0] in FAMILIES else None
        self._declared: dict[str, DevicePath] = {}

    def declare(self, kind: str, path: DevicePath) -> None:
        """Bind the path of a kind of device."""
        self._declared[kind] = path
        self.pop(kind, None)

    def __missing__(self, kind: str) -> DevicePath | None:
        """Import the family's module for this kind of device, which binds the paths of all its ops."""
        if kind in FOLLOWING:
            return self.setdefault(kind, FOLLOWING[kind](self.op))
        if self._family is not None and find_spec(f"{self._family}.{kind}"):
            import_module(f"{self._family}.{kind}")
        return self.setdefault(kind, self._declared.get(kind))


def rule_names(rule: Callable) -> tuple[str, ...]:
    """Return the names of all that a gradient rule asks for besides g.

    Raises DTypeError unless its first parameter is g.
    """
    names = parameters(rule)
    if not names or names[0] != "g":
        raise DTypeError(f"a gradient rule's first parameter is g, the upstream gradient; got ({', '.join(names)})")
    return names[1:]


def parameters(function: Callable) -> tuple[str, ...]:
    """Return the names of all parameters; for a plain function this avoids the cost of the inspect module."""
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    if code is None:
        import inspect

        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
