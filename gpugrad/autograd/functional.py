"""Derivatives of graphs and functions: `backward`, `grad`, `vjp`, `jvp`, `hvp`, `vhp`, `jacobian`, `hessian`.

All of them start the backward walk (`graph.walk`) at outputs and collect gradients at inputs. `jvp` differentiates the
vjp with respect to its vector (J. Townsend 2017, "A new trick for calculating Jacobian vector products"): every op has
rules of any order, so forward mode needs no second set of rules; it costs about two backward passes.

Source: Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey", sections 3.1 and 3.2.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.capture import active
from ..backend.cpu import memory
from ..backend.dtypes import is_float
from ..errors import DTypeError, GradientError, ShapeError
from .convert import asarray
from .graph import Node, added, walk
from .mode import enable_grad, mode
from .table import OPS
from .tensor import Tensor, method, wrap
from .views import spoken

_accumulating = threading.Lock()  # threads that share parameters add to their `.grad` one after the other


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` with respect to all leaves (or to `inputs`) to their `.grad`.

    tensors: a Tensor or a sequence.
    grad_tensors: an upstream gradient for each (None for a one-element tensor).
    retain_graph: keep what was saved, so that the graph can be used again (default: create_graph).
    create_graph: record the gradients themselves, so that they can be differentiated again.
    Raises GradientError if a tensor does not require a gradient, or is not a scalar and has no upstream gradient.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> gg.autograd.backward([(x * x).sum(), x.sum()])
    >>> x.grad
    tensor([3., 5.])
    """
    targets = None if inputs is None else {_target(t) for t in _sequence(inputs)}
    roots = _roots(_sequence(tensors), grad_tensors, create_graph)
    outer, mode.callbacks = mode.callbacks, []
    try:
        found = walk(roots, targets, create_graph if retain_graph is None else retain_graph, create_graph)
        _accumulate_all(found, {} if inputs is None else {_target(t): t for t in _sequence(inputs)})
        for callback in mode.callbacks:
            callback()
    finally:
        mode.callbacks = outer


def after_backward(callback: Callable[[], Any]) -> bool:
    """Call `callback()` once when the `backward` that runs now has added up all gradients; hooks of Tensors ask for it.

    Returns False, and does nothing, where gradients are not added up: outside of `backward`, and in `grad`.

    >>> x = gg.ones(2, requires_grad=True)
    >>> handle = x.register_hook(lambda g: print(gg.autograd.after_backward(lambda: print(x.grad))))
    >>> (x * 3).sum().backward()
    True
    tensor([3., 3.])
    """
    if mode.callbacks is None:
        return False
    mode.callbacks.append(callback)
    return True


def _accumulate_all(found: dict, holders: dict) -> None:
    """Add each gradient to the `.grad` of its leaf, or of its holder; `found` is empty afterwards."""
    with _accumulating:
        while found:
            edge, gradient = found.popitem()
            leaf = holders.get(edge, edge)
            if leaf.device.is_only:
                _accumulate(leaf, gradient)
            else:
                with leaf.device.selected():
                    _accumulate(leaf, gradient)


@method("backward")
def tensor_backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this Tensor with respect to every leaf (or to `inputs`) to their `.grad`.

    gradient: the upstream gradient, of this Tensor's shape; needed unless it has one element.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).backward(gg.tensor([1.0, 10.0]))
    >>> x.grad
    tensor([ 2., 40.])
    """
    backward(self, None if gradient is None else (gradient,), retain_graph, create_graph, inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of `outputs` with respect to `inputs`, a tuple; `.grad` stays as it is.

    create_graph: record the gradients themselves, so that they can be differentiated again.
    allow_unused: give None for an input that `outputs` do not depend on, instead of raising GradientError.

    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> gg.autograd.grad((x**3).sum(), x)
    (tensor([ 3., 12.]),)
    """
    inputs = _sequence(inputs)
    edges = [_target(t) for t in inputs]
    roots = _roots(_sequence(outputs), grad_outputs, create_graph)
    outer, mode.callbacks = mode.callbacks, None
    try:
        found = walk(roots, set(edges), create_graph if retain_graph is None else retain_graph, create_graph)
    finally:
        mode.callbacks = outer
    result = []
    for i, (edge, given) in enumerate(zip(edges, inputs, strict=True)):
        gradient = found.get(edge)
        if gradient is None and not allow_unused:
            raise GradientError(
                f"grad: input {i} {given.shape} was not used for the outputs; allow_unused=True gives None"
            )
        if gradient is not None and not isinstance(gradient, Tensor):
            gradient = wrap(_gradient_array(gradient, given), given.device, None, given._language)
        result.append(None if gradient is None else _in_language_of(given, gradient))
    return tuple(result)


