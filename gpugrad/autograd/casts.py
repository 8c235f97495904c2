"""Casts of many parameters at once, for `autocast` on cuda devices.

A network's parameters are cast one after the other, as its layers come to use them: hundreds of launches in a step, and
as many for the gradients. But what a region used last time it will use again. So the region keeps a list of what it
casts, under the parameter with which it began; the next region that begins with this parameter casts the whole list in
one launch. One node stands for all of these casts, and its backward is one launch too.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .graph import Node, OutputGradients, OutputNode
from .mode import mode
from .tensor import Tensor, wrap

_Used = dict[int, weakref.ref]  # the parameters that a region cast, in order, by id

_begun_with: dict[int, tuple[weakref.ref, _Used]] = {}  # what was cast after a parameter, by its id


class CastsNode(Node):
    """A node that stands for casts of leaves; those whose cast nothing was computed from get no gradient."""

    __slots__ = ("dtypes",)
    name = "cast"

    def __init__(self, leaves: Sequence[Tensor]):
        super().__init__(tuple(leaves), leaves[0].device)
        self.dtypes = [leaf._array.dtype for leaf in leaves]

    def backward(self, g: OutputGradients, wanted: set | None, differentiable: bool) -> list:
        grads: list = [None] * len(self.edges)
        if differentiable:
            for i, gx in g.items():
                grads[i] = gx.to(dtype=self.dtypes[i])
            return grads
        for dtype in {self.dtypes[i] for i in g}:
            chosen = [i for i in g if self.dtypes[i] == dtype]
            for i, gx in zip(chosen, self.device.xp.cast_all([g[i] for i in chosen], dtype=dtype), strict=True):
                grads[i] = gx
        return grads


class Together:
    """What one region has cast so far, and what it casts at once."""

    def __init__(self) -> None:
        self._used: _Used = {}

    def use(self, parameter: Tensor) -> None:
        """Note that the region uses a cast of this parameter."""
        if id(parameter) not in self._used:
            self._used[id(parameter)] = weakref.ref(parameter)

    def begin(self, parameter: Tensor) -> list[Tensor]:
        """Return the parameters to cast now that `parameter` must be cast: those that came after it the last time."""
        key, found = id(parameter), _begun_with.get(id(parameter))
        known = [parameter]
        if found is not None and found[0]() is parameter:
            known += [p for ref in found[1].values() if (p := ref()) is not None and p is not parameter]
        if found is not None or not self._used:
            self._used = {}
            _begun_with[key] = weakref.ref(parameter, lambda _: _begun_with.pop(key, None)), self._used
        self.use(parameter)
        return known


def cast_together(parameters: Sequence[Tensor], dtype: np.dtype) -> list[Tensor]:
    """Return casts of parameters of one device, which are leaves, by one launch for each of their dtypes."""
    device = parameters[0].device
    with device.selected():
        made: Any = device.xp.cast_all([p._array for p in parameters], dtype=dtype)
    if not mode.grad:
        return [wrap(array, device, None, p._language) for array, p in zip(made, parameters, strict=True)]
    node = CastsNode(parameters)
    pairs = enumerate(zip(made, parameters, strict=True))
    return [wrap(array, device, OutputNode(node, i), p._language) for i, (array, p) in pairs]
