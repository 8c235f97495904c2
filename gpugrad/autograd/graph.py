"""The graph of recorded ops, and the walk that differentiates it.

A Node points to the nodes of its inputs (its edges), never to Tensors it made, so a dropped graph is freed at once. A
leaf Tensor is its own node, with no edges and the number 0. Nodes are numbered as they are made, which is a topological
order: the backward walk collects the nodes that it can reach, sorts them by number and visits each once, without
recursion. Leaves come last; one with hooks comes as soon as its gradient is complete, so that a hook can send the
gradient away while the walk goes on.

For y = exp(a * b), where a and b are leaves, the walk goes from exp (number 2) to multiply (number 1), and then to a
and b:

    y --> exp --> multiply --> a
                           --> b

Source: Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey", section 3.2 (reverse mode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from sys import _getframe
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.cpu.loops.conversions import converted
from ..backend.devices import CPU, Device, device_of
from ..backend.dtypes import is_inexact, is_low
from ..errors import AnomalyError, GradientError, InplaceError
from .mode import mode
from .table import OPS
from .tensor import Tensor, wrap
from .versions import INSIDE, change_since, changes, clock, describe, user_site
from .views import spoken

if TYPE_CHECKING:
    from .plan import Plan

FREED: dict = {"freed": True}
EMPTY: dict = {}


class Node:
    """A recorded step that turns the gradient of its output into the gradients of its inputs."""

    __slots__ = ("edges", "number", "site", "hooks", "device", "__weakref__")
    name = "node"

    def __init__(self, edges: tuple, device: Device):
        self.edges = edges
        self.device = device
        self.number = next(clock)
        self.site = user_site()
        self.hooks = None

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        """Return one gradient per edge; None if the input needs none or is not in `wanted`."""
        raise NotImplementedError

    def free(self) -> None:
        """Drop the arrays that were saved for backward."""


class OutputGradients(dict):
    """Holds the gradients that have reached a node with several outputs, by the number of the output."""

    def __add__(self, other: dict) -> OutputGradients:
        """Add the gradients of `other`, in place: nobody else has what an OutputNode hands on."""
        for i, g in other.items():
            self[i] = added(self[i], g) if i in self else g
        return self

    def slots(self, count: int) -> list:
        """Return one gradient for each of `count` outputs, None for those that none has reached."""
        return [self.get(i) for i in range(count)]


class OutputNode(Node):
    """A node for one output of a parent with several: it passes its gradient on under its `index`."""

    __slots__ = ("index",)
    name = "output"

    def __init__(self, parent: Node, index: int):
        super().__init__((parent,), parent.device)
        self.index = index

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        return (OutputGradients({self.index: g}),)


class OpNode(Node):
    """A node that records the call of an Op. `saved` holds, by name, the values that its gradient rules ask for."""

    __slots__ = ("plan", "saved", "shapes", "outputs", "low")

    def __init__(self, plan: Plan, edges: tuple, saved: dict, shapes: tuple | None, device: Device):
        # This is Node.__init__ and user_site written out, because it runs once per op.
        self.edges = edges
        self.device = device
        self.number = next(clock)
        frame = _getframe(2)
        while frame is not None and INSIDE[frame.f_code.co_filename]:
            frame = frame.f_back
        self.site = None if frame is None else (frame.f_code, frame.f_lasti)
        self.hooks = None
        self.plan = plan
        self.saved = saved
        self.shapes = shapes
        self.outputs: list | None = None  # (shape, dtype) of each output, for ops that have several
        self.low: np.dtype | None = None  # the inputs' dtype if it is a 16-bit float

    @property
    def name(self) -> str:
        return self.plan.op.name

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        saved, low = self.saved, None
        if saved is not EMPTY or differentiable or self.outputs is not None or self.low is not None:
            if saved is FREED:
                raise freed(self)
            if changes and saved:
                check_unchanged(self, saved.items())
            if self.outputs is not None and self.plan.partial and not differentiable:
                g = tuple(g.slots(len(self.outputs)))
            elif self.outputs is not None:
                g = self._fill(g, self.outputs, differentiable)
            if differentiable:
                saved = self._as_tensors(saved)
            else:
                low = self.low
        grads = self.plan.gradients(g, saved, self.edges, wanted, differentiable, low is not None)
        if self.shapes is not None:
            try:
                for gx, shape in zip(grads, self.shapes, strict=True):
                    if gx is not None and gx.shape != shape:
                        grads = undo_broadcasts(self, grads, self.shapes, self.plan.op.broadcasts)
                        break
            except AttributeError:
                given = ", ".join(type(gx).__name__ for gx in grads)
                raise GradientError(f"{self.name}: its gradient rules returned {given}, expected arrays") from None
        if low is not None:
            grads = [gx if gx is None or gx.dtype != np.float32 else converted(gx, low) for gx in grads]
        return grads

    def free(self) -> None:
        if self.saved:
            self.saved = FREED

    def _fill(self, parts: Any, outputs: list, differentiable: bool) -> tuple:
        """Return one gradient per output: zeros if nothing was computed from the output, None if it holds integers."""
        filled = []
        for g, (shape, dtype) in zip(parts.slots(len(outputs)), outputs, strict=True):
            if g is None and dtype.kind not in "iub":
                g = self.device.xp.zeros(shape, dtype)
                if differentiable:
                    g = wrap(g, self.device, None)
            filled.append(g)
        return tuple(filled)

    def _as_tensors(self, saved: dict) -> dict:
        """Return `saved` with Tensors for arrays; inputs continue the graph at their edges, outputs at this node."""
        plan, made = self.plan, {}
        for name, value in saved.items():
            if name == "out":
                made[name] = self._output_tensors(value)
            elif name in plan.op.positions:
                first = plan.op.positions[name]
                if value.__class__ is tuple:
                    made[name] = tuple(_tensor_at(a, self.edges[first + i], self.device) for i, a in enumerate(value))
                elif value is not None and hasattr(value, "dtype"):
                    made[name] = _tensor_at(value, self.edges[first], self.device)
                else:
                    made[name] = value
            else:
                made[name] = value
        return made

    def _output_tensors(self, value: Any) -> Any:
        if self.outputs is None:
            return _tensor_at(value, self, self.device)
        return tuple(
            wrap(a, self.device, OutputNode(self, i) if is_inexact(a.dtype) else None) for i, a in enumerate(value)
        )


class ComplexNode(OpNode):
    """A node of a call that takes or gives complex numbers; `dtypes` are those of the inputs.

    The gradient of a real L for z = x + iy is dL/dx + i dL/dy. For w = f(z), f holomorphic, that is conj(f'(z)) times
    the gradient for w. Gradient rules multiply by f'(z), so the conjugate of what a rule makes of the conjugate of g is
    the gradient. An input that is real gets the real part.

    Source: K. Kreutz-Delgado 2009, "The Complex Gradient Operator and the CR-Calculus", section 4.2.
    """

    __slots__ = ("dtypes",)

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> Any:
        turns = self.plan.op.complex == "holomorphic"
        grads = super().backward(_conjugate(g) if turns else g, wanted, differentiable)
        grads = [_conjugate(gx) for gx in grads] if turns else grads
        return [gx if gx is None else _of_kind(gx, dtype) for gx, dtype in zip(grads, self.dtypes, strict=True)]


def _conjugate(g: Any) -> Any:
    if g.__class__ is OutputGradients:
        return OutputGradients({i: _conjugate(part) for i, part in g.items()})
    return g if g is None or g.dtype.kind != "c" else g.conj()


def _of_kind(g: Any, dtype: np.dtype) -> Any:
    """Return the gradient g as a complex number or its real part, as an input of this dtype has it."""
    if (g.dtype.kind == "c") == (dtype.kind == "c"):
        return g
    g = g.astype(dtype) if dtype.kind == "c" else g.real
    return g.astype(dtype) if dtype.itemsize == 2 else g


def freed(node: Node) -> GradientError:
    """Return the error of a second backward through `node`, whose arrays the first one let go."""
    return GradientError(
        f"{node.name}: what it saved for backward is freed already (made at {describe(node.site)}); "
        "pass retain_graph=True to the first backward to go through this graph twice"
    )


def check_unchanged(node: Node, saved: Iterable[tuple[str, Any]]) -> None:
    """Raise InplaceError if an array that `node` saved was changed in place after the node was made."""
    for name, value in saved:
        for array in value if value.__class__ is tuple else (value,):
            if not (hasattr(array, "dtype") and hasattr(array, "base")):
                continue
            change = change_since(array, node.number)
            if change is not None:
                raise InplaceError(
                    f"{node.name}: {name!r} {array.shape} is needed for the gradient but was changed in place.\n"
                    f"  {node.name} was made at {describe(node.site)}\n"
                    f"  {change.op} changed it at {describe(change.site)}\n"
                    "Change a copy instead (x = x + y, or x.clone()), or change it after backward."
                )


def _tensor_at(array: Any, edge: Any, device: Device) -> Tensor:
    """Return a Tensor of a saved array, at the place in the graph that the array had."""
    if isinstance(array, np.generic):  # a number that the device's path took as it was
        array = device.full((), array, array.dtype)
    if edge is None:
        return wrap(array, device, None)
    if isinstance(edge, Node):
        return wrap(array, device, edge)
    return edge if edge._language is Tensor else spoken(edge, Tensor)  # rules are written in NumPy's language


def undo_broadcasts(node: Node, grads: Sequence, shapes: Sequence, any_axes: bool = False) -> list:
    """Sum each gradient over the axes along which its input was broadcast, so that it has its input's shape again.

    A gradient may have the shape that all inputs broadcast to, or, with `any_axes`, any that its input broadcasts to.
    Raises GradientError for another shape: a rule that returns it is wrong.
    """
    made = []
    for i, (g, shape) in enumerate(zip(grads, shapes, strict=True)):
        if g is None or shape is None or g.shape == shape:
            made.append(g)
            continue
        if not _broadcasts(shape, g.shape) or not any_axes and g.shape != _common_shape(shapes):
            raise GradientError(
                f"{node.name}: the gradient for input {i} has shape {tuple(g.shape)}, the input {shape} "
                f"({node.name} was made at {describe(node.site)})"
            )
        lead = g.ndim - len(shape)
        axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1)
        if axes and (node.device is not CPU or is_low(g.dtype)):
            g = op_for("sum", g)(g, axis=axes, keepdims=True)
        elif axes:
            g = g.sum(axis=axes, keepdims=True)
        made.append(g.reshape(shape))
    return made


def _broadcasts(shape: tuple, to: tuple) -> bool:
    """Return whether an array of `shape` can be broadcast to the shape `to`."""
    if len(shape) > len(to):
        return False
    return all(n in (1, m) for n, m in zip(shape, to[len(to) - len(shape) :], strict=True))


def _common_shape(shapes: Sequence) -> tuple | None:
    """Return the shape that all of `shapes` broadcast to; None if there is none."""
    try:
        return np.broadcast_shapes(*[shape for shape in shapes if shape is not None])
    except ValueError:
        return None


def like_input(g: Any, shape: tuple, dtype: Any, device: Device, source: str) -> Any:
    """Return the gradient g, made by `source` (a hook or a Function), in the dtype of the tensor that it belongs to.

    Raises GradientError unless g is a floating-point or complex Tensor of this shape on this device.
    """
    if not isinstance(g, Tensor):
        raise GradientError(f"{source} returned a {type(g).__name__}, expected a Tensor of shape {shape}")
    if g.shape != shape or g.device is not device or not is_inexact(g.dtype):
        raise GradientError(
            f"{source} returned a gradient of shape {g.shape}, {g.dtype}, on {g.device}; expected shape {shape}, "
            f"{dtype}, on {device}"
        )
    return g if g.dtype == dtype else g.to(dtype=dtype)


def walk(roots: dict, targets: set | None, retain: bool, differentiable: bool) -> dict:
    """Differentiate from `roots` (edge -> gradient) to `targets` (edges), or to all leaves if `targets` is None.

    Returns the gradient of each target that was reached. Gradients are raw arrays, or Tensors when `differentiable`.
    """
    order = reachable(roots)
    wanted = None if targets is None else _leading_to(targets, order)
    gradients, found, anomaly = dict(roots), {}, mode.anomaly
    pop, get = gradients.pop, gradients.get
    node: Any = None
    recording, mode.grad = mode.grad, differentiable
    try:
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
            if node.device.is_only:
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
                        gx = have + gx if edge.device is CPU else added(have, gx)
                    gradients[edge] = gx
                elif edge is not None and isinstance(node, OpNode) and (wanted is None or edge in wanted):
                    name = node.plan.op.input_name(i)
                    raise GradientError(f"{node.name}: its gradient rule for {name} returned None, expected an array")
            if not retain:
                node.free()
    except GradientError:
        raise
    except Exception as error:
        error.add_note(f"in the gradient of {node.name}, made at {describe(node.site)}")
        raise
    finally:
        mode.grad = recording
    return found


def added(x: Any, y: Any) -> Any:
    """Return the sum of two gradients of one node: arrays, Tensors, or those of several outputs."""
    return x + y if x.__class__ is OutputGradients else op_for("add", x)(x, y)


def op_for(name: str, array: Any) -> Callable:
    """Return the op called `name` for what `array` is: a Tensor, or an array of a device."""
    return OPS[name] if isinstance(array, Tensor) else _raw(name, device_of(array).type)


@cache
def _raw(name: str, kind: str) -> Callable:
    return OPS[name].raw(kind)


def reachable(roots: Any) -> list:
    """Return every node that `roots` lead to, in the order in which they were made.

    A leaf with hooks stands directly before the first node that uses it, all other leaves at the beginning.
    """
    seen, stack = set(roots), list(roots)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    order = sorted(seen, key=attrgetter("number"))
    for node in order:
        if node.number:
            break
        if node.hooks:
            return _hooked_leaves_moved(order)
    return order


def _hooked_leaves_moved(order: list) -> list:
    """Return `order` with each leaf that has hooks directly before the first node that uses it."""
    waiting = {node for node in order if not node.number and node.hooks}
    moved: list = []
    for node in order:
        if node in waiting:
            continue
        for edge in node.edges:
            if edge in waiting:
                waiting.remove(edge)
                moved.append(edge)
        moved.append(node)
    return [node for node in order if node in waiting] + moved


def _leading_to(targets: set, order: list) -> set:
    wanted = set(targets)
    for node in order:
        if not wanted.isdisjoint(node.edges):
            wanted.add(node)
    return wanted


def _check_nan(node: Any, grads: Any) -> None:
    for i, gx in enumerate(grads):
        if gx is not None and gx.__class__ is not OutputGradients and bool((gx != gx).any()):
            raise AnomalyError(
                f"{node.name}: the gradient for input {i}, of shape {tuple(gx.shape)}, has NaN; "
                f"the op was made at {describe(node.site)}"
            )


def wrap_gradient(g: Any, device: Device) -> Tensor:
    """Return a gradient as a Tensor. NumPy gives a number for a 0-d sum, which could not be changed in place."""
    return wrap(np.asarray(g) if isinstance(g, np.generic) else g, device, None)


def _run_hooks(node: Any, g: Any, differentiable: bool) -> Any:
    given = g if differentiable else wrap_gradient(g, node.device)
    for hook in list(node.hooks.values()):
        result = hook(given)
        if result is not None:
            name = getattr(hook, "__qualname__", type(hook).__name__)
            source = f"the hook {name} of {node.name}, made at {describe(node.site)},"
            given = like_input(result, given.shape, given.dtype, given.device, source)
    return given if differentiable else given._array