def _sequence(given: Any) -> Sequence:
    return (given,) if isinstance(given, Tensor) else tuple(given)


def _target(tensor: Tensor) -> Any:
    edge = tensor._edge()
    if edge is None:
        raise GradientError(
            f"a tensor of shape {tensor.shape} does not require a gradient; set requires_grad=True before use"
        )
    return edge


def _roots(outputs: Sequence, upstream: Any, differentiable: bool) -> dict:
    """Return the graph edge of each output, with the gradient from which the walk starts there."""
    upstream = [None] * len(outputs) if upstream is None else _sequence(upstream)
    if len(upstream) != len(outputs):
        raise ShapeError(f"backward: {len(outputs)} outputs but {len(upstream)} upstream gradients")
    roots: dict = {}
    for out, g in zip(outputs, upstream, strict=True):
        edge = out._edge()
        if edge is None:
            raise GradientError(
                f"backward: the tensor of shape {out.shape} does not require a gradient: no input of its ops had "
                "requires_grad=True, or it was made under no_grad, or an op on the way has no gradient rule"
            )
        g = _upstream(out, g)
        g = g if differentiable else g._array
        roots[edge] = roots[edge] + g if edge in roots else g
    return roots


def _upstream(out: Tensor, g: Any) -> Tensor:
    if g is None:
        if out.dtype.kind == "c":
            raise GradientError(
                f"backward: a gradient is implied only for a real number, this tensor is {out.dtype}; take a real "
                "function of it (.real, .abs()) or pass gradient="
            )
        if out._array.size != 1:
            raise GradientError(
                f"backward: a gradient is implied only for one element, this tensor has shape {out.shape}; "
                "reduce it (for example .sum()) or pass gradient="
            )
        return wrap(out.device.xp.ones(out._array.shape, out._array.dtype), out.device, None)
    g = g if isinstance(g, Tensor) else asarray(g, out.dtype, out.device)
    if g.device is not out.device and out.device.depth:
        g = out.device.adopt(g)
    if g.shape != out.shape:
        raise ShapeError(f"backward: the upstream gradient has shape {g.shape}, the tensor {out.shape}")
    return g if g.dtype == out.dtype else g.to(dtype=out.dtype)


def _accumulate(leaf: Any, gradient: Any) -> None:
    """Add to `.grad`; the first time, keep the array itself if nothing else refers to it, else a copy."""
    if isinstance(leaf, Node):
        raise GradientError("backward(inputs=...): internal node without a tensor")
    if active.capture is not None:
        active.capture.accumulates(leaf)
    if isinstance(gradient, Tensor):
        gradient = _in_language_of(leaf, gradient)
        leaf._grad = gradient if leaf._grad is None else leaf._grad + gradient
        return
    # Three references are the caller's variable, this function's, and getrefcount's argument: nobody else holds it.
    unshared = sys.getrefcount(gradient) <= 3 and (gradient.base is None or memory.is_exclusive(gradient))
    gradient = _gradient_array(gradient, leaf)
    if leaf._grad is not None:
        gradient = _gradient_array(added(leaf._grad._array, gradient), leaf)
    elif not unshared:
        gradient = gradient.copy()
    leaf._grad = wrap(gradient, leaf.device, None, leaf._language)


