"""The graph of recorded ops, and the walk that differentiates it.

A Node points to the nodes of its inputs (its edges), never to Tensors it made, so a dropped graph is freed at once. A
leaf Tensor is its own node, with no edges and the number 0. Nodes are numbered as they are made, which is a topological
order: the backward walk collects what it can reach, sorts by number and visits each node once, without recursion.
"""

from __future__ import annotations

from operator import attrgetter
from sys import _getframe
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.devices import Device
from ..backend.dtypes import is_low
from ..errors import AnomalyError, GradientError, InplaceError
from .mode import mode, set_grad_enabled
from .versions import INSIDE, change_since, changes, clock, describe, user_site

if TYPE_CHECKING:
    from .op import Plan
    from .tensor import Tensor

FREED: dict = {"freed": True}
EMPTY: dict = {}


class Node:
    """One recorded op: what it needs to turn the gradient of its output into those of its inputs."""

    __slots__ = ("edges", "number", "site", "hooks", "device", "__weakref__")
    name = "node"

    def __init__(self, edges: tuple, device: Device):
        self.edges = edges
        self.device = device
        self.number = next(clock)
        self.site = user_site()
        self.hooks = None

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        """Gradients for `edges`, in order; None where there is no edge or `wanted` does not hold it."""
        raise NotImplementedError

    def free(self) -> None:
        """Drop what was saved for backward."""


class Parts(list):
    """Gradients of a multi-output node, one slot per output; sums fill the empty slots."""

    def __add__(self, other: list) -> Parts:
        return Parts(a if b is None else b if a is None else a + b for a, b in zip(self, other, strict=True))


class Part(Node):
    """Output `index` of the `count` outputs of a multi-output node."""

    __slots__ = ("index", "count")
    name = "part"

    def __init__(self, parent: Node, index: int, count: int):
        super().__init__((parent,), parent.device)
        self.index, self.count = index, count

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        parts = Parts([None] * self.count)
        parts[self.index] = g
        return (parts,)


class OpNode(Node):
    """A recorded call of an Op. `saved` holds, by name, what the gradient rules of its plan ask for."""

    __slots__ = ("plan", "saved", "shapes", "outputs", "low")

    def __init__(self, plan: Plan, edges: tuple, saved: dict, shapes: tuple | None, device: Device):
        # Node.__init__ written out: this runs once per op.
        self.edges = edges
        self.device = device
        self.number = next(clock)
        frame = _getframe(2)
        self.site = user_site() if INSIDE[frame.f_code.co_filename] else (frame.f_code, frame.f_lasti)
        self.hooks = None
        self.plan = plan
        self.saved = saved
        self.shapes = shapes
        self.outputs: list | None = None  # (shape, dtype) of each output, for ops that have several
        self.low: np.dtype | None = None  # the inputs' dtype where it is a 16-bit float

    @property
    def name(self) -> str:
        return self.plan.op.name

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        saved = self.saved
        if saved is EMPTY and not differentiable and self.outputs is None and self.low is None:
            grads = self.plan.gradients(g, saved, self.edges, wanted, False)
            return grads if self.shapes is None else self._undo_broadcast(grads)
        if saved is FREED:
            raise GradientError(
                f"{self.name}: what it saved for backward is freed already (made at {describe(self.site)}); "
                "pass retain_graph=True to the first backward to go through this graph twice"
            )
        if changes and saved:
            self._check_unchanged(saved)
        if self.outputs is not None:
            g = self._fill(g, self.outputs, differentiable)
        low = None if differentiable else self.low
        if differentiable:
            saved = self._as_tensors(saved)
        grads = self.plan.gradients(g, saved, self.edges, wanted, differentiable, low is not None)
        if self.shapes is not None:
            grads = self._undo_broadcast(grads)
        if low is not None:
            grads = [gx if gx is None or gx.dtype != np.float32 else gx.astype(low) for gx in grads]
        return grads

    def free(self) -> None:
        if self.saved:
            self.saved = FREED

    def _undo_broadcast(self, grads: Any) -> list:
        shapes = self.shapes
        assert shapes is not None
        return [gx if gx is None else _undo_broadcast(gx, shapes[i]) for i, gx in enumerate(grads)]

    def _fill(self, parts: Any, outputs: list, differentiable: bool) -> tuple:
        """The gradient of each output: zeros for those that nothing was computed from, None for integer outputs."""
        filled = []
        for g, (shape, dtype) in zip(parts, outputs, strict=True):
            if g is None and dtype.kind not in "iub":
                g = self.device.xp.zeros(shape, dtype)
                if differentiable:
                    g = _tensor(g, self.device)
            filled.append(g)
        return tuple(filled)

    def _check_unchanged(self, saved: dict) -> None:
        for name, value in saved.items():
            for array in value if value.__class__ is tuple else (value,):
                if not (hasattr(array, "dtype") and hasattr(array, "base")):
                    continue
                change = change_since(array, self.number)
                if change is not None:
                    raise InplaceError(
                        f"{self.name}: {name!r} {array.shape} is needed for the gradient but was changed in place.\n"
                        f"  {self.name} was made at {describe(self.site)}\n"
                        f"  {change.op} changed it at {describe(change.site)}\n"
                        "Change a copy instead (x = x + y, or x.clone()), or change it after backward."
                    )

    def _as_tensors(self, saved: dict) -> dict:
        """`saved` with its arrays as Tensors that continue the graph: inputs through their edges, outputs here."""
        plan, made = self.plan, {}
        for name, value in saved.items():
            if name == "out":
                made[name] = self._output_tensors(value)
            elif name in plan.op.positions:
                first = plan.op.positions[name]
                if value.__class__ is tuple:
                    made[name] = tuple(_through(a, self.edges[first + i], self.device) for i, a in enumerate(value))
                elif value is not None and hasattr(value, "dtype"):
                    made[name] = _through(value, self.edges[first], self.device)
                else:
                    made[name] = value
            else:
                made[name] = value
        return made

    def _output_tensors(self, value: Any) -> Any:
        if self.outputs is None:
            return _through(value, self, self.device)
        count = len(value)
        return tuple(
            _tensor(a, self.device) if a.dtype.kind in "iub" else _through(a, Part(self, i, count), self.device)
            for i, a in enumerate(value)
        )


