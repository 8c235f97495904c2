"""`Function`: gradients written by hand, in PyTorch's form."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from ..backend.dtypes import is_float
from ..errors import GradientError
from .graph import Node, OutputNode, check_unchanged, like_input
from .mode import mode, no_grad, set_grad_enabled
from .tensor import Tensor, wrap
from .versions import changes


class Context:
    """Carries what `forward` leaves for `backward`: by `save_for_backward(...)`, or as attributes of its own."""

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
        """What `save_for_backward` was given."""
        if self._saved is None:
            raise GradientError("saved_tensors: freed already; pass retain_graph=True to go through this graph twice")
        return tuple(item(self) if callable(item) else item for item in self._saved)

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Declare that these outputs never require a gradient."""
        self._constant += outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether backward gets zeros (True) or None for outputs from which nothing was computed."""
        self.materialize = value


class FunctionNode(Node):
    """The recorded call of a Function."""

    __slots__ = ("function", "context", "inputs", "outputs", "arrays")

    def __init__(self, function: type[Function], context: Context, edges: tuple, args: tuple, outs: tuple):
        super().__init__(edges, outs[0].device)
        self.function, self.context = function, context
        # What the gradients must be like, and those that arrive: (shape, dtype, device); None where there is none.
        self.inputs = [
            (a.shape, a.dtype, a.device) if edge is not None else None for a, edge in zip(args, edges, strict=True)
        ]
        self.outputs = [(o.shape, o.dtype) for o in outs]
        self.arrays: list[tuple[str, Any]] = []  # what save_for_backward was given, by name

    @property
    def name(self) -> str:
        return self.function.__name__

    def backward(self, g: Any, wanted: set | None, differentiable: bool) -> tuple:
        if changes:
            check_unchanged(self, self.arrays)
        given = []
        for part, (shape, dtype) in zip(g if isinstance(g, list) else (g,), self.outputs, strict=True):
            if part is None and self.context.materialize:
                part = self.device.xp.zeros(shape, dtype)
            given.append(part if part is None or isinstance(part, Tensor) else wrap(part, self.device, None))
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
    """A differentiable function by hand: a subclass with static methods `forward(ctx, ...)` and `backward(ctx,
    *grads)`.

    It is called as `MyFunction.apply(...)`. `backward` returns one gradient (or None) for each argument of `forward`.

    >>> class Square(gg.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * g
    >>> x = gg.tensor([3.0], requires_grad=True)
    >>> Square.apply(x).backward()
    >>> x.grad
    tensor([6.])
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Any:
        """Return the outputs, computed from Tensors that are not recorded."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Context, *grads: Any) -> Any:
        """Return the gradient of each argument of `forward`."""
        raise NotImplementedError("a Function needs a static method backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record it."""
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
    if not is_float(out.dtype) or any(out is constant for constant in context._constant):
        return out.detach()
    return wrap(out._array, out.device, OutputNode(node, i, count) if count > 1 else node)


def _keep(context: Context, node: FunctionNode, args: tuple, outs: tuple) -> None:
    """Make saved outputs continue the graph without a reference cycle through the node."""
    me = weakref.ref(node)

    def connected(i: int, array: Any, device: Any) -> Callable:
        def make(_: Context) -> Tensor:
            place: Node | None = me()
            if place is not None and len(outs) > 1:
                place = OutputNode(place, i, len(outs))
            return wrap(array, device, place)

        return make

    kept: list = []
    for i, saved in enumerate(context._saved or ()):
        position = next((j for j, o in enumerate(outs) if o is saved), None)
        is_input = any(saved is a for a in args)
        kept.append(saved if position is None or is_input else connected(position, saved._array, saved.device))
        if saved is not None:
            node.arrays.append((f"saved_tensors[{i}]", saved._array))
    context._saved = tuple(kept)