def _in_language_of(tensor: Tensor, gradient: Tensor) -> Tensor:
    return gradient if gradient._language is tensor._language else spoken(gradient, tensor._language)


def _gradient_array(gradient: Any, tensor: Tensor) -> Any:
    """Return the gradient that the walk found for `tensor` as an array; NumPy gives a number for a 0-d sum.

    Raises GradientError if its shape is not the tensor's: then an earlier rule is wrong.
    """
    if getattr(gradient, "shape", None) != tensor._array.shape:
        raise GradientError(
            f"backward: the gradient for a tensor of shape {tensor.shape} is {type(gradient).__name__} of shape "
            f"{getattr(gradient, 'shape', None)}; a gradient rule on the way there is wrong (see `gpugrad check`)"
        )
    return gradient if gradient.__class__ is tensor._array.__class__ else tensor.device.asarray(gradient)


# Derivatives of functions


def here(tensor: Tensor) -> Tensor:
    """Return `tensor` where derivatives are taken: inside of vmap it joins the batch."""
    return tensor if mode.batch is None else mode.batch.adopt(tensor)


def _outputs_of(function: Callable, inputs: Any, create_graph: bool) -> tuple[Any, tuple, bool]:
    """Call `function` on inputs that start a fresh graph, or that stay in theirs if `create_graph`."""
    single = isinstance(inputs, Tensor)
    with enable_grad():
        fresh = tuple(
            t + 0 if create_graph and t.requires_grad else t.detach().requires_grad_()
            for t in map(here, _sequence(inputs))
        )
        return function(*fresh), fresh, single


def _tuple(value: Any) -> tuple:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _like(values: Sequence, single: bool) -> Any:
    return values[0] if single else tuple(values)


def zeros_for_none(grads: Sequence, inputs: Sequence) -> list:
    return [
        wrap(t.device.xp.zeros(t.shape, t.dtype), t.device, None, t._language) if g is None else g
        for g, t in zip(grads, inputs, strict=True)
    ]


def _gradients(outputs: tuple, inputs: tuple, vectors: Any, create_graph: bool) -> list:
    """Return what `grad` returns, with zeros for an input that no output depends on."""
    live = [(o, v) for o, v in zip(outputs, vectors, strict=True) if o.requires_grad]
    if not live:
        return zeros_for_none([None] * len(inputs), inputs)
    grads = grad([o for o, _ in live], inputs, [v for _, v in live], True, create_graph, allow_unused=True)
    return zeros_for_none(grads, inputs)


