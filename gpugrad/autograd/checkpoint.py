"""`checkpoint`: keep only the inputs of a part of the graph, and compute that part again in backward.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.random import get_rng_state, set_rng_state
from ..errors import GradientError
from .functional import grad
from .graph import Node, OutputNode, check_unchanged, freed, reachable, wrap_gradient
from .mode import Switch, mode
from .nests import map_tensors, tensors_in
from .tensor import Tensor, wrap


class Stretch:
    """A function with its arguments, and the surroundings in which it ran: the graph's modes, the random numbers."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, preserve_rng_state: bool):
        self.function, self.arguments = function, (args, kwargs)
        self.modes = mode.snapshot()
        self.rng_state = get_rng_state() if preserve_rng_state else None

    def run(self, inputs: list[Tensor]) -> Any:
        """Return the function's result for these Tensors in place of its own."""
        given = iter(inputs)
        args, kwargs = map_tensors(lambda _: next(given), self.arguments)
        return self.function(*args, **kwargs)

    def run_again(self, inputs: list[Tensor]) -> list[Tensor]:
        """Return the outputs that are in the graph, computed as they were at first."""
        region, now = self.modes["autocast"], get_rng_state()
        try:
            if self.rng_state is not None:
                set_rng_state(self.rng_state)
            with Switch(**{**self.modes, "autocast": region and region.again()}):
                return [o for o in tensors_in(self.run(inputs)) if o.requires_grad]
        finally:
            if self.rng_state is not None:
                set_rng_state(now)


class CheckpointNode(Node):
    """A node that stands for a part of the graph and computes that part again to differentiate it.

    Its edges are those of the arguments, then the leaves that the function uses without receiving them as arguments (a
    module's parameters).
    """

    __slots__ = ("stretch", "leaves", "count")
    name = "checkpoint"

    def __init__(self, stretch: Stretch, edges: tuple, leaves: list, live: list[Tensor]):
        super().__init__((*edges, *leaves), live[0].device)
        self.stretch: Stretch | None = stretch
        self.leaves, self.count = leaves, len(live)

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> list:
        if self.stretch is None:
            raise freed(self)
        arguments = tensors_in(self.stretch.arguments)
        edges = self.edges[: len(arguments)]
        kept = [*((f"argument {i}", x) for i, x in enumerate(arguments)), *(("a parameter", x) for x in self.leaves)]
        check_unchanged(self, [(name, x._array) for name, x in kept])
        fresh = [_fresh(x, edge, differentiable) for x, edge in zip(arguments, edges, strict=True)]
        outs = self.stretch.run_again(fresh)
        gradients = g.slots(self.count) if self.count > 1 else (g,)
        if len(outs) != self.count:
            raise GradientError(
                f"checkpoint: the function gave {self.count} outputs that require a gradient, and {len(outs)} when it "
                "was computed again"
            )
        live = [
            (o, part if isinstance(part, Tensor) else wrap_gradient(part, o.device))
            for o, part in zip(outs, gradients, strict=True)
            if part is not None
        ]
        inputs = [x for x, edge in zip(fresh, edges, strict=True) if edge is not None] + self.leaves
        hooks = [leaf.hooks for leaf in self.leaves]
        try:
            for leaf in self.leaves:  # theirs are called with the whole gradient, by the walk that called this
                leaf.hooks = None
            found = grad([o for o, _ in live], inputs, [p for _, p in live], True, differentiable, allow_unused=True)
        finally:
            for leaf, own in zip(self.leaves, hooks, strict=True):
                leaf.hooks = own
        given = iter(found if differentiable else [x if x is None else x._array for x in found])
        return [None if edge is None else next(given) for edge in self.edges]

    def free(self) -> None:
        self.stretch = None


def _fresh(x: Tensor, edge: Any, differentiable: bool) -> Tensor:
    """Return an argument as the start of a new graph; if `differentiable`, it stays connected to the old graph."""
    if edge is None:
        return x
    if not differentiable:
        return x.detach().requires_grad_()
    return (wrap(x._array, x.device, edge, x._language) if isinstance(edge, Node) else edge) + 0


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Return function(*args, **kwargs) and keep only the arguments; backward calls the function again.

    It saves memory and costs a second forward pass (Chen et al. 2016), which has the same random numbers (with
    preserve_rng_state) and the same `autocast` region. Arguments and results may be Tensors, anything else, and tuples,
    lists and dicts of these. Gradients flow to the Tensors among the arguments and to the leaves that the function uses
    besides, such as a module's parameters. use_reentrant changes nothing.

    >>> x = gg.tensor([0.5, 1.0], requires_grad=True)
    >>> y = gg.checkpoint(lambda x: (x * x).exp() * x, x)  # keeps x, not the squares and exponentials
    >>> y.sum().backward()
    >>> x.grad.round(decimals=4)
    tensor([1.926 , 8.1548])
    """
    if not mode.grad:
        return function(*args, **kwargs)
    stretch = Stretch(function, args, kwargs, preserve_rng_state)
    arguments = tensors_in(stretch.arguments)
    edges = tuple(x._edge() for x in arguments)
    fresh = [_fresh(x, edge, False) for x, edge in zip(arguments, edges, strict=True)]
    result = stretch.run(fresh)
    live = [o for o in tensors_in(result) if o.requires_grad]
    if not live:
        return result
    own = {id(x) for x in fresh}
    leaves = [node for node in reachable({o._edge() for o in live}) if node.number == 0 and id(node) not in own]
    node = CheckpointNode(stretch, edges, leaves, live)
    places = iter([OutputNode(node, i) for i in range(len(live))] if len(live) > 1 else [node])
    return map_tensors(
        lambda o: wrap(o._array, o.device, next(places), o._language) if o.requires_grad else o.detach(), result
    )
