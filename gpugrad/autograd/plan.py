"""How an op is differentiated: its fused paths, and for each set of inputs that need gradients what to keep and run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.dtypes import is_low
from ..errors import DTypeError

if TYPE_CHECKING:
    from .op import Op


PARTS = ("shape", "dtype")  # of an input, that a rule may ask for instead of all of it


def rule_names(rule: Callable) -> tuple[str, ...]:
    """What a gradient rule asks for besides g. Raises DTypeError unless its first parameter is g."""
    names = parameters(rule)
    if not names or names[0] != "g":
        raise DTypeError(f"a gradient rule's first parameter is g, the upstream gradient; got ({', '.join(names)})")
    return names[1:]


def parameters(function: Callable) -> tuple[str, ...]:
    """Names of all parameters, without the cost of the inspect module for a plain function."""
    code = getattr(function, "__code__", None)
    if code is None:
        import inspect

        return tuple(inspect.signature(function).parameters)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


class Fused:
    """A device's own path for an op: array-level forward that returns (out, residuals by name), and backward.

    `low`: they take 16-bit floats as they are; otherwise these are raised to float32 before and rounded after.
    """

    def __init__(self, forward: Callable, low: bool):
        self.forward, self.low = forward, low
        self.pull: Callable | None = None
        self.names: tuple[str, ...] = ()
        self.runs = 0  # how often it ran, for the tests

    def backward(self, function: Callable) -> Fused:
        """Declare the backward: like a gradient rule, but for all inputs at once; returns a tuple in input order."""
        self.pull, self.names = function, rule_names(function)
        return self


class Plan:
    """How one op is differentiated when `mask` says which inputs need it: what to save, which rules to run."""

    def __init__(self, op: Op, mask: tuple[bool, ...], fused: Fused | None):
        self.op, self.mask = op, mask
        self.fused = fused if fused is not None and fused.pull is not None else None
        self.rules = [op.rules.get(op.input_name(i)) if needed else None for i, needed in enumerate(mask)]
        self.wants = [rule_names(rule) if rule else () for rule in self.rules]
        names = set().union(*self.wants, self.fused.names if self.fused else ())
        self.names = tuple(sorted(names - {"i", "needs"}))
        self.sources = [(name, *_source(op, name)) for name in self.names]
        self.plain = not any(self.wants) and self.fused is None  # rules of g alone

    def saved(self, arrays: Sequence, attributes: dict, out: Any, residuals: dict) -> dict:
        """What the rules and the fused backward ask for, by name."""
        saved, many = {}, self.op.many
        for name, position, part in self.sources:
            if position is None:
                saved[name] = out if name == "out" else attributes[name] if name in attributes else residuals[name]
            elif many:
                saved[name] = tuple([getattr(a, part) for a in arrays] if part else arrays)
            else:
                saved[name] = getattr(arrays[position], part, None) if part else arrays[position]
        return saved

    def gradients(
        self, g: Any, saved: dict, edges: tuple, wanted: set | None, differentiable: bool, low: bool = False
    ) -> Sequence:
        """The gradient of each input (None where none is needed). low: the inputs are 16-bit floats."""
        if wanted is None:
            needs = self.mask
            if self.plain and not low:
                return [rule and rule(g) for rule in self.rules]
        else:
            needs = tuple(m and edge in wanted for m, edge in zip(self.mask, edges, strict=True))
        fused = None if differentiable else self.fused
        if fused is not None and fused.low:
            grads = self._fused_gradients(fused, g, saved, needs)
            if grads is not None:
                return grads
            fused = None
        if low:
            g, saved = raised(g), {name: raised(value) for name, value in saved.items()}
        grads = None if fused is None else self._fused_gradients(fused, g, saved, needs)
        return self._by_rules(g, saved, needs) if grads is None else grads

    def _fused_gradients(self, fused: Fused, g: Any, saved: dict, needs: tuple) -> Sequence | None:
        values = {**saved, "needs": needs}
        assert fused.pull is not None
        grads = fused.pull(g, *[values[name] for name in fused.names])
        if grads is NotImplemented:
            return None
        grads = grads if isinstance(grads, tuple) else (grads,)
        return grads + (None,) * (len(self.mask) - len(grads))

    def _by_rules(self, g: Any, saved: dict, needs: tuple) -> list:
        grads = []
        for i, rule in enumerate(self.rules):
            names = self.wants[i]
            if rule is None or not needs[i]:
                grads.append(None)
            elif not names:
                grads.append(rule(g))
            else:
                grads.append(rule(g, *[i if name == "i" else saved[name] for name in names]))
        return grads


def _source(op: Op, name: str) -> tuple[int | None, str]:
    """The input that `name` stands for, and which part of it ("": all), or None for outputs, attributes, residuals."""
    if name in op.positions:
        return op.positions[name], ""
    owner, _, part = name.rpartition("_")
    known = owner in op.positions and part in PARTS and name not in op.attributes
    return (op.positions[owner], part) if known else (None, "")


def raised(value: Any) -> Any:
    """A 16-bit float array (or each of a tuple) in float32: it is rounded once, at the end of a rule."""
    if value.__class__ is tuple:
        return tuple(raised(v) for v in value)
    return value.astype(np.float32) if hasattr(value, "strides") and is_low(value.dtype) else value
