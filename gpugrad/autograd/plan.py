"""The plan of an op's gradient: which values to keep and which rules to run, for each set of inputs that need
gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.cpu.loops.conversions import converted
from ..backend.dtypes import is_low
from .paths import DevicePath, rule_names

if TYPE_CHECKING:
    from .op import Op


PARTS = ("shape", "dtype")  # a rule may ask for these parts of an input instead of all of it


class Plan:
    """A plan for the gradient of one op if `mask` says which inputs need it: what to save and which rules to run."""

    def __init__(self, op: Op, mask: tuple[bool, ...], path: DevicePath | None):
        self.op, self.mask = op, mask
        self.path = path if path is not None and path.backward_function is not None else None
        self.partial = self.path is not None and self.path.partial
        self.rules = [op.rules.get(op.input_name(i)) if needed else None for i, needed in enumerate(mask)]
        self.wants = [rule_names(rule) if rule else () for rule in self.rules]
        names = set().union(*self.wants, self.path.needed(mask) if self.path else ())
        self.names = tuple(sorted(names - {"i", "needs"}))
        self.sources = [(name, *_source(op, name)) for name in self.names]
        self.plain = not any(self.wants) and self.path is None  # every rule takes g alone

    def saved(self, arrays: Sequence, attributes: dict, out: Any, residuals: dict) -> dict:
        """Return the values that the rules and the path's backward ask for, by name."""
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
        """Return one gradient per input; None if the input needs none or its edge is not in `wanted`.

        low: the inputs are 16-bit floats, so rules compute in float32.
        """
        if wanted is None:
            needs = self.mask
            if self.plain and not low:
                return [rule and rule(g) for rule in self.rules]
        else:
            needs = tuple(m and edge in wanted for m, edge in zip(self.mask, edges, strict=True))
        path = None if differentiable else self.path
        if path is not None and path.low:
            grads = self._path_gradients(path, g, saved, needs)
            if grads is not None:
                return grads
            path = None
        if low:
            g, saved = raised(g), {name: raised(value) for name, value in saved.items()}
        grads = None if path is None else self._path_gradients(path, g, saved, needs)
        return self._by_rules(g, saved, needs) if grads is None else grads

    def _path_gradients(self, path: DevicePath, g: Any, saved: dict, needs: tuple) -> Sequence | None:
        values = {**saved, "needs": needs}
        assert path.backward_function is not None
        grads = path.backward_function(g, *[values.get(name) for name in path.names])
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
    """Return (position of the input that `name` stands for, "shape" or "dtype" if only that part is meant, else "").

    The position is None if `name` is an output, an attribute or a residual.
    """
    if name in op.positions:
        return op.positions[name], ""
    owner, _, part = name.rpartition("_")
    known = owner in op.positions and part in PARTS and name not in op.attributes
    return (op.positions[owner], part) if known else (None, "")


def raised(value: Any) -> Any:
    """Return a 16-bit float array (or a tuple of them) as float32; the result of the rule is then rounded once."""
    if value.__class__ is tuple:
        return tuple(raised(v) for v in value)
    return converted(value, np.float32) if hasattr(value, "strides") and is_low(value.dtype) else value
