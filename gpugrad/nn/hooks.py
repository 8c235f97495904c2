"""The hooks of a module: functions that are called around its forward, its backward, and the reading of its state.

Backward hooks need two nodes in the graph: one behind the module sees the gradients of its outputs before they enter,
one in front of it sees the gradients of its inputs when they leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Protocol

from ..autograd.function import Function
from ..autograd.tensor import Handle, Tensor
from ..errors import GradientError

_keys = count()
Hook = tuple[Callable, dict]  # the function and its options


class HasForward(Protocol):
    """Describes a module, as far as its hooks need it."""

    forward: Callable


class HookList:
    """Keeps the hooks of one kind in the order in which they are called."""

    def __init__(self) -> None:
        self.hooks: dict[int, Hook] = {}

    def __iter__(self) -> Iterator[Hook]:
        return iter(list(self.hooks.values()))

    def add(self, hook: Callable, prepend: bool, options: dict) -> Handle:
        """Register `hook`, in front of the others with `prepend`."""
        key = next(_keys)
        entry = {key: (hook, options)}
        self.hooks = {**entry, **self.hooks} if prepend else {**self.hooks, **entry}
        return Handle(self, key)


class ModuleHooks:
    """Keeps all hooks of one module, by kind, and calls its forward between them."""

    def __init__(self) -> None:
        self.kinds: dict[str, HookList] = {}

    def add(self, kind: str, hook: Callable, prepend: bool, options: dict) -> Handle:
        """Register `hook` among those of its kind, in front of them with `prepend`."""
        return self.kinds.setdefault(kind, HookList()).add(hook, prepend, options)

    def of(self, kind: str) -> list[Hook]:
        """Return the hooks of one kind in the order in which they are called."""
        return list(self.kinds.get(kind, ()))

    def call(self, module: HasForward, args: tuple, kwargs: dict) -> Any:
        """Call `module.forward` between its hooks."""
        for hook, options in self.of("forward_pre"):
            result = hook(module, args, kwargs) if options["with_kwargs"] else hook(module, args)
            if result is not None and options["with_kwargs"]:
                args, kwargs = result
            elif result is not None:
                args = result if isinstance(result, tuple) else (result,)
        watch = BackwardWatch(module, self) if self.of("backward") or self.of("backward_pre") else None
        waiting = self.of("forward")
        try:
            output = module.forward(*(args if watch is None else watch.inputs(args)), **kwargs)
            while waiting:
                hook, options = waiting.pop(0)
                result = hook(module, args, kwargs, output) if options["with_kwargs"] else hook(module, args, output)
                output = output if result is None else result
        except Exception:
            for hook, options in waiting:
                if options["always_call"]:
                    hook(module, args, kwargs, None) if options["with_kwargs"] else hook(module, args, None)
            raise
        return output if watch is None else watch.outputs(output)


class BackwardWatch:
    """Calls a module's backward hooks during the backward pass of one call of the module."""

    def __init__(self, module: HasForward, hooks: ModuleHooks):
        self.module, self.hooks = module, hooks
        self.argument_count = 0
        self.positions: list[int] = []  # of the arguments that require gradients
        self.output_gradients: tuple = ()

    def inputs(self, args: tuple) -> tuple:
        """Return `args` with the watching node in front of the module."""
        self.argument_count = len(args)
        self.positions = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        return self._through(_InputWatch, args, self.positions)

    def outputs(self, output: Any) -> Any:
        """Return `output` (a Tensor, or a tuple or list with Tensors) with the watching node behind the module."""
        several = isinstance(output, (tuple, list))
        outs = tuple(output) if several else (output,)
        positions = [i for i, o in enumerate(outs) if isinstance(o, Tensor) and o.requires_grad]
        watched = self._through(_OutputWatch, outs, positions)
        if not several:
            return watched[0]
        return type(output)(*watched) if hasattr(output, "_fields") else type(output)(watched)

    def _through(self, function: type[Function], values: tuple, positions: list[int]) -> tuple:
        if not positions:
            return values
        made = function.apply(self, positions, len(values), *(values[i] for i in positions))
        replaced = dict(zip(positions, made, strict=True))
        return tuple(replaced.get(i, value) for i, value in enumerate(values))

    def before_backward(self, gradients: tuple) -> tuple:
        """Call the backward-pre hooks with the gradients of the outputs; they may replace them."""
        for hook, _ in self.hooks.of("backward_pre"):
            gradients = _replacement(hook(self.module, gradients), gradients, "full_backward_pre_hook")
        self.output_gradients = gradients
        if not self.positions:
            self.after_backward((None,) * self.argument_count)
        return gradients

    def after_backward(self, gradients: tuple) -> tuple:
        """Call the backward hooks with the gradients of the inputs; they may replace them."""
        for hook, _ in self.hooks.of("backward"):
            result = hook(self.module, gradients, self.output_gradients)
            gradients = _replacement(result, gradients, "full_backward_hook")
        return gradients


def _replacement(result: Any, gradients: tuple, name: str) -> tuple:
    """Return the gradients that a hook returned, or those it was given if it returned None."""
    if result is None:
        return gradients
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(gradients):
        raise GradientError(f"{name}: the hook returned {len(result)} gradients where {len(gradients)} are")
    return result


def _at_positions(positions: list[int], count: int, gradients: tuple) -> tuple:
    """Return `count` entries: the gradients at their positions, None elsewhere."""
    found = dict(zip(positions, gradients, strict=True))
    return tuple(found.get(i) for i in range(count))


class _InputWatch(Function):
    """Is the identity in front of a watched module."""

    @staticmethod
    def forward(ctx: Any, watch: BackwardWatch, positions: list[int], count: int, *tensors: Tensor) -> Any:
        ctx.watch, ctx.positions, ctx.count = watch, positions, count
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        replaced = ctx.watch.after_backward(_at_positions(ctx.positions, ctx.count, gradients))
        return (None, None, None, *(replaced[i] for i in ctx.positions))


class _OutputWatch(Function):
    """Is the identity behind a watched module."""

    @staticmethod
    def forward(ctx: Any, watch: BackwardWatch, positions: list[int], count: int, *tensors: Tensor) -> Any:
        ctx.watch, ctx.positions, ctx.count = watch, positions, count
        ctx.set_materialize_grads(False)
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        replaced = ctx.watch.before_backward(_at_positions(ctx.positions, ctx.count, gradients))
        return (None, None, None, *(replaced[i] for i in ctx.positions))
