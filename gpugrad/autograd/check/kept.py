"""Compare what a recorded op keeps alive until backward with what its gradient rules name and read."""

from __future__ import annotations

import weakref
from typing import Any

from ...backend.dtypes import is_inexact
from ..graph import Node, OpNode, OutputNode
from ..paths import rule_names
from ..tensor import Tensor, wrap
from ..versions import owner
from .sample_call import CheckFailure, SampleCall


def check_memory(call: SampleCall) -> dict[str, bool]:
    """Raise CheckFailure if the node of `call` keeps more than its rules name.

    Returns, for each array that the node keeps, whether some rule reads its values (not just the shape or dtype).
    """
    node = _node(call())
    if node is None:
        return {}
    named = _named(call, node)
    if set(node.saved) != named:
        raise CheckFailure(f"its node keeps {sorted(node.saved)}, its rules name {sorted(named)}")
    _check_freed(call, named)
    return {name: _reads(call, node, name) for name, value in node.saved.items() if _is_array(value)}


def _node(outputs: tuple) -> OpNode | None:
    nodes = [o._node for o in outputs if o._node is not None]
    node = nodes[0].edges[0] if nodes and isinstance(nodes[0], OutputNode) else nodes[0] if nodes else None
    return node if isinstance(node, OpNode) else None


def _named(call: SampleCall, node: OpNode) -> set[str]:
    """Return all names that the device path that ran, and the rules of the inputs that need gradients, ask for."""
    rules = [call.op.rules[call.op.input_name(i)] for i in call.checked]
    of_path = node.plan.path.needed(node.plan.mask) if node.plan.path is not None else ()
    return set().union(of_path, *(rule_names(rule) for rule in rules)) - {"i", "needs"}


def _is_array(value: Any) -> bool:
    return bool(value) and all(map(_is_array, value)) if value.__class__ is tuple else hasattr(value, "strides")


def _check_freed(call: SampleCall, named: set[str]) -> None:
    """Raise CheckFailure if an input that no rule names is alive when only the outputs are left."""
    outputs, arrays = _outputs_and_arrays(call)
    shown = [owner(o._array) for o in outputs]
    for i, array in arrays.items():
        alive = array()
        if alive is not None and call.op.input_name(i) not in named and all(owner(alive) is not o for o in shown):
            raise CheckFailure(f"it keeps the input {call.name(i)} alive, which no gradient rule names")


def _outputs_and_arrays(call: SampleCall) -> tuple[tuple, dict[int, weakref.ref]]:
    """Return the outputs for inputs that nothing else refers to, and weak references to the arrays of those inputs."""
    inputs: list = list(call.inputs)
    arrays = {}
    for i, given in enumerate(call.inputs):
        if isinstance(given, Tensor):
            array = given._array.copy()
            inputs[i] = wrap(array, call.device, Node((), call.device) if i in call.checked else None)
            arrays[i] = weakref.ref(array)
    return call(inputs), arrays


class _Shell:
    """A stand-in for an array whose values must not be read: only its shape and dtype can be."""

    __array_ufunc__ = None

    def __init__(self, array: Any):
        self.shape, self.dtype, self.ndim, self.size = array.shape, array.dtype, array.ndim, array.size

    def __getattr__(self, name: str) -> Any:
        raise TypeError(f"the values were read: {name}")

    def _read(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("the values were read")

    __bool__ = __eq__ = __ne__ = __array__ = __array_function__ = _read


def _reads(call: SampleCall, node: OpNode, name: str) -> bool:
    """Return whether the node's rules, the device path's or the generic ones, fail without the values of `name`."""
    value, plan, own = node.saved[name], node.plan, node.plan.path
    shell = tuple(map(_Shell, value)) if value.__class__ is tuple else _Shell(value)
    saved = {**node.saved, name: shell}
    g = _upstream(call, node)
    for path in (own, None):
        plan.path = path
        try:
            plan.gradients(g, saved, node.edges, None, False)
        except Exception:  # of any kind: the rule needs more than a shell has
            return True
        finally:
            plan.path = own
    return False


def _upstream(call: SampleCall, node: OpNode) -> Any:
    gradients = tuple(o._array * 0 + 1 if is_inexact(o.dtype) else None for o in call())
    return gradients if node.outputs is not None else gradients[0]
