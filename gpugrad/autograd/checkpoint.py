"""`checkpoint`: keep only the inputs of a part of the graph, and compute that part again in backward.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.random import get_rng_state, set_rng_state
from .functional import grad
from .graph import Node, OutputNode, reachable, wrap_gradient
from .mode import enable_grad, mode
from .tensor import Tensor, wrap


class CheckpointNode(Node):
    """A node that stands for a part of the graph and computes that part again to differentiate it.

    Its edges are those of the arguments, then the leaves that the function uses without receiving them as arguments (a
    module's parameters).
    """

    __slots__ = ("function", "args", "leaves", "state", "several")
    name = "checkpoint"

    def __init__(self, function: Callable, args: tuple, edges: tuple, leaves: list, state: dict, several: bool):
        super().__init__((*edges, *leaves), next(a.device for a in args if isinstance(a, Tensor)))
        self.function, self.args, self.leaves, self.state, self.several = function, args, leaves, state, several

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> list:
        now = get_rng_state()
        set_rng_state(self.state)
        edges = self.edges[: len(self.args)]
        with enable_grad():
            fresh = [_fresh(x, edge, differentiable) for x, edge in zip(self.args, edges, strict=True)]
            out = self.function(*fresh)
        set_rng_state(now)
        parts = zip(out if self.several else (out,), g if self.several else (g,), strict=True)
        live = [
            (o, p if isinstance(p, Tensor) else wrap_gradient(p, self.device))
            for o, p in parts
            if p is not None and o.requires_grad
        ]
        inputs = [x for x, edge in zip(fresh, edges, strict=True) if edge is not None] + self.leaves
        found = grad([o for o, _ in live], inputs, [p for _, p in live], True, differentiable, allow_unused=True)
        given = iter(found if differentiable else [x if x is None else x._array for x in found])
        return [None if edge is None else next(given) for edge in self.edges]


def _fresh(x: Any, edge: Any, differentiable: bool) -> Any:
    """Return an argument as the start of a new graph; if `differentiable`, it stays connected to the old graph."""
    if edge is None:
        return x
    if not differentiable:
        return x.detach().requires_grad_()
    return (wrap(x._array, x.device, edge) if isinstance(edge, Node) else edge) + 0


def checkpoint(function: Callable, *args: Any) -> Any:
    """Return function(*args) and keep only `args`; backward calls the function again, with the same random numbers.

    It saves memory and costs a second forward pass (Chen et al. 2016). The function returns a Tensor or a tuple.
    Gradients flow to the arguments and to the leaves that the function uses besides, such as a module's parameters.

    >>> x = gg.tensor([0.5, 1.0], requires_grad=True)
    >>> y = gg.checkpoint(lambda x: (x * x).exp() * x, x)  # keeps x, not the squares and exponentials
    >>> y.sum().backward()
    >>> x.grad.round(decimals=4)
    tensor([1.926 , 8.1548])
    """
    if not mode.grad or not any(isinstance(a, Tensor) for a in args):
        return function(*args)
    state = get_rng_state()
    edges = tuple(a._edge() if isinstance(a, Tensor) else None for a in args)
    fresh = [_fresh(x, edge, False) for x, edge in zip(args, edges, strict=True)]
    result = function(*fresh)
    outs = result if isinstance(result, tuple) else (result,)
    live = [o for o in outs if o.requires_grad]
    if not live:
        return result
    own = {id(x) for x in fresh}
    leaves = [node for node in reachable({o._edge() for o in live}) if node.number == 0 and id(node) not in own]
    node = CheckpointNode(function, args, edges, leaves, state, isinstance(result, tuple))
    places = [OutputNode(node, i, len(outs)) for i in range(len(outs))] if node.several else [node]
    made = tuple(
        wrap(o._array, o.device, place) if o.requires_grad else o.detach()
        for o, place in zip(outs, places, strict=True)
    )
    return made if node.several else made[0]