def vjp(function: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, ...]:
    """Return (function(inputs), v^T J), the vector-Jacobian product; v has the outputs' shape (None for one element).

    >>> gg.autograd.vjp(lambda x: x**2, gg.tensor([1.0, 2.0]), gg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    outputs, inputs, single = _outputs_of(function, inputs, create_graph)
    outs = _tuple(outputs)
    vectors = [_upstream(o, x) for o, x in zip(outs, [None] * len(outs) if v is None else _tuple(v), strict=True)]
    found = _gradients(outs, inputs, vectors, create_graph)
    return outputs if create_graph else _detached(outputs), _like(found, single)


def _detached(outputs: Any) -> Any:
    return outputs.detach() if isinstance(outputs, Tensor) else tuple(o.detach() for o in outputs)


def jvp(function: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, ...]:
    """Return (function(inputs), J v), the Jacobian-vector product; v has the inputs' shapes (None for one element).

    It is computed as two vector-Jacobian products (Townsend 2017).

    >>> gg.autograd.jvp(lambda x: x**2, gg.tensor([1.0, 2.0]), gg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    outputs, inputs, _ = _outputs_of(function, inputs, create_graph)
    outs, single = _tuple(outputs), isinstance(outputs, Tensor)
    vectors = [_upstream(t, x) for t, x in zip(inputs, [None] * len(inputs) if v is None else _tuple(v), strict=True)]
    # u^T J is linear in u; its derivative with respect to u, applied to v, is J v.
    dummies = tuple(wrap(o.device.xp.zeros(o.shape, o.dtype), o.device, None).requires_grad_() for o in outs)
    with enable_grad():
        vjps = _gradients(outs, inputs, dummies, True)
        products = _gradients(tuple(vjps), dummies, vectors, create_graph)
    return outputs if create_graph else _detached(outputs), _like(products, single)


def vhp(function: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, ...]:
    """Return (function(inputs), v^T H) for a function with one output element; H is symmetric, so `hvp` gives the same.

    >>> gg.autograd.vhp(lambda x: (x**3).sum(), gg.tensor([1.0, 2.0]), gg.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return hvp(function, inputs, v, create_graph)


def hvp(function: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Any, ...]:
    """Return (function(inputs), H v), the Hessian-vector product of a function with one output element.

    H is never formed: the gradient is differentiated along v (Pearlmutter 1994, "Fast Exact Multiplication by the
    Hessian").

    >>> gg.autograd.hvp(lambda x: (x**3).sum(), gg.tensor([1.0, 2.0]), gg.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    output, inputs, single = _outputs_of(function, inputs, create_graph)
    if not isinstance(output, Tensor) or output._array.size != 1:
        raise ShapeError("hvp: the function must return one tensor with one element")
    vectors = [_upstream(t, x) for t, x in zip(inputs, [None] * len(inputs) if v is None else _tuple(v), strict=True)]
    with enable_grad():
        first = _gradients((output,), inputs, [_upstream(output, None)], True)
    products = _gradients(tuple(first), inputs, vectors, create_graph)
    return output if create_graph else output.detach(), _like(products, single)


def jacobian(function: Callable, inputs: Any, create_graph: bool = False) -> Any:
    """Return the derivative of every output element with respect to every input element.

    For an output of shape O and an input of shape I it is a Tensor of shape O + I. Several inputs give a tuple, several
    outputs a tuple of these.

    >>> gg.autograd.jacobian(lambda x: x[0] * x, gg.tensor([2.0, 3.0]))
    tensor([[4., 0.],
            [3., 2.]])
    """
    outputs, inputs, single_in = _outputs_of(function, inputs, create_graph)
    rows = []
    for out in _tuple(outputs):
        if not is_float(out.dtype):
            raise DTypeError(f"jacobian: an output has dtype {out.dtype}, expected a floating-point one")
        basis = out.device.xp.eye(out._array.size, dtype=out.dtype).reshape(-1, *out.shape)
        row_gradients = [_gradients((out,), inputs, [wrap(b, out.device, None)], create_graph) for b in basis]
        rows.append(_like([stacked([g[i] for g in row_gradients], out, t) for i, t in enumerate(inputs)], single_in))
    return rows[0] if isinstance(outputs, Tensor) else tuple(rows)


def stacked(rows: list, out: Tensor, given: Tensor) -> Tensor:
    if not rows:
        return wrap(out.device.xp.zeros(out.shape + given.shape, given.dtype), given.device, None)
    return OPS["stack"](rows, axis=0).reshape(out.shape + given.shape)


def hessian(function: Callable, inputs: Any, create_graph: bool = False) -> Any:
    """Return the second derivatives of a function with one output element.

    For an input of shape I it is a Tensor of shape I + I; several inputs give a tuple of tuples.

    >>> gg.autograd.hessian(lambda x: (x**3).sum(), gg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    single = isinstance(inputs, Tensor)

    def gradient(*given: Tensor) -> Any:
        output = function(*given)
        if not isinstance(output, Tensor) or output._array.size != 1:
            raise ShapeError("hessian: the function must return one tensor with one element")
        return _like(_gradients((output,), given, [_upstream(output, None)], True), single)

    return jacobian(gradient, inputs, create_graph)
