"""The hooks of a module: functions that are called around its forward, its backward, and the reading of its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from ..autograd.function import Function
from ..autograd.tensor import Handle, Tensor
from ..errors import GradientError

if TYPE_CHECKING:
    from .module import Module

_keys = count()
Hook = tuple[Callable, dict]  # the function and its options


class HookList:
    """Hooks of one kind, in the order in which they are called."""

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


def call(module: Module, args: tuple, kwargs: dict) -> Any:
    """Call `module.forward` between its hooks."""
    for hook, options in module._hooks_of("forward_pre"):
        result = hook(module, args, kwargs) if options["with_kwargs"] else hook(module, args)
        if result is not None and options["with_kwargs"]:
            args, kwargs = result
        elif result is not None:
            args = result if isinstance(result, tuple) else (result,)
    watch = Watch(module) if module._hooks_of("backward") or module._hooks_of("backward_pre") else None
    waiting = list(module._hooks_of("forward"))
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


class Watch:
    """Calls a module's backward hooks: one node in front of the module sees the gradients of all its outputs, and one
    behind it those of all its inputs."""

    def __init__(self, module: Module):
        self.module = module
        self.count, self.at = 0, []  # how many arguments there are, and which require gradients
        self.gradients: tuple = ()  # of the outputs

    def inputs(self, args: tuple) -> tuple:
        """`args`, watched."""
        self.count = len(args)
        self.at = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
        return self._through(_Inputs, args, self.at)

    def outputs(self, output: Any) -> Any:
        """`output` (a Tensor, or a tuple or list with Tensors), watched."""
        several = isinstance(output, (tuple, list))
        outs = tuple(output) if several else (output,)
        at = [i for i, o in enumerate(outs) if isinstance(o, Tensor) and o.requires_grad]
        watched = self._through(_Outputs, outs, at)
        if not several:
            return watched[0]
        return type(output)(*watched) if hasattr(output, "_fields") else type(output)(watched)

    def _through(self, function: type[Function], values: tuple, at: list[int]) -> tuple:
        if not at:
            return values
        made = function.apply(self, at, len(values), *(values[i] for i in at))
        replaced = dict(zip(at, made, strict=True))
        return tuple(replaced.get(i, value) for i, value in enumerate(values))

    def before(self, gradients: tuple) -> tuple:
        """Call the backward-pre hooks with the outputs' gradients; they may replace them."""
        for hook, _ in self.module._hooks_of("backward_pre"):
            gradients = _replaced(hook(self.module, gradients), gradients, "full_backward_pre_hook")
        self.gradients = gradients
        if not self.at:
            self.after((None,) * self.count)
        return gradients

    def after(self, gradients: tuple) -> tuple:
        """Call the backward hooks with the inputs' gradients; they may replace them."""
        for hook, _ in self.module._hooks_of("backward"):
            gradients = _replaced(hook(self.module, gradients, self.gradients), gradients, "full_backward_hook")
        return gradients


def _replaced(result: Any, gradients: tuple, name: str) -> tuple:
    if result is None:
        return gradients
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(gradients):
        raise GradientError(f"{name}: the hook returned {len(result)} gradients where {len(gradients)} are")
    return result


def _spread(at: list[int], count: int, gradients: tuple) -> tuple:
    """The gradients at their positions, None elsewhere."""
    found = dict(zip(at, gradients, strict=True))
    return tuple(found.get(i) for i in range(count))


class _Inputs(Function):
    """The identity in front of a watched module."""

    @staticmethod
    def forward(ctx: Any, watch: Watch, at: list[int], count: int, *tensors: Tensor) -> Any:
        ctx.watch, ctx.at, ctx.count = watch, at, count
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        after = ctx.watch.after(_spread(ctx.at, ctx.count, gradients))
        return (None, None, None, *(after[i] for i in ctx.at))


class _Outputs(Function):
    """The identity behind a watched module."""

    @staticmethod
    def forward(ctx: Any, watch: Watch, at: list[int], count: int, *tensors: Tensor) -> Any:
        ctx.watch, ctx.at, ctx.count = watch, at, count
        ctx.set_materialize_grads(False)
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        before = ctx.watch.before(_spread(ctx.at, ctx.count, gradients))
        return (None, None, None, *(before[i] for i in ctx.at))