def _tensor(array: Any, device: Device) -> Tensor:
    from .tensor import wrap

    return wrap(array, device, None)


def _through(array: Any, edge: Any, device: Device) -> Tensor:
    """A Tensor of a saved array that is connected to the graph where it was connected."""
    from .tensor import wrap

    if edge is None:
        return wrap(array, device, None)
    return wrap(array, device, edge) if isinstance(edge, Node) else edge


def _undo_broadcast(g: Any, shape: tuple | None) -> Any:
    """Sum `g` over the axes along which an input of `shape` was broadcast."""
    if g is None or shape is None or g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1)
    if axes and is_low(g.dtype):
        g = g.astype(np.float32)
    return g.sum(axis=axes, keepdims=True).reshape(shape) if axes else g.reshape(shape)


def walk(roots: dict, targets: set | None, retain: bool, differentiable: bool) -> dict:
    """Gradients at `targets` (edges) from `roots` (edge -> gradient); with targets None, those of all leaves.

    Gradients are raw arrays, or Tensors when `differentiable`.
    """
    order = reachable(roots)
    wanted = None if targets is None else _leading_to(targets, order)
    gradients, found, anomaly = dict(roots), {}, mode.anomaly
    pop, get = gradients.pop, gradients.get
    node: Any = None
    try:
        with set_grad_enabled(differentiable):
            while order:
                node = order.pop()
                g = pop(node, None)
                if g is None or wanted is not None and node not in wanted:
                    continue
                if node.hooks:
                    g = _run_hooks(node, g, differentiable)
                leaf = not node.number
                if leaf if targets is None else node in targets:
                    found[node] = g
                if leaf:
                    continue
                if node.device.alone:
                    grads = node.backward(g, wanted, differentiable)
                else:
                    with node.device.selected():
                        grads = node.backward(g, wanted, differentiable)
                if anomaly:
                    _check_nan(node, grads)
                for i, edge in enumerate(node.edges):  # a strict zip would take 0.2 us more
                    if edge is not None and (gx := grads[i]) is not None:
                        have = get(edge)
                        if have is not None:
                            gx = have + gx if edge.device.alone else _sum(edge, have, gx)
                        gradients[edge] = gx
                if not retain:
                    node.free()
    except GradientError:
        raise
    except Exception as error:
        error.add_note(f"in the gradient of {node.name}, made at {describe(node.site)}")
        raise
    return found


def _sum(edge: Any, x: Any, y: Any) -> Any:
    with edge.device.selected():
        return x + y


def reachable(roots: Any) -> list:
    """Every node that `roots` lead to, in the order they were made."""
    seen, stack = set(roots), list(roots)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return sorted(seen, key=attrgetter("number"))


def _leading_to(targets: set, order: list) -> set:
    wanted = set(targets)
    for node in order:
        if not wanted.isdisjoint(node.edges):
            wanted.add(node)
    return wanted


def _check_nan(node: Any, grads: Any) -> None:
    for i, gx in enumerate(grads):
        if gx is not None and gx.__class__ is not Parts and bool((gx != gx).any()):
            raise AnomalyError(
                f"{node.name}: the gradient for input {i}, of shape {tuple(gx.shape)}, has NaN; "
                f"the op was made at {describe(node.site)}"
            )


def _run_hooks(node: Any, g: Any, differentiable: bool) -> Any:
    given = g if differentiable else _tensor(g, node.device)
    for hook in list(node.hooks.values()):
        result = hook(given)
        given = given if result is None else result
    return given if differentiable else given._array
