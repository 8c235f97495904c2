"""`Function`: differentiable functions whose gradients are written by hand, in PyTorch's form.

`apply` runs `forward` without recording it and adds one FunctionNode to the graph. In the backward walk this node calls
the user's `backward` and checks the gradients that it returns.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..backend.dtypes import is_inexact
from ..errors import GradientError
from .graph import Node, OutputGradients, OutputNode, check_unchanged, like_input, wrap_gradient
from .mode import mode, no_grad, set_grad_enabled
from .tensor import Tensor, language_of, wrap
from .versions import changes
from .views import spoken


class Context:
    """The `ctx` that `forward` fills for `backward`: with `save_for_backward(...)`, and with attributes of any name."""

    def __init__(self, needs_input_grad: tuple[bool, ...]):
        self.needs_input_grad = needs_input_grad
        self.materialize = True
        self._saved: tuple | None = ()
        self._constant: tuple = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs for `saved_tensors`; changing one in place before backward is then an error."""
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple:
        """Return the tensors that `save_for_backward` kept."""
        if self._saved is None:
            raise GradientError("saved_tensors: freed already; pass retain_graph=True to go through this graph twice")
        return tuple(item(self) if callable(item) else item for item in self._saved)

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Declare that these outputs never require a gradient."""
        self._constant += outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Choose what backward receives for outputs that nothing was computed from: zeros (True) or None (False)."""
        self.materialize = value


class FunctionNode(Node):
    """A node that records one call of a Function."""

    __slots__ = ("function", "context", "inputs", "outputs", "arrays", "language")

    def __init__(self, function: type[Function], context: Context, edges: tuple, args: tuple, outs: tuple):
        super().__init__(edges, outs[0].device)
        self.function, self.context = function, context
        # (shape, dtype, device) that each input's gradient must have, None if the input needs none.
        # `outputs` has (shape, dtype) of the gradients that arrive.
        self.inputs = [
            (a.shape, a.dtype, a.device) if edge is not None else None for a, edge in zip(args, edges, strict=True)
        ]
        self.outputs = [(o.shape, o.dtype) for o in outs]
        self.language = language_of(outs)  # of the gradients that `backward` is given
        self.arrays: list[tuple[str, Any]] = []  # (name, array) of each tensor that was saved for backward

    @property
    def name(self) -> str:
        return self.function.__name__

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> tuple:
        if changes:
            check_unchanged(self, self.arrays)
        given = []
        parts = g.slots(len(self.outputs)) if g.__class__ is OutputGradients else (g,)
        for part, (shape, dtype) in zip(parts, self.outputs, strict=True):
            if part is None and self.context.materialize:
                part = self.device.xp.zeros(shape, dtype)
            if part is not None and not isinstance(part, Tensor):
                part = wrap_gradient(part, self.device)
            given.append(part if part is None or part._language is self.language else spoken(part, self.language))
        with set_grad_enabled(differentiable):
            grads = self.function.backward(self.context, *given)
        grads = grads if isinstance(grads, tuple) else (grads,)
        if len(grads) != len(self.edges):
            raise GradientError(f"{self.name}.backward returned {len(grads)} gradients for {len(self.edges)} inputs")
        made = []
        for i, (x, like) in enumerate(zip(grads, self.inputs, strict=True)):
            if x is None or like is None:
                made.append(None)
                continue
            x = like_input(x, *like, f"{self.name}.backward, argument {i},")
            made.append(x if differentiable else x._array)
        return tuple(made)

    def free(self) -> None:
        self.context._saved = None
        self.arrays = []


class Function:
    """A base class for differentiable functions whose gradient is written by hand.

    A subclass defines the static methods `forward(ctx, ...)` and `backward(ctx, *grads)` and is called as
    `MyFunction.apply(...)`. backward returns one gradient (or None) per argument of forward.

    >>> class Cube(gg.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = gg.tensor([1.0, 2.0], requires_grad=True)
    >>> Cube.apply(x).sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:  # (ctx, ...): checkers accept any parameters of a subclass so
        """Return the outputs of `forward(ctx, ...)`, a Tensor or a tuple; nothing that is done here is recorded."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(*args: Any, **kwargs: Any) -> Any:  # (ctx, *grads)
        """Return the gradient of each argument of forward: `backward(ctx, *grads)` gets one gradient per output."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call forward with a new context and these arguments, record the call, and return the outputs."""
        edges = tuple(a._edge() if isinstance(a, Tensor) and mode.grad else None for a in args)
        context = Context(tuple(e is not None for e in edges))
        with no_grad():
            result = cls.forward(context, *args)
        if not any(context.needs_input_grad):
            return result
        outs = result if isinstance(result, tuple) else (result,)
        node = FunctionNode(cls, context, edges, args, outs)
        made = tuple(_output(o, node, i, len(outs), context) for i, o in enumerate(outs))
        _keep(context, node, args, outs)
        return made if isinstance(result, tuple) else made[0]


def _output(out: Tensor, node: FunctionNode, i: int, count: int, context: Context) -> Tensor:
    if not is_inexact(out.dtype) or any(out is constant for constant in context._constant):
        return out.detach()
    return wrap(out._array, out.device, OutputNode(node, i) if count > 1 else node, out._language)


def _keep(context: Context, node: FunctionNode, args: tuple, outs: tuple) -> None:
    """Let saved outputs continue the graph, without a reference cycle through the node."""
    me = weakref.ref(node)

    def connected(i: int, array: Any, device: Any, language: type[Tensor]) -> Callable:
        def make(_: Context) -> Tensor:
            place: Node | None = me()
            if place is not None and len(outs) > 1:
                place = OutputNode(place, i)
            return wrap(array, device, place, language)

        return make

    kept: list = []
    for i, saved in enumerate(context._saved or ()):
        position = next((j for j, o in enumerate(outs) if o is saved), None)
        is_input = any(saved is a for a in args)
        kept.append(
            saved if position is None or is_input else connected(position, saved._array, saved.device, saved._language)
        )
        if saved is not None:
            node.arrays.append((f"saved_tensors[{i}]", saved._array))
    context._saved = tuple(kept)
